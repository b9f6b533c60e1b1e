"""The limits of a tenant as they stand: what is set here, what is in use over all workers, what Zuora last said.

Zuora says it in the headers of its answers. Source: https://developer.zuora.com/v1-api-reference/rate-limits/
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import redis
import redis.exceptions

from integrations.zuora.budget import Limits
from integrations.zuora.leases import CallClass, Priority

_DAY_SECONDS = 24 * 3600
_KEPT_SECONDS = _DAY_SECONDS
_EVERY_SECONDS = 5.0
_NAMES = ("concurrency-limit-limit", "concurrency-limit-remaining", "ratelimit-limit", "ratelimit-remaining")


@dataclass(frozen=True, slots=True)
class InUse:
    """Calls at once of a class."""

    call_class: str
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Said:
    """What the headers of an answer said of a class, in Zuora's own words; `at` is in seconds since the epoch."""

    call_class: str
    concurrency_limit: str
    concurrency_remaining: str
    rate_limit: str
    rate_remaining: str
    at: float

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass(frozen=True, slots=True)
class LimitsInUse:
    """All limits of a tenant; `pause` is for how many seconds more nothing is sent."""

    in_use: tuple[InUse, ...]
    said: tuple[Said, ...]
    pause: float


class Sightings:
    """Keeps what the headers say, for people to look at: every few seconds is enough."""

    def __init__(self, client: redis.Redis, *, tenant: str, clock: Callable[[], float] = time.time) -> None:
        self._redis = client
        self._key = _key(tenant, "said")
        self._clock = clock
        self._noted: dict[str, float] = {}

    def note(self, headers: Mapping[str, str]) -> None:
        """Keep the headers of an answer, if it has any of a limit. Redis may be away: nothing depends on this."""
        fields = {name.lower().replace("rate-limit-", "ratelimit-"): value for name, value in headers.items()}
        call_class = fields.get("concurrency-limit-type", "")
        now = self._clock()
        if not any(name in fields for name in _NAMES) or now - self._noted.get(call_class, 0.0) < _EVERY_SECONDS:
            return
        self._noted[call_class] = now
        said = json.dumps([*(fields.get(name, "")[:200] for name in _NAMES), now])
        with suppress(redis.exceptions.RedisError):
            self._redis.hset(self._key, call_class, said)
            self._redis.expire(self._key, _KEPT_SECONDS)


def calls_left_today(client: redis.Redis, *, tenant: str) -> int | None:
    """Return how many calls the tenant has left in the day as far as Zuora told, or None where nobody knows."""
    try:
        told = client.hgetall(_key(tenant, "said"))
    except redis.exceptions.RedisError:
        return None
    left = [_left_in_day(Said("", *json.loads(text))) for text in told.values()]
    return min((one for one in left if one is not None), default=None)


def _left_in_day(said: Said) -> int | None:
    """Zuora tells what remains of the window that is nearest to its end; another day's window is as good as whole."""
    window = re.match(r"\s*(\d+)", said.rate_limit)
    day = re.search(rf"(\d+)\s*;\s*w={_DAY_SECONDS}\b", said.rate_limit)
    if window is None or day is None:
        return None
    if window[1] == day[1] and said.rate_remaining.isdecimal():
        return int(said.rate_remaining)
    return int(day[1])


def limits_in_use(client: redis.Redis, *, tenant: str, limits: Limits, now: float) -> LimitsInUse | None:
    """Return the limits as they stand, or None while Redis, which counts them, does not answer."""
    try:
        used = {one: int(client.zcount(_key(tenant, one), f"({now!r}", "+inf")) for one in CallClass}
        paused = float(client.get(_key(tenant, "not before")) or 0.0)
        said = client.hgetall(_key(tenant, "said"))
    except redis.exceptions.RedisError:
        return None
    told = {name.decode() if isinstance(name, bytes) else name: json.loads(text) for name, text in said.items()}
    return LimitsInUse(
        in_use=tuple(InUse(one.value, limits.ceiling(one, Priority.CLICK), used[one]) for one in CallClass),
        said=tuple(Said(name, *told[name]) for name in sorted(told)),
        pause=max(0.0, paused - now),
    )


def _key(tenant: str, name: str) -> str:
    return f"zuora:budget:{{{tenant}}}:{name}"  # where `RedisLeases` keeps its slots
