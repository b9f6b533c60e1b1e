"""A request that is repeated under its key is answered as the first was."""

import json
from datetime import timedelta

import httpx
import pytest
from time_machine import travel

from integrations.models import ApiAnswer
from integrations.purging import purge
from tests.factories.usage import NOON
from tests.integrations.api.conftest import new_key
from tests.integrations.api.knocking import ONE, code, post
from usage.models import UsageEvent

pytestmark = [pytest.mark.usefixtures("_noon", "customer", "feature")]


class TestIdempotencyKey:
    KEYLESS = json.dumps({"usages": [ONE | {"idempotencyKey": None}]})

    def test_a_repeated_request_is_given_the_same_answer(self, http: httpx.Client, token: str) -> None:
        first = post(http, token, self.KEYLESS, **{"Idempotency-Key": "r-1"})
        with travel(NOON + timedelta(hours=23, minutes=59), tick=False):
            again = post(http, token, self.KEYLESS, **{"Idempotency-Key": "r-1"})

        assert (again.status_code, again.json()) == (201, first.json())
        assert UsageEvent.objects.count() == 1

    def test_without_it_usage_without_a_key_is_new_each_time(self, http: httpx.Client, token: str) -> None:
        post(http, token, self.KEYLESS)
        post(http, token, self.KEYLESS)

        assert UsageEvent.objects.count() == 2

    def test_it_is_forgotten_after_a_day(self, http: httpx.Client, token: str) -> None:
        post(http, token, self.KEYLESS, **{"Idempotency-Key": "r-1"})
        with travel(NOON + timedelta(hours=24), tick=False):
            post(http, token, self.KEYLESS, **{"Idempotency-Key": "r-1"})

        assert UsageEvent.objects.count() == 2
        assert ApiAnswer.objects.count() == 1

    @pytest.mark.parametrize("other", [{"content": '{"usages": []}'}, {"path": "/api/v2/usage"}])
    def test_it_belongs_to_one_request(self, http: httpx.Client, token: str, other: dict[str, str]) -> None:
        post(http, token, **{"Idempotency-Key": "r-1"})

        assert code(post(http, token, **other, **{"Idempotency-Key": "r-1"})) == (422, "IdempotencyKeyReused")

    def test_it_belongs_to_one_api_key(self, http: httpx.Client, token: str) -> None:
        post(http, token, self.KEYLESS, **{"Idempotency-Key": "r-1"})
        post(http, new_key()[1], self.KEYLESS, **{"Idempotency-Key": "r-1"})

        assert UsageEvent.objects.count() == 2

    def test_a_refusal_is_not_kept(self, http: httpx.Client, token: str) -> None:
        unknown = json.dumps({"usages": [ONE | {"customerId": "late"}]})
        assert post(http, token, unknown, **{"Idempotency-Key": "r-1"}).status_code == 404

        assert post(http, token, **{"Idempotency-Key": "r-1"}).status_code == 201

    def test_a_key_that_no_header_should_hold_is_refused(self, http: httpx.Client, token: str) -> None:
        assert code(post(http, token, **{"Idempotency-Key": "k" * 256})) == (400, "BadUserInput")

    def test_old_answers_are_deleted(self, http: httpx.Client, token: str) -> None:
        post(http, token, **{"Idempotency-Key": "r-1"})

        purge(now=NOON + timedelta(hours=23), days=30)
        assert ApiAnswer.objects.count() == 1
        purge(now=NOON + timedelta(hours=24), days=30)
        assert ApiAnswer.objects.count() == 0
