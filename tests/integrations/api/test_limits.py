"""How often a key may ask."""

from datetime import timedelta

import httpx
import pytest
from pytest_django.fixtures import Settings
from time_machine import travel

from tests.factories.usage import NOON
from tests.integrations.api.conftest import new_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]

LISTS = "/api/v1/credits/ledger"


@pytest.fixture(autouse=True)
def _two_a_minute(settings: Settings) -> None:
    settings.API_RATE_LIMITS = settings.API_RATE_LIMITS | {"read": 2}


def ask(http: httpx.Client, token: str) -> httpx.Response:
    return http.get(LISTS, headers={"X-API-KEY": token})


def test_each_answer_says_how_many_are_left(http: httpx.Client, token: str) -> None:
    first, second, third = (ask(http, token) for _ in range(3))

    assert [answer.status_code for answer in (first, second, third)] == [501, 501, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
    assert (third.headers["X-RateLimit-Limit"], third.headers["Retry-After"]) == ("2", "60")
    assert third.json()["code"] == "RateLimitExceeded"


def test_the_next_minute_begins_anew(http: httpx.Client, token: str) -> None:
    for _ in range(3):
        ask(http, token)
    with travel(NOON + timedelta(minutes=1), tick=False):
        assert ask(http, token).status_code == 501


def test_each_key_and_each_kind_of_operation_is_counted_by_itself(http: httpx.Client, token: str) -> None:
    for _ in range(3):
        ask(http, token)

    assert ask(http, new_key()[1]).status_code == 501
    assert http.post("/api/v1/credits/grants", headers={"X-API-KEY": token}).status_code == 501


def test_nobody_is_counted_where_the_limit_is_none(http: httpx.Client, token: str, settings: Settings) -> None:
    settings.API_RATE_LIMITS = settings.API_RATE_LIMITS | {"read": 0}

    answers = [ask(http, token) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {501}
    assert "X-RateLimit-Limit" not in answers[0].headers


def test_nobody_is_kept_out_while_redis_is_away(http: httpx.Client, token: str, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    assert {ask(http, token).status_code for _ in range(3)} == {501}
