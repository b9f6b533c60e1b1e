import json
from decimal import Decimal
from typing import Any

import pytest

from integrations.zuora.answers import Answer, classify, classify_rows, retry_after, row_failure
from integrations.zuora.errors import (
    Conflict,
    Forbidden,
    Kind,
    LimitExceeded,
    Locked,
    NotFound,
    Outcome,
    Reason,
    Redirected,
    Rejected,
    Scope,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    ZuoraError,
)

ID = "8ad0000000000000000000000000000a"
T, P, B = Kind.TRANSIENT, Kind.PERMANENT, Kind.BUG
RECEIVED, UNKNOWN = Outcome.RECEIVED, Outcome.UNKNOWN
ENTITY, CONNECTION = Scope.ENTITY, Scope.CONNECTION
HTML = "<html><body><h1>Service Unavailable</h1></body></html>"


def v1(*codes: object) -> dict[str, Any]:
    return {"success": False, "processId": "P1", "reasons": [{"code": code, "message": "why"} for code in codes]}


def crud(code: str, message: str = "why") -> dict[str, Any]:
    return {"Success": False, "Errors": [{"Code": code, "Message": message}]}


def answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, body if isinstance(body, str) else json.dumps(body))


@pytest.mark.parametrize(
    ("status", "body", "expects"),
    [
        (200, {"success": True, "accountId": ID}, ("accountId",)),
        (200, {"Success": True, "Id": ID}, ("Id",)),
        (201, {"id": ID, "name": "GB"}, ("id",)),
        (200, {"data": []}, ("data",)),
        (200, {"records": [], "size": 0, "done": True}, ("done",)),
        (200, {"size": 2000, "done": False}, ("done",)),
        (200, {"success": True, "orderNumber": "O-1"}, ("orderId", "orderNumber")),
        (200, {"success": True, "id": ID, "reasons": []}, ()),
        (200, {"success": True, "reasons": [{"code": 1, "message": "a warning"}]}, ()),
    ],
)
def test_success_needs_2xx_no_denial_and_the_expected_id(
    status: int, body: dict[str, Any], expects: tuple[str, ...]
) -> None:
    assert classify(answer(status, body), expects=expects) == body


def test_decimals_of_an_answer_are_exact() -> None:
    result = classify(Answer(200, {}, '{"price": 0.1, "big": 12345678901234567890.123456789}'))

    assert result == {"price": Decimal("0.1"), "big": Decimal("12345678901234567890.123456789")}


Row = tuple[int, object, type[ZuoraError], Kind, Outcome, Scope]

FAILURES: list[Row] = [
    # v1, as real status codes and, in older API versions, as 200
    *[
        (status, v1(code), cls, kind, RECEIVED, scope)
        for code, real, cls, kind, scope in [
            (53100010, 403, Forbidden, P, ENTITY),
            (90000011, 401, Unauthorized, P, CONNECTION),
            (53100020, 400, Rejected, P, ENTITY),
            (53100021, 400, Rejected, B, ENTITY),
            (53100022, 400, Rejected, P, ENTITY),
            (53100023, 400, Rejected, B, ENTITY),
            (53100027, 400, Rejected, B, ENTITY),
            (53100030, 400, Rejected, P, ENTITY),
            (50000040, 404, NotFound, P, ENTITY),
            (53100045, 405, Rejected, B, ENTITY),
            (53500050, 409, Locked, T, ENTITY),
            (53500060, 500, Unavailable, T, ENTITY),
            (53500061, 500, Unavailable, T, ENTITY),
            (50000070, 429, LimitExceeded, T, CONNECTION),
            (53100090, 400, Rejected, B, ENTITY),
            (53100099, 500, Unavailable, T, ENTITY),
            (53100055, 400, Rejected, P, ENTITY),  # a category that Zuora does not list
        ]
        for status in (200, real)
    ],
    (200, v1("53500050"), Locked, T, RECEIVED, ENTITY),  # the code as text
    # several reasons: again only if each of them may be tried again
    (200, v1(53500050, 53500061), Locked, T, RECEIVED, ENTITY),
    (200, v1(53500050, 53100020), Rejected, P, RECEIVED, ENTITY),
    (409, v1(53500050, 53100021), Rejected, B, RECEIVED, ENTITY),
    (200, v1(50000040, 53500050), NotFound, P, RECEIVED, ENTITY),
    (200, v1(50000070, 53500050), LimitExceeded, T, RECEIVED, CONNECTION),
    # a custom field that the tenant lacks is for a person, another unknown field is for us
    (
        400,
        {"success": False, "reasons": [{"code": 53100021, "message": "No field x__c"}]},
        Rejected,
        P,
        RECEIVED,
        ENTITY,
    ),
    # CRUD and Actions
    *[
        (400, crud(code), cls, kind, RECEIVED, scope)
        for code, cls, kind, scope in [
            ("LOCK_COMPETITION", Locked, T, ENTITY),
            ("REQUEST_EXCEEDED_LIMIT", LimitExceeded, T, CONNECTION),
            ("TEMPORARY_ERROR", Unavailable, T, ENTITY),
            ("TRANSACTION_TIMEOUT", Unavailable, T, ENTITY),
            ("UNKNOWN_ERROR", Unavailable, T, ENTITY),
            ("UNEXPECTED_ERROR", Unavailable, T, ENTITY),
            ("DUPLICATE_VALUE", Rejected, P, ENTITY),
            ("INVALID_VALUE", Rejected, P, ENTITY),
            ("INVALID_ID", Rejected, P, ENTITY),
            ("CANNOT_DELETE", Rejected, P, ENTITY),
            ("TRANSACTION_FAILED", Rejected, P, ENTITY),
            ("INVALID_FIELD", Rejected, B, ENTITY),
            ("INVALID_TYPE", Rejected, B, ENTITY),
            ("INVALID_VERSION", Rejected, B, ENTITY),
            ("MAX_RECORDS_EXCEEDED", Rejected, B, ENTITY),
            ("NO_PERMISSION", Forbidden, P, ENTITY),
            ("API_DISABLED", Forbidden, P, ENTITY),
            ("INVALID_SESSION", Unauthorized, P, CONNECTION),
            ("INVALID_LOGIN", Unauthorized, P, CONNECTION),
        ]
    ],
    (200, crud("BATCH_FAIL_ERROR", "Optimistic locking failed"), Locked, T, RECEIVED, ENTITY),
    (200, crud("BATCH_FAIL_ERROR", "due to a lock competition, retry"), Locked, T, RECEIVED, ENTITY),
    (200, crud("BATCH_FAIL_ERROR"), Rejected, P, RECEIVED, ENTITY),
    (200, {"Success": False, "Errors": {"Code": "LOCK_COMPETITION", "Message": "one"}}, Locked, T, RECEIVED, ENTITY),
    (200, {"faultcode": "fns:MALFORMED_QUERY", "faultstring": "why"}, Rejected, B, RECEIVED, ENTITY),
    (500, {"faultcode": "fns:LOCK_COMPETITION", "faultstring": "why"}, Locked, T, RECEIVED, ENTITY),
    (400, {"message": "Error - unrecognised fields"}, Rejected, B, RECEIVED, ENTITY),
    (400, {"message": "Request method 'PUT' not supported with Idempotency-Key header"}, Rejected, B, RECEIVED, ENTITY),
    (404, {"records": {}, "size": 0, "done": True}, NotFound, P, RECEIVED, ENTITY),
    # Object Query, before it learned the common shape
    (200, {"reasons": [{"code": 50000040, "message": "none"}], "requestId": "R"}, NotFound, P, RECEIVED, ENTITY),
    # authentication
    (401, {"message": "Authentication error"}, Unauthorized, P, RECEIVED, CONNECTION),
    (401, HTML, Unauthorized, P, RECEIVED, CONNECTION),
    (403, {"message": "no"}, Forbidden, P, RECEIVED, ENTITY),
    # idempotency
    (409, {"message": "in progress"}, Conflict, T, UNKNOWN, ENTITY),
    (409, "", Conflict, T, UNKNOWN, ENTITY),
    (422, {"message": "key was used with another URL"}, Rejected, B, RECEIVED, ENTITY),
    # nothing of Zuora's: the outcome is open
    (200, HTML, UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (200, "", UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (200, "null", UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (200, "[" * 100_000, UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (200, '{"Id": NaN}', UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (403, "<html>403 Forbidden</html>", UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (404, HTML, UnexpectedAnswer, T, UNKNOWN, ENTITY),
    (404, {"message": "no Route matched with those values"}, Rejected, P, RECEIVED, ENTITY),
    (500, HTML, Unavailable, T, UNKNOWN, ENTITY),
    (500, "", Unavailable, T, UNKNOWN, ENTITY),
    (
        502,
        {"message": "An invalid response was received from the upstream server"},
        Unavailable,
        T,
        UNKNOWN,
        CONNECTION,
    ),
    (503, HTML, Unavailable, T, UNKNOWN, CONNECTION),
    (504, HTML, Unavailable, T, UNKNOWN, ENTITY),
    (408, HTML, Unavailable, T, UNKNOWN, ENTITY),
    (429, HTML, LimitExceeded, T, RECEIVED, CONNECTION),
    (415, HTML, Rejected, B, RECEIVED, ENTITY),
    # denied without a reason
    (200, {"success": False}, Rejected, P, RECEIVED, ENTITY),
    (200, {"Success": "true", "Id": ID}, Rejected, P, RECEIVED, ENTITY),
    (200, {"success": True, "Success": False}, Rejected, P, RECEIVED, ENTITY),
    (500, {"success": False}, Unavailable, T, RECEIVED, ENTITY),
]


@pytest.mark.parametrize("row", FAILURES)
def test_failure(row: Row) -> None:
    status, body, cls, kind, outcome, scope = row
    error = classify(answer(status, body))

    assert isinstance(error, ZuoraError)
    assert (type(error), error.kind, error.outcome, error.scope, error.status) == (cls, kind, outcome, scope, status)


@pytest.mark.parametrize("body", [{"Success": True}, {"Success": True, "Id": None}, {"Success": True, "Id": ""}, {}])
def test_success_without_the_expected_id_is_an_open_outcome(body: dict[str, Any]) -> None:
    error = classify(answer(200, body), expects=("Id",))

    assert isinstance(error, UnexpectedAnswer)
    assert error.outcome is Outcome.UNKNOWN


def test_a_list_is_no_object() -> None:
    assert isinstance(classify(answer(200, [{"Success": True}])), UnexpectedAnswer)


def test_redirect_is_refused_and_names_its_target() -> None:
    error = classify(answer(302, HTML, {"Location": "https://elsewhere.example/"}))

    assert isinstance(error, Redirected)
    assert "https://elsewhere.example/" in str(error)


def test_error_carries_everything_that_zuora_said() -> None:
    body = {"success": False, "reasons": [{"code": 53100320, "message": "name is too long"}], "requestId": "R-body"}
    error = classify(answer(400, body, {"Zuora-Request-Id": "R-header"}))

    assert isinstance(error, Rejected)
    assert error.reasons == (Reason("53100320", "name is too long"),)
    assert (error.category, error.request_id, error.status) == ("20", "R-header", 400)
    assert str(error) == "Zuora refuses it: name is too long (53100320)"


@pytest.mark.parametrize(("body", "request_id"), [({"requestId": "R1"}, "R1"), ({"processId": "P1"}, "P1"), ({}, "")])
def test_request_id_comes_from_the_body_where_the_header_is_missing(body: dict[str, Any], request_id: str) -> None:
    error = classify(answer(400, body))

    assert isinstance(error, ZuoraError)
    assert error.request_id == request_id


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(status: int) -> None:
    error = classify(answer(status, HTML, {"retry-after": "17"}))

    assert isinstance(error, ZuoraError)
    assert error.retry_after == 17.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "1.5"}, 1.5),
        ({"RETRY-AFTER": " 3 "}, 3.0),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After": "1000000000"}, 86_400.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_action_answers_one_row_per_object() -> None:
    rows = [{"Success": True, "Id": ID}, {"Success": False, "Errors": [{"Code": "LOCK_COMPETITION", "Message": "why"}]}]

    assert classify_rows(answer(200, rows), count=2) == rows


@pytest.mark.parametrize("body", [[{"Success": True, "Id": ID}], [{}, {}, {}], {"Success": True}, [1, 2], HTML])
def test_action_with_another_number_of_rows_is_an_open_outcome(body: object) -> None:
    error = classify_rows(answer(200, body), count=2)

    assert isinstance(error, UnexpectedAnswer)
    assert error.outcome is Outcome.UNKNOWN


def test_action_with_a_fault_of_the_whole_call_fails_as_a_whole() -> None:
    fault = {"faultcode": "fns:INVALID_TYPE", "faultstring": "why"}

    assert isinstance(classify_rows(answer(200, fault), count=2), Rejected)


@pytest.mark.parametrize("row", [{"Success": True, "Id": ID}, {"success": True, "id": ID}])
def test_row_of_an_action_that_succeeded(row: dict[str, Any]) -> None:
    assert row_failure(row) is None


@pytest.mark.parametrize(
    ("row", "cls"),
    [
        (crud("LOCK_COMPETITION"), Locked),
        (crud("INVALID_VALUE"), Rejected),
        ({"success": False, "errors": [{"code": "INVALID_ID", "message": "why"}]}, Rejected),
        ({"Success": False}, Rejected),
        ({"Success": True}, UnexpectedAnswer),
        ({}, Rejected),
    ],
)
def test_row_of_an_action_that_failed(row: dict[str, Any], cls: type[ZuoraError]) -> None:
    assert type(row_failure(row)) is cls
