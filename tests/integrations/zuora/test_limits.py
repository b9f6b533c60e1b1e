"""The limits of a tenant as people see them."""

import os
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from integrations.zuora.budget import Budget, Limits
from integrations.zuora.leases import CallClass, Priority, RedisLeases
from integrations.zuora.limits import InUse, LimitsInUse, Said, Sightings, calls_left_today, limits_in_use

#: The Redis is shared by the processes of a run of the tests: each has a tenant of its own.
TENANT = f"https://rest.limits-{os.getpid()}.example"
LIMITS = Limits(default=4, high_volume=20, object_query=8)
HEADERS = {
    "Concurrency-Limit-Type": "Default",
    "Concurrency-Limit-Limit": "40",
    "Concurrency-Limit-Remaining": "38",
    "RateLimit-Limit": "50000, 50000;w=60",
    "Rate-Limit-Remaining": "49990",
}


@pytest.fixture
def shared() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    yield client
    for key in client.scan_iter(f"zuora:budget:{{{TENANT}}}:*"):
        client.delete(key)
    client.close()


def look(shared: redis.Redis, now: float = 1000.0) -> LimitsInUse | None:
    return limits_in_use(shared, tenant=TENANT, limits=LIMITS, now=now)


def test_nothing_is_in_use_and_nothing_was_said_at_first(shared: redis.Redis) -> None:
    assert look(shared) == LimitsInUse(
        in_use=(InUse("default", 4, 0), InUse("high volume", 20, 0), InUse("object query", 8, 0)), said=(), pause=0.0
    )


def test_calls_under_way_are_counted_and_leases_that_ran_out_are_not(shared: redis.Redis) -> None:
    leases = RedisLeases(shared, tenant=TENANT)
    for lease, until in (("a", 1100.0), ("b", 1200.0), ("gone", 999.0)):
        leases.take(CallClass.DEFAULT, lease, ceiling=9, now=990.0, until=until)
    seen = look(shared)
    assert seen is not None
    assert seen.in_use[0] == InUse("default", 4, 2)


def test_a_pause_is_told_until_it_ends(shared: redis.Redis) -> None:
    RedisLeases(shared, tenant=TENANT).pause(now=1000.0, until=1042.0)
    pauses = [seen.pause for now in (1000.0, 1042.0) if (seen := look(shared, now)) is not None]
    assert pauses == [42.0, 0.0]


def test_what_zuora_says_of_a_class_is_kept_every_few_seconds(shared: redis.Redis) -> None:
    times = iter([1000.0, 1004.9, 1005.0])
    sightings = Sightings(shared, tenant=TENANT, clock=lambda: next(times))
    sightings.note(HEADERS)
    sightings.note({**HEADERS, "Concurrency-Limit-Remaining": "1"})
    seen = look(shared)
    assert seen is not None
    assert seen.said == (Said("Default", "40", "38", "50000, 50000;w=60", "49990", 1000.0),)
    sightings.note({**HEADERS, "Concurrency-Limit-Remaining": "2"})
    seen = look(shared)
    assert seen is not None
    assert (seen.said[0].concurrency_remaining, seen.said[0].at) == ("2", 1005.0)


@pytest.mark.parametrize(
    ("limit", "remaining", "left"),
    [
        ("10000, 2500;w=60, 5000;w=3600, 10000;w=86400", "812", 812),  # the day is what ends first
        ("2500, 2500;w=60, 5000;w=3600, 10000;w=86400", "3", 10_000),  # the minute is
        ("10000, 10000;w=86400", "", 10_000),
        ("50000, 50000;w=60", "49990", None),
        ("many", "some", None),
    ],
)
def test_the_calls_that_are_left_in_the_day_are_those_zuora_told(
    shared: redis.Redis, limit: str, remaining: str, left: int | None
) -> None:
    said = {"Concurrency-Limit-Type": "Default", "RateLimit-Limit": limit, "RateLimit-Remaining": remaining}
    Sightings(shared, tenant=TENANT).note(said)
    assert calls_left_today(shared, tenant=TENANT) == left


def test_of_several_classes_the_one_with_the_fewest_calls_left_counts(shared: redis.Redis) -> None:
    for name, remaining in (("Default", "70"), ("High-volume", "60")):
        said = {"RateLimit-Limit": "100, 100;w=86400", "RateLimit-Remaining": remaining}
        Sightings(shared, tenant=TENANT).note({"Concurrency-Limit-Type": name, **said})
    assert calls_left_today(shared, tenant=TENANT) == 60


def test_an_answer_without_a_limit_is_not_kept(shared: redis.Redis) -> None:
    Sightings(shared, tenant=TENANT).note({"Content-Type": "application/json"})
    seen = look(shared)
    assert seen is not None
    assert seen.said == ()


def test_a_budget_hands_every_header_on(shared: redis.Redis) -> None:
    sightings = Sightings(shared, tenant=TENANT)
    budget = Budget(RedisLeases(shared, tenant=TENANT), on_headers=sightings.note)
    with budget.slot(CallClass.DEFAULT, Priority.CLICK):
        budget.heed(200, HEADERS)
    seen = look(shared)
    assert seen is not None
    assert [said.call_class for said in seen.said] == ["Default"]


def test_without_redis_nothing_is_known_and_nothing_breaks(dead_redis: redis.Redis) -> None:
    Sightings(dead_redis, tenant=TENANT).note(HEADERS)
    assert look(dead_redis) is None
    assert calls_left_today(dead_redis, tenant=TENANT) is None
