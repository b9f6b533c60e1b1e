"""The pages' figures: of this moment where they are counted fast, else as a worker counted them last, with its time.

So no page waits for a count of a million rows, however often it is looked at, and every page shows the same number.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.counting import FIGURES
from integrations.models import Connection, Figure

#: Milliseconds. What is counted faster is counted by each page.
WORTH_MS = 20
#: Counting takes at most this part of a worker's time.
_SHARE = 20
#: What takes long is counted so often at most; whether the rest takes long by now is found out so often.
_OFTEN, _SELDOM = timedelta(seconds=10), timedelta(seconds=60)
#: Whoever takes longer to count has died.
_PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Shown:
    """A figure, and when it was counted, unless that was now; its value is None while it is counted the first time."""

    value: Any
    counted_at: datetime | None = None


def read(connection: Connection, *names: str, now: datetime) -> dict[str, Shown]:
    """Return these figures: with one query, and those of each that is counted now."""
    kept = {one.name: one for one in Figure.objects.filter(connection=connection, took_ms__gte=WORTH_MS)}
    return {
        name: Shown(kept[name].value, kept[name].counted_at) if name in kept else Shown(FIGURES[name](connection, now))
        for name in names
    }


def count_due(*, now: datetime, timer: Callable[[], float] = time.monotonic) -> list[str]:
    """Count what is to be counted again, and return its names; of two workers at once each counts others."""
    connection = Connection.objects.active().first()
    return [] if connection is None else [one for one in FIGURES if _count(connection, one, now=now, timer=timer)]


def _count(connection: Connection, name: str, *, now: datetime, timer: Callable[[], float]) -> bool:
    nothing = {"counted_at": now, "took_ms": 0, "not_before": now}
    figure, _ = Figure.objects.get_or_create(connection=connection, name=name, defaults=nothing)
    due = Figure.objects.filter(pk=figure.pk, not_before__lte=now)
    if figure.not_before > now or not due.update(not_before=now + _PATIENCE):
        return False
    value, took = _timed(connection, name, now=now, timer=timer)
    if figure.took_ms < WORTH_MS <= took * 1000:  # perhaps the machine was busy for a moment
        value, took = _timed(connection, name, now=now, timer=timer)
    is_long = took * 1000 >= WORTH_MS
    figure.value = value if is_long else None
    figure.counted_at, figure.took_ms = now, round(took * 1000)
    figure.not_before = now + (max(_OFTEN, timedelta(seconds=took) * _SHARE) if is_long else _SELDOM)
    figure.save(update_fields=["value", "counted_at", "took_ms", "not_before"])
    return True


def _timed(connection: Connection, name: str, *, now: datetime, timer: Callable[[], float]) -> tuple[Any, float]:
    started = timer()
    value = FIGURES[name](connection, now)
    return value, timer() - started
