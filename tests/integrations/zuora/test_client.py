"""What all calls share: signing, refusals, budget, deliveries, records."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
import responses
import urllib3.exceptions

from integrations.words import in_words_of_a_read
from integrations.zuora.client import Client, Exchange
from integrations.zuora.errors import (
    Kind,
    LimitExceeded,
    NoAnswer,
    Outcome,
    Redirected,
    Rejected,
    Scope,
    Unauthorized,
    ZuoraError,
)
from integrations.zuora.leases import CallClass, Priority
from tests.integrations.zuora.canned import BASE, BODY, CREATED, ID, KEY, NOW, SpyBudget, calls, make_client


def test_bytes_are_sent_as_they_are(zuora: responses.RequestsMock) -> None:
    zuora.add("POST", f"{BASE}/v1/accounts", json={"accountId": ID})
    make_client().create_account(b'{"b":1,  "a":2}', idempotency_key=KEY)

    assert calls(zuora)[0].body == b'{"b":1,  "a":2}'


def test_zipped_answers_are_read(zuora: responses.RequestsMock) -> None:
    zipped = gzip.compress(json.dumps({"basicInfo": {"balance": 1.5}}).encode())
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", body=zipped, headers={"Content-Encoding": "gzip"})

    assert make_client().get_account("A-1") == {"basicInfo": {"balance": Decimal("1.5")}}


def test_a_dead_token_is_replaced_and_the_same_request_sent_once_more(zuora: responses.RequestsMock) -> None:
    zuora.add("POST", f"{BASE}/v1/object/product", status=401, json={"message": "Authentication error"})
    zuora.add("POST", f"{BASE}/v1/object/product", json=CREATED)

    assert make_client().create_product(BODY, idempotency_key=KEY) == CREATED
    first, second = calls(zuora)
    assert [first.headers["Authorization"], second.headers["Authorization"]] == ["Bearer T1", "Bearer T2"]
    assert (first.body, first.headers["Idempotency-Key"]) == (second.body, second.headers["Idempotency-Key"])


def test_a_token_refused_in_an_old_200_is_replaced_too(zuora: responses.RequestsMock) -> None:
    refusal = {"success": False, "reasons": [{"code": 90000011, "message": "Session invalid"}]}
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", json=refusal)
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", json={"basicInfo": {"id": ID}})

    assert make_client().get_account("A-1") == {"basicInfo": {"id": ID}}


def test_a_new_token_that_is_refused_ends_it(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", status=401, json={"message": "no"})
    with pytest.raises(Unauthorized):
        make_client().get_account("A-1")

    assert len(calls(zuora)) == 2


def test_nothing_else_is_ever_repeated(zuora: responses.RequestsMock) -> None:
    zuora.add("POST", f"{BASE}/v1/object/product", status=503, body="<html>")
    with pytest.raises(ZuoraError):
        make_client().create_product(BODY, idempotency_key=KEY)

    assert len(calls(zuora)) == 1


def test_redirects_are_not_followed(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", status=302, headers={"Location": "https://elsewhere.example/"})
    zuora.add("GET", "https://elsewhere.example/", json={"basicInfo": {"id": ID}})
    with pytest.raises(Redirected, match=r"elsewhere\.example"):
        make_client().get_account("A-1")

    assert len(calls(zuora)) == 1


def test_a_limit_makes_the_next_call_wait(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", status=429, headers={"Retry-After": "60"}, body="<html>")
    client = make_client()
    for _ in range(2):
        with pytest.raises(LimitExceeded):
            client.get_account("A-1")

    assert len(calls(zuora)) == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.create_product(BODY, idempotency_key=""),
        lambda c: c.create_product(BODY, idempotency_key="k" * 255),
        lambda c: c.create_product(BODY, idempotency_key="key\r\nX-Evil: 1"),
        lambda c: c.create_product(BODY, idempotency_key="schlüssel"),
        lambda c: c.create_product({"Price": 0.1}, idempotency_key=KEY),
        lambda c: c.get_account(""),
        lambda c: c.get_account(".."),
        lambda c: c.create_objects("Usage", [], idempotency_key=KEY),
        lambda c: c.create_objects("Usage", [BODY] * 51, idempotency_key=KEY),
        lambda c: c.for_delivery(track_id="a:b", priority=Priority.CLICK),
        lambda c: c.for_delivery(track_id="x" * 65, priority=Priority.CLICK),
        lambda c: c.for_delivery(track_id="a\nb", priority=Priority.CLICK),
    ],
)
def test_what_zuora_would_never_take_is_our_bug_and_never_sent(
    zuora: responses.RequestsMock, act: Callable[[Client], Any]
) -> None:
    with pytest.raises(Rejected) as caught:
        act(make_client())

    assert (caught.value.kind, caught.value.outcome) == (Kind.BUG, Outcome.NOT_SENT)
    assert calls(zuora) == []


def test_a_delivery_has_its_own_track_id_and_priority_over_the_same_token(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", json={"basicInfo": {"id": ID}})
    budget = SpyBudget()
    kept: list[Exchange] = []
    client = make_client(budget=budget, on_exchange=kept.append)
    for number, priority in enumerate([Priority.USAGE, Priority.BACKFILL]):
        client.for_delivery(track_id=f"job-{number}", priority=priority).get_account("A-1")

    assert [request.headers["Zuora-Track-Id"] for request in calls(zuora)] == ["job-0", "job-1"]
    assert [exchange.track_id for exchange in kept] == ["", "job-0", "job-1"]
    assert budget.asked == [(CallClass.DEFAULT, Priority.USAGE), (CallClass.DEFAULT, Priority.BACKFILL)]
    assert len(zuora.calls) == 3


def test_every_exchange_is_recorded_once_without_secrets(zuora: responses.RequestsMock) -> None:
    refusal = {"Success": False, "Errors": [{"Code": "INVALID_VALUE", "Message": "too long"}]}
    zuora.add("POST", f"{BASE}/v1/object/product", json=refusal, headers={"Zuora-Request-Id": "R-1"})
    kept: list[Exchange] = []
    ticks = iter([0.0, 0.1, 0.5, 10.0, 10.1, 10.25])  # start, body and end of each exchange
    client = make_client(on_exchange=kept.append, track_id="job-1", timer=lambda: next(ticks))
    with pytest.raises(Rejected):
        client.create_product({"Name": "n", "cardNumber": "4111"}, idempotency_key=KEY)

    token, product = kept
    assert token.request_body == ("client_id=made-up-client&client_secret=[hidden]&grant_type=client_credentials")
    assert '"access_token": "[hidden]"' in token.response_body
    assert (token.path, token.status, token.error, token.track_id) == ("/oauth/token", 200, "", "")
    assert product == Exchange(
        method="POST",
        path="/v1/object/product?rejectUnknownFields=true",
        request_body='{"Name":"n","cardNumber":"[hidden]"}',
        status=200,
        response_body=json.dumps(refusal),
        duration_ms=250,
        request_id="R-1",
        track_id="job-1",
        idempotency_key=KEY,
        started_at=NOW,
        error="Zuora refuses it: too long (INVALID_VALUE)",
    )


def test_a_record_that_cannot_be_kept_does_not_hide_the_answer(
    zuora: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Exchange) -> None:
        raise RuntimeError("the database is away")

    zuora.add("GET", f"{BASE}/v1/accounts/A-1", json={"basicInfo": {"id": ID}})

    assert make_client(on_exchange=broken).get_account("A-1") == {"basicInfo": {"id": ID}}
    assert "could not be recorded" in caplog.text


def test_the_secret_is_in_no_representation() -> None:
    client = make_client()

    assert "made-up-secret" not in repr(client) + repr(vars(client))


def test_a_wrong_secret_is_told_apart_and_nothing_else_is_sent() -> None:
    with responses.RequestsMock() as zuora:
        zuora.add("POST", f"{BASE}/oauth/token", status=401, json={"message": "no"})
        with pytest.raises(Unauthorized) as caught:
            make_client().create_product(BODY, idempotency_key=KEY)

    assert (caught.value.outcome, caught.value.scope) == (Outcome.NOT_SENT, Scope.CONNECTION)


def test_a_lost_answer_is_an_open_outcome(zuora: responses.RequestsMock) -> None:
    zuora.add("POST", f"{BASE}/v1/orders", body=requests.exceptions.ReadTimeout("Read timed out."))
    kept: list[Exchange] = []
    with pytest.raises(NoAnswer) as caught:
        make_client(on_exchange=kept.append).create_order(BODY, idempotency_key=KEY)

    assert (caught.value.outcome, caught.value.scope) == (Outcome.UNKNOWN, Scope.ENTITY)
    assert (kept[-1].path, kept[-1].status, kept[-1].response_body) == ("/v1/orders?returnIds=true", None, "")
    assert "Read timed out." in kept[-1].error


def test_a_broken_connection_is_told_in_the_words_of_the_system(zuora: responses.RequestsMock) -> None:
    reset = ConnectionResetError(104, "Connection reset by peer")
    broken = requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", reset))
    zuora.add("GET", f"{BASE}/v1/orders/O-1", body=broken)
    with pytest.raises(NoAnswer) as caught:
        make_client().get_order("O-1")
    assert caught.value.message == "rest.test.zuora.com gave no answer: Connection reset by peer"
    assert in_words_of_a_read(caught.value) == f"{caught.value.message}. Look again in a while."
    assert in_words_of_a_read(Unauthorized("No.")).startswith("No. Check the client ID and secret")
