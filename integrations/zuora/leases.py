"""The slots in use and the pause of a tenant: those of one process, or of many that share a Redis.

A slot is a lease that runs out by itself, so the slots of a killed worker come back.
"""

import math
import threading
from collections import defaultdict
from enum import StrEnum
from typing import Protocol

import redis


class CallClass(StrEnum):
    """Zuora's classes of concurrency."""

    DEFAULT = "default"
    HIGH_VOLUME = "high volume"
    OBJECT_QUERY = "object query"


class Priority(StrEnum):
    CLICK = "click"
    USAGE = "usage"
    CHANGES = "changes"
    BACKFILL = "backfill"


#: That a slot was given back is news for so long.
_HEARD_SECONDS = 1.0
#: No answer of Redis is waited for longer: its client takes a silence of five seconds for a Redis that is away.
_REST_MOST = 1.0


class Leases(Protocol):
    """The slots in use and the pause of one tenant. Times are seconds since the epoch, given by the caller."""

    def take(self, call_class: CallClass, lease: str, *, ceiling: int, now: float, until: float) -> float | None:
        """Take a slot, or keep it longer, and return None; else return the seconds left of a pause.

        0.0: only the slots are full.
        """
        ...

    def give(self, call_class: CallClass, lease: str) -> None: ...

    def rest(self, call_class: CallClass, priority: Priority, seconds: float) -> None:
        """Wait so long or less, or until a slot of the class is given back, be it since it was asked for."""
        ...

    def pause(self, *, now: float, until: float) -> None:
        """Let nobody take a slot before `until`; a longer pause stays."""
        ...


class MemoryLeases:
    """The leases of a single process."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._freed = set[tuple[CallClass, Priority]]()
        self._ends: defaultdict[CallClass, dict[str, float]] = defaultdict(dict)
        self._not_before = 0.0

    def take(self, call_class: CallClass, lease: str, *, ceiling: int, now: float, until: float) -> float | None:
        with self._lock:
            if self._not_before > now:
                return self._not_before - now
            ends = {held: end for held, end in self._ends[call_class].items() if end > now}
            full = len(ends) >= ceiling and lease not in ends
            self._ends[call_class] = ends if full else ends | {lease: until}
            return 0.0 if full else None

    def give(self, call_class: CallClass, lease: str) -> None:
        with self._lock:
            if self._ends[call_class].pop(lease, None):
                self._freed |= {(call_class, priority) for priority in Priority}
                self._lock.notify_all()

    def rest(self, call_class: CallClass, priority: Priority, seconds: float) -> None:
        waiting = (call_class, priority)
        with self._lock:
            self._lock.wait_for(lambda: waiting in self._freed, seconds)
            self._freed.discard(waiting)

    def pause(self, *, now: float, until: float) -> None:  # noqa: ARG002  (Redis wants to know how long to keep it)
        with self._lock:
            self._not_before = max(self._not_before, until)


_TAKE = """
local paused = tonumber(redis.call('GET', KEYS[2]) or '0') - tonumber(ARGV[1])
if paused > 0 then return tostring(paused) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local mine = redis.call('ZSCORE', KEYS[1], ARGV[4])
if not mine and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return '0' end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return false
"""
#: Whoever waits hears of a slot, of each priority one: asking again and again would cost more, and hear of it later.
_GIVE = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return end
for i = 2, #KEYS do
  redis.call('LPUSH', KEYS[i], '')
  redis.call('LTRIM', KEYS[i], 0, 0)
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
end
"""
_PAUSE = """
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
"""


class RedisLeases:
    """The leases of many processes, on many machines whose clocks agree within a few seconds."""

    def __init__(self, client: redis.Redis, *, tenant: str) -> None:
        self._redis = client
        self._prefix = f"zuora:budget:{{{tenant}}}:"  # the braces keep a tenant's keys on one node of a cluster
        self._take = client.register_script(_TAKE)
        self._give = client.register_script(_GIVE)
        self._pause = client.register_script(_PAUSE)

    def take(self, call_class: CallClass, lease: str, *, ceiling: int, now: float, until: float) -> float | None:
        left = self._take(
            keys=[self._prefix + call_class, self._prefix + "not before"],
            args=[repr(now), repr(until), ceiling, lease, _milliseconds(until - now)],
        )
        return None if left is None else float(left)

    def give(self, call_class: CallClass, lease: str) -> None:
        freed = [self._freed(call_class, priority) for priority in Priority]
        self._give(keys=[self._prefix + call_class, *freed], args=[lease, _milliseconds(_HEARD_SECONDS)])

    def rest(self, call_class: CallClass, priority: Priority, seconds: float) -> None:
        self._redis.blpop([self._freed(call_class, priority)], timeout=min(max(seconds, 0.001), _REST_MOST))

    def _freed(self, call_class: CallClass, priority: Priority) -> str:
        return f"{self._prefix}freed {call_class} {priority}"

    def pause(self, *, now: float, until: float) -> None:
        self._pause(keys=[self._prefix + "not before"], args=[repr(until), _milliseconds(until - now)])


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
