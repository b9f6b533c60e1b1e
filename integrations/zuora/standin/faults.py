"""Faults on demand: for the next N requests, by method and path, or by a seeded rate."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any

KINDS = {
    "reset": "the connection is reset before anything is done",
    "drop": "everything is done and kept, then the connection closes without an answer",
    "delay": "the answer waits `seconds`, with the account held meanwhile; `after` puts the wait behind the work",
    "latency": "the answer comes `seconds` after the request did, its work included, with the account held meanwhile",
    "timeout": "everything is done and kept, then the gateway answers 504 in HTML after `seconds`",
    "status": "an error of Zuora's own with `status` (500, 503, ...), nothing done",
    "html": "an HTML page of the edge with `status`, nothing done",
    "empty": "200 with an empty body; the work is done",
    "unsuccessful": "200 with success false (category 61), nothing done",
    "limit": "429 with Retry-After `seconds`, nothing done",
    "lock": "the account is locked by somebody else, nothing done",
    "revoked": "401, and every token is dead from now on",
    "callout_lost": "the callout is not delivered in its first attempt",
    "callout_twice": "the callout is delivered twice with the same Zuora-Notification-Id",
    "callout_late": "the callout waits `seconds` of the clock",
}


class UnknownFaultError(ValueError):
    """No such fault, or a member of it that makes no sense."""


@dataclass
class Fault:
    """One rule. It applies to requests that match, `times` times if given, with chance `rate`."""

    kind: str
    times: int | None = None
    skip: int = 0
    method: str = ""
    path: str = ""
    rate: float = 1.0
    seconds: float = 0.0
    status: int = 503
    after: bool = False
    applied: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownFaultError(f"There is no fault '{self.kind}'. Known: {', '.join(KINDS)}.")
        if not 0 <= self.rate <= 1:
            raise UnknownFaultError("rate is a chance from 0 to 1.")
        if not 200 <= self.status <= 599:  # noqa: PLR2004 - what an HTTP status can be
            raise UnknownFaultError("status is an HTTP status from 200 to 599.")
        try:
            re.compile(self.path)
        except re.error as wrong:
            raise UnknownFaultError(f"path is a regular expression: {wrong}.") from wrong

    def matches(self, method: str, path: str) -> bool:
        return (not self.method or self.method == method) and (not self.path or re.search(self.path, path) is not None)


class Faults:
    """The rules in force; chance comes from the seed, so a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - repeatable chance is the point
        self.rules: list[Fault] = []

    def add(self, kind: str, **members: Any) -> Fault:
        """Put a rule in force.

        Raises:
            UnknownFaultError: the kind or a member is unknown or out of range.
        """
        unknown = set(members) - {one.name for one in fields(Fault)}
        if unknown:
            raise UnknownFaultError(f"A fault has no member '{min(unknown)}'.")
        try:
            fault = Fault(kind, **members)
        except TypeError as wrong:
            raise UnknownFaultError(f"The fault is not well formed: {wrong}.") from wrong
        with self._lock:
            self.rules.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()
            self._random.seed(self._seed)

    def take(self, method: str, path: str, *, callouts: bool = False) -> list[Fault]:
        """The faults that this request meets; each is counted."""
        if not self.rules:
            return []
        met = []
        with self._lock:
            for fault in self.rules:
                if (
                    fault.kind.startswith("callout") == callouts
                    and fault.matches(method, path)
                    and self._strikes(fault)
                ):
                    fault.applied += 1
                    met.append(fault)
            self.rules = [fault for fault in self.rules if fault.times is None or fault.applied < fault.times]
        return met

    def _strikes(self, fault: Fault) -> bool:
        if fault.rate < 1 and self._random.random() >= fault.rate:
            return False
        if fault.skip:
            fault.skip -= 1
            return False
        return True

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.rules]
