"""Figures that are expensive to count are counted now and then; the page says when."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core.cache import cache
from django.utils import timezone

T = TypeVar("T")
#: Seconds. What is counted faster is counted each time, so that with few rows every figure is of this moment.
WORTH = 0.05
#: So many times as long as the counting took, its result is used: counting takes at most a twentieth of a process.
_KEPT = 20


@dataclass(frozen=True)
class Remembered(Generic[T]):
    """Figures, and when they were counted, unless that was now."""

    value: T
    counted_at: datetime | None = None


def remembered(name: str, count: Callable[[], T], *, timer: Callable[[], float] = time.monotonic) -> Remembered[T]:
    """Return what `count` returns, or what it returned a little while ago if counting takes long."""
    found: Any = cache.get(name)
    if found is not None:
        return Remembered(*found)
    started = timer()
    value = count()
    took = timer() - started
    if took >= WORTH:
        cache.set(name, (value, timezone.now()), timeout=took * _KEPT)
    return Remembered(value)
