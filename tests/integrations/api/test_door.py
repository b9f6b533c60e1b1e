"""The API's door: who gets in, what is too much, and that whatever comes is answered in Stigg's shape."""

import gzip
import json
from datetime import timedelta
from typing import Any
from unittest import mock

import httpx
import pytest
import stigg
from django.db import OperationalError, connection
from django.test import Client
from time_machine import travel

from integrations import api_keys
from integrations.api import usage as usage_views
from integrations.models import ApiKey, AuditEntry, Scope
from tests.factories.usage import NOON
from tests.integrations.api.conftest import new_key
from tests.integrations.api.knocking import BATCH, ONE, code, post
from usage import reporting
from usage.models import UsageEvent

pytestmark = [pytest.mark.usefixtures("_noon", "customer", "feature")]

NAMES = "createdAt, customerId, dimensions, featureId, idempotencyKey, resourceId, updateBehavior, value"


class TestKeys:
    @pytest.mark.parametrize("wrong", ["", "server-", "server-abcdef", "a" * 5000, "\x01"])
    def test_nobody_gets_in_without_a_key(self, http: httpx.Client, token: str, wrong: str) -> None:
        assert token
        answer = http.post("/api/v1/usage", content=BATCH, headers={"X-API-KEY": wrong})

        assert code(answer) == (401, "Unauthenticated")
        assert UsageEvent.objects.count() == 0

    def test_a_token_whose_beginning_is_right_does_not_do(self, http: httpx.Client, token: str) -> None:
        other = token[:-1] + ("A" if token[-1] != "A" else "B")

        assert code(post(http, other)) == (401, "Unauthenticated")

    def test_a_revoked_key_opens_nothing(self, http: httpx.Client, token: str) -> None:
        api_keys.revoke(key=ApiKey.objects.get(), actor=None, now=NOON)

        assert code(post(http, token)) == (401, "Unauthenticated")

    def test_the_token_is_not_kept(self, token: str) -> None:
        [row] = ApiKey.objects.values()

        assert len(token) >= len("server-") + 43
        assert token not in str(row)
        assert token.removeprefix("server-")[7:] not in str(row)
        assert row["prefix"] == token[:13]

    def test_when_a_key_was_used_is_known_to_ten_minutes(self, http: httpx.Client, token: str) -> None:
        post(http, token)
        with travel(NOON + timedelta(minutes=9), tick=False):
            post(http, token)
        assert ApiKey.objects.get().last_used_at == NOON
        with travel(NOON + timedelta(minutes=10), tick=False):
            post(http, token)
        assert ApiKey.objects.get().last_used_at == NOON + timedelta(minutes=10)

    def test_making_and_revoking_is_in_the_audit_log(self) -> None:
        key, _ = new_key(scope=Scope.USAGE)
        api_keys.revoke(key=key, actor=None, now=NOON)

        assert list(AuditEntry.objects.order_by("pk").values_list("action", "subject", "detail")) == [
            ("make API key", str(key), {"scope": "USAGE"}),
            ("revoke API key", str(key), {}),
        ]

    def test_a_session_opens_nothing_and_no_form_is_needed(self, http: httpx.Client, token: str) -> None:
        """No cookie is looked at, so no CSRF token is asked for."""
        answer = post(http, token, Cookie="sessionid=x", Origin="https://elsewhere.example")

        assert answer.status_code == 201

    def test_a_key_in_no_alphabet_of_headers_does_no_harm(self) -> None:
        answer = Client().post("/api/v1/events", "{}", "application/json", headers={"X-API-KEY": "ü\udc80"})

        assert (answer.status_code, answer.json()["code"]) == (401, "Unauthenticated")


TWICE = "is given 2 times, and only one can count: give it once."


class TestBodies:
    @pytest.mark.parametrize(
        ("content", "places"),
        [
            ('{"usages": [{"value": 1}, {"value": 1, "a": 2, "value": 2}]}', ["usages.1.value"]),
            ('{"usages": [{"value": 1e9999999999999999999, "value": 1}]}', ["usages.0.value"]),
            (
                '{"usages": [{"dimensions": {"a": 1, "a": 1}}], "usages": [{"value": 1, "value": 1}]}',
                ["usages", "usages.0.value"],
            ),
            ('{"usages": [{"dimensions": {"a": 1, "a": 1}, "value": 1}]}', ["usages.0.dimensions.a"]),
            ('{"usages": [], "a": NaN, "a": -Infinity}', ["a"]),
        ],
    )
    def test_a_name_that_comes_twice_is_refused_with_its_place(
        self, http: httpx.Client, token: str, content: str, places: list[str]
    ) -> None:
        answer = post(http, token, content)

        assert code(answer) == (400, "BadUserInput")
        more = f" (and {len(places) - 1} more, see errors)" if len(places) > 1 else ""
        assert answer.json()["message"] == f"{places[0]}: it {TWICE}{more}"
        assert [one["path"] for one in answer.json()["errors"]] == places

    @pytest.mark.parametrize("rest", ["[" * 100_000, "}"])
    def test_a_name_that_comes_twice_in_what_is_no_json_is_no_json(
        self, http: httpx.Client, token: str, rest: str
    ) -> None:
        answer = post(http, token, '[{"a": 1, "a": 2}, ' + rest)

        assert code(answer) == (400, "BadUserInput")
        assert answer.json()["message"].startswith("The body is not JSON")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "The body is not JSON"),
            ("{", "The body is not JSON"),
            (b"\xff\xfe", "The body is not JSON"),
            ("[" * 100_000, "The body is not JSON: it is nested too deeply"),
            ('{"usages": [' + "9" * 5000 + "]}", "The body is not JSON: a whole number in it has thousands of digits"),
            ('{"usages": [], "dryRun": true}', "'dryRun': not known here. The names are usages."),
            ("[]", "The body is no JSON object"),
            ("null", "The body is no JSON object"),
            ("{}", 'Send an object with the list "usages"'),
            ('{"usages": {}}', 'Send an object with the list "usages"'),
            ('{"usages": []}', "The batch is empty"),
            (json.dumps({"usages": [ONE] * 1001}), "1001 in one batch are too many"),
        ],
    )
    def test_what_is_no_batch_is_refused(
        self, http: httpx.Client, token: str, content: str | bytes, message: str
    ) -> None:
        answer = post(http, token, content)

        assert code(answer) == (400, "BadUserInput")
        assert answer.json()["message"].startswith(message)
        assert UsageEvent.objects.count() == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (None, "It is no JSON object."),
            ([], "It is no JSON object."),
            ({"customerId": None}, "customerId is missing."),
            ({"customerId": 7}, "customerId is no text."),
            ({"featureId": ["a"]}, "featureId is no text."),
            ({"value": None}, "value is missing."),
            ({"value": "3"}, "value is a text: send a number, without quotes."),
            ({"value": True}, "value is no number."),
            ({"value": float("nan")}, "The value NaN is not a number that can be counted: send a finite one."),
            ({"value": float("-inf")}, "The value -Infinity is not a number that can be counted: send a finite one."),
            ({"update_behavior": "SET"}, f"'update_behavior': not known here. The names are {NAMES}."),
            ({"updateBehavior": "set"}, "updateBehavior is neither DELTA nor SET."),
            ({"createdAt": 5}, "createdAt is no text."),
            ({"createdAt": "soon"}, "createdAt is no time in ISO 8601, for example 2026-03-10T12:00:00Z: 'soon'."),
            (
                {"createdAt": "2026-03-10"},
                "The time 2026-03-10T00:00:00 has no offset: end it with Z, or with one such as +02:00.",
            ),
            ({"resourceId": {}}, "resourceId is no text."),
            ({"idempotencyKey": 1}, "idempotencyKey is no text."),
            ({"dimensions": "a"}, "dimensions is no JSON object."),
            ({"dimensions": {"a": [1]}}, "The dimension 'a' is neither a text, nor a number, nor true or false."),
        ],
    )
    def test_a_wrong_type_is_named_by_its_index_and_nothing_is_stored(
        self, http: httpx.Client, token: str, change: Any, message: str
    ) -> None:
        wrong = ONE | {"idempotencyKey": "k2"} | change if isinstance(change, dict) else change

        answer = post(http, token, json.dumps({"usages": [ONE, wrong]}))

        assert code(answer) == (400, "BadUserInput")
        assert answer.json()["errors"] == [{"index": 1, "code": "BadUserInput", "message": message}]
        assert UsageEvent.objects.count() == 0

    def test_a_name_that_we_do_not_know_asks_for_nothing_when_it_is_null(self, http: httpx.Client, token: str) -> None:
        batch = {"usages": [ONE | {"entityIds": None}], "dryRun": None}

        assert post(http, token, json.dumps(batch)).status_code == 201

    def test_a_number_beyond_all_counting_is_named_by_its_index(self, http: httpx.Client, token: str) -> None:
        nothing = BATCH.replace('"value": 3', '"value": 1e-99999999999999999999')
        too_much = BATCH.replace('"value": 3', '"value": 1e99999999999999999999')

        assert '"value": 0,' in post(http, token, nothing).text
        answer = post(http, token, too_much)
        assert code(answer) == (400, "BadUserInput")
        assert [(one["index"], one["message"]) for one in answer.json()["errors"]] == [
            (0, "The value Infinity is not a number that can be counted: send a finite one.")
        ]

    @pytest.mark.skipif(connection.vendor == "sqlite", reason="holds fifteen digits, and says so")
    def test_every_digit_comes_back(self, http: httpx.Client, token: str) -> None:
        batch = BATCH.replace(
            '"value": 3', '"value": 1234567890123.123456789, "dimensions": {"a": 12.1234567890123456789}'
        )

        assert '"value": 1234567890123.123456789,' in post(http, token, batch).text
        assert '"value": 1234567890123.123456789,' in post(http, token, batch).text
        assert UsageEvent.objects.get().dimensions == {"a": "12.1234567890123456789"}

    def test_a_body_beyond_the_limit_is_not_read(self, http: httpx.Client, token: str) -> None:
        answer = post(http, token, b" " * (4 * 1024 * 1024 + 1))

        assert code(answer) == (413, "PayloadTooLarge")

    def test_a_body_in_chunks_is_refused_and_not_taken_for_an_empty_one(self, http: httpx.Client, token: str) -> None:
        answer = http.post(
            "/api/v1/usage",
            content=iter([BATCH.encode()]),
            headers={"X-API-KEY": token, "Content-Type": "application/json"},
        )

        assert code(answer) == (411, "LengthRequired")

    def test_only_json_is_taken(self, http: httpx.Client, token: str) -> None:
        answer = post(http, token, "usages=1", **{"Content-Type": "application/x-www-form-urlencoded"})

        assert code(answer) == (415, "UnsupportedMediaType")

    def test_a_compressed_body_is_refused_for_what_it_is(self, http: httpx.Client, token: str) -> None:
        answer = post(http, token, gzip.compress(BATCH.encode()), **{"Content-Encoding": "gzip"})

        assert code(answer) == (415, "UnsupportedMediaType")
        assert answer.json()["message"] == "Send the body as it is, not compressed."

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/v1/usage", 405),
            ("PUT", "/api/v1/events", 405),
            ("POST", "/api/v1/usage/acme/history/api-calls", 405),
            ("GET", "/api/v1/nothing", 404),
            ("POST", "/api/", 404),
        ],
    )
    def test_what_is_not_there_is_said_in_json(
        self, http: httpx.Client, token: str, method: str, path: str, status: int
    ) -> None:
        answer = http.request(method, path, headers={"X-API-KEY": token})

        assert code(answer)[0] == status

    def test_when_the_database_is_away_the_sdk_tries_again(self, http: httpx.Client, token: str) -> None:
        away = mock.Mock(side_effect=[OperationalError("away"), mock.DEFAULT], wraps=reporting.report_events)
        event = {"customer_id": "acme", "event_name": "upload", "idempotency_key": "e1"}
        client = stigg.Stigg(api_key=token, base_url="http://localhost", http_client=http)

        with mock.patch.object(usage_views, "report_events", away), mock.patch("time.sleep"):
            client.v1.events.report(events=[event])  # type: ignore[list-item]

        assert away.call_count == 2
        assert UsageEvent.objects.count() == 1

    def test_our_own_mistake_is_answered_in_json_and_logged(
        self, http: httpx.Client, token: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with mock.patch.object(usage_views, "report_usage", side_effect=ZeroDivisionError):
            answer = post(http, token)

        assert code(answer) == (500, "InternalServerError")
        assert answer.json()["traceId"] in caplog.text
