"""How many calls a tenant gets at once, counted over all workers.

Zuora limits concurrency per tenant and class of call, and shares it between all integrations of a customer. Each
priority may fill only its share of a limit: there is always room for a click before usage, for usage before changes,
for changes before a backfill.

Source: https://developer.zuora.com/v1-api-reference/rate-limits/
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import product
from uuid import uuid4

import redis.exceptions

from integrations.zuora.answers import retry_after
from integrations.zuora.errors import LimitExceeded, Outcome, RedisAway
from integrations.zuora.leases import CallClass, Leases, Priority

_PAUSE_WITHOUT_ADVICE = 5.0
_PAUSE_MOST = 300.0  # a limit of a whole day is asked again every five minutes
_PAUSE_WHEN_FULL = 0.25  # others use the tenant's concurrency, too
#: Who waits for a slot hears when one is given back; those of a worker that was killed run out unheard.
_LOOK_SECONDS = 0.1
#: So many may wait, and nobody makes way for them: whoever is next leaves no slot unused.
_NEXT = 1


_SHARES = {Priority.CLICK: 100, Priority.USAGE: 90, Priority.CHANGES: 80, Priority.BACKFILL: 60}  # per cent


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls at once, per class."""

    default: int = 40
    high_volume: int = 200
    object_query: int = 80

    def ceiling(self, call_class: CallClass, priority: Priority) -> int:
        """Return how many slots of the class may be in use before this priority waits; never less than one."""
        limit = {
            CallClass.DEFAULT: self.default,
            CallClass.HIGH_VOLUME: self.high_volume,
            CallClass.OBJECT_QUERY: self.object_query,
        }[call_class]
        return max(1, limit * _SHARES[priority] // 100)


@dataclass(slots=True)
class Seat:
    """Where several calls in a row are made from; of which class the slot is that it keeps, if it has one."""

    lease: str
    call_class: CallClass | None = None


class Budget:
    """Hands out slots, and lets all workers pause when the tenant says that it has had enough.

    `patience` is how long a call waits for a slot, `lease_seconds` must outlast the longest call; both in seconds.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        limits: Limits = Limits(),
        patience: float = 30.0,
        lease_seconds: float = 180.0,
        on_headers: Callable[[Mapping[str, str]], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._leases = leases
        self._limits = limits
        self._patience = patience
        self._lease_seconds = lease_seconds
        self._on_headers = on_headers
        self._clock = clock
        self._sleep = sleep
        # Of a process's threads that wait for the same slots, one asks for them: all of them would do little else.
        self._turns = {pair: threading.Lock() for pair in product(CallClass, Priority)}
        self._waiting, self._fewer_wait = Counter[Priority](), threading.Condition()

    @contextmanager
    def seat(self) -> Iterator[Seat]:
        """Keep the slot of one call for the next, until the end: nobody need look for one in between."""
        seat = Seat(uuid4().hex)
        try:
            yield seat
        finally:
            self._leave(seat)

    def _leave(self, seat: Seat) -> None:
        # Its calls are over and their answers count; a slot that cannot be given back runs out by itself.
        if seat.call_class is not None:
            with suppress(redis.exceptions.RedisError):
                self._leases.give(seat.call_class, seat.lease)
        seat.call_class = None

    @contextmanager
    def slot(self, call_class: CallClass, priority: Priority, seat: Seat | None = None) -> Iterator[None]:
        """Hold a slot while a call is under way; that of the seat, if somebody sits.

        Raises:
            LimitExceeded: there was none within the patience, or the tenant wants a longer pause; nothing was sent.
            RedisAway: Redis, which holds the budget, is out of reach; nothing was sent.
        """
        with self.seat() if seat is None else nullcontext(seat) as sits:
            self._take(call_class, priority, sits)
            yield

    def _take(self, call_class: CallClass, priority: Priority, seat: Seat) -> None:
        if seat.call_class is not call_class:
            self._leave(seat)
        try:
            self._wait(call_class, priority, seat.lease)
        except redis.exceptions.RedisError as error:
            raise RedisAway(str(error), retry_after=_PAUSE_WITHOUT_ADVICE) from error
        seat.call_class = call_class

    def make_way(self, priority: Priority, *, seconds: float) -> bool:
        """Wait, for so long at the most, while several calls of this process wait for a slot; return whether they left.

        For who would only bring more of them, and take the processor meanwhile from those that are under way.
        """
        with self._fewer_wait:
            return self._fewer_wait.wait_for(lambda: self._waiting[priority] <= _NEXT, seconds)

    def heed(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the advice of an answer's status and headers, for all workers."""
        self._on_headers(headers)
        seconds = pause_wanted(status, headers)
        if seconds > 0:
            now = self._clock()
            with suppress(redis.exceptions.RedisError):
                self._leases.pause(now=now, until=now + seconds)

    def _wait(self, call_class: CallClass, priority: Priority, lease: str) -> None:
        patience_ends = self._clock() + self._patience
        turn = self._turns[call_class, priority]
        with self._in_line(priority):
            if not turn.acquire(timeout=self._patience):
                raise LimitExceeded(self._full(call_class, priority), outcome=Outcome.NOT_SENT, retry_after=1.0)
            try:
                self._ask(call_class, priority, lease, patience_ends)
            finally:
                turn.release()

    @contextmanager
    def _in_line(self, priority: Priority) -> Iterator[None]:
        with self._fewer_wait:
            self._waiting[priority] += 1
        try:
            yield
        finally:
            with self._fewer_wait:
                self._waiting[priority] -= 1
                self._fewer_wait.notify_all()

    def _ask(self, call_class: CallClass, priority: Priority, lease: str, patience_ends: float) -> None:
        ceiling = self._limits.ceiling(call_class, priority)
        while True:
            now = self._clock()
            left = self._leases.take(call_class, lease, ceiling=ceiling, now=now, until=now + self._lease_seconds)
            if left is None:
                return
            if now + left >= patience_ends:
                why = "The tenant asked for a pause." if left else self._full(call_class, priority)
                raise LimitExceeded(why, outcome=Outcome.NOT_SENT, retry_after=max(left, 1.0))
            # A little apart from each other, or all workers would wake at once.
            seconds = min(left + _LOOK_SECONDS * random.uniform(0.5, 1.5), patience_ends - now)  # noqa: S311
            if self._sleep is not None:
                self._sleep(seconds)
            else:
                self._leases.rest(call_class, priority, seconds)

    def _full(self, call_class: CallClass, priority: Priority) -> str:
        return f"All {self._limits.ceiling(call_class, priority)} slots for {call_class} calls are in use."


def pause_wanted(status: int, headers: Mapping[str, str]) -> float:
    """Return for how many seconds nothing should be sent to the tenant, 0.0 when it is content.

    Zuora's pages spell the headers `ratelimit-reset`, `RateLimit-Reset` and `Rate-Limit-Reset`: all are read.
    """
    fields = {name.lower().replace("rate-limit-", "ratelimit-"): value for name, value in headers.items()}
    advice = retry_after(headers) if status in {429, 503} else None
    if _number(fields.get("ratelimit-remaining")) == 0:
        advice = max(advice or 0.0, _number(fields.get("ratelimit-reset")) or 0.0) or None
    if status == 429 and not advice:  # noqa: PLR2004
        advice = _PAUSE_WITHOUT_ADVICE
    if _number(fields.get("concurrency-remaining")) == 0:
        advice = max(advice or 0.0, _PAUSE_WHEN_FULL)
    return min(advice or 0.0, _PAUSE_MOST)


def _number(text: str | None) -> float | None:
    """Read the first figure, which belongs to the window nearest to its end: `399, 400;w=60` is 399."""
    try:
        number = float((text or "").split(",")[0].split(";")[0])
    except ValueError:
        return None
    return number if math.isfinite(number) else None
