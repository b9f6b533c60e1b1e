"""Rate and concurrency limits of the tenant, with the headers that tell them.

Source: https://developer.zuora.com/docs/guides/rate-limits/
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from integrations.zuora.standin.switches import Switches

WINDOWS = (60, 3_600, 86_400)
DEFAULT, HIGH_VOLUME, OBJECT_QUERY = "Default", "High-volume transactions", "Object Query"


@dataclass
class Counter:
    """Calls of one class in the current minute, hour and day."""

    started: list[int] = field(default_factory=lambda: [0, 0, 0])
    used: list[int] = field(default_factory=lambda: [0, 0, 0])

    def count(self, now: float, limits: list[int]) -> tuple[bool, int, int]:
        """Count one call: whether it is within all windows, what remains in the nearest, seconds to its reset."""
        fits, remaining, reset = True, limits[-1], WINDOWS[-1]
        for index, width in enumerate(WINDOWS):
            start = int(now // width)
            if start != self.started[index]:
                self.started[index], self.used[index] = start, 0
            self.used[index] += 1
            left = limits[index] - self.used[index]
            if left < 0:
                fits = False
            if left < remaining:
                remaining, reset = max(left, 0), int((start + 1) * width - now) + 1
        return fits, remaining, reset


class Limits:
    """Counts calls and those in flight; 429 is for the caller to say."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rates: dict[str, Counter] = {}
        self.in_flight: dict[str, int] = {}
        self.most_in_flight: dict[str, int] = {}
        self.refused = 0

    def reset(self) -> None:
        with self._lock:
            self._rates.clear()
            self.most_in_flight = dict.fromkeys(self.in_flight, 0)
            self.refused = 0

    def enter(self, *names: str) -> None:
        with self._lock:
            for name in names:
                count = self.in_flight[name] = self.in_flight.get(name, 0) + 1
                self.most_in_flight[name] = max(count, self.most_in_flight.get(name, 0))

    def leave(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self.in_flight[name] -= 1

    def check_rate(self, kind: str, limits: list[int], now: float) -> tuple[bool, int, list[tuple[str, str]]]:
        """Whether the call is within the rate, seconds to wait, and the headers to send."""
        with self._lock:
            fits, remaining, reset = self._rates.setdefault(kind, Counter()).count(now, limits)
            self.refused += not fits
        windows = ", ".join(f"{limit};w={width}" for limit, width in zip(limits, WINDOWS, strict=True))
        headers = [
            ("RateLimit-Limit", f"{limits[0]}, {windows}"),
            ("RateLimit-Remaining", str(remaining)),
            ("RateLimit-Reset", str(reset)),
        ]
        return fits, reset, headers

    def check_concurrency(self, name: str, switches: Switches) -> tuple[bool, list[tuple[str, str]]]:
        """Whether the call, already entered, is within its class, and the headers to send."""
        limit = switches.concurrency.get(name, 0)
        used = self.in_flight.get(name, 0)
        headers = [
            ("Concurrency-Limit-Type", name),
            ("Concurrency-Limit-Limit", str(limit)),
            ("Concurrency-Limit-Remaining", str(max(limit - used, 0))),
        ]
        if used > limit:
            with self._lock:
                self.refused += 1
        return used <= limit, headers
