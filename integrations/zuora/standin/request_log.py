"""What was asked and answered, kept for tests and for whoever looks."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from integrations.zuora.standin.wire import Answer, Request, load

KEPT_BODY = 65_536


@dataclass(slots=True)
class Logged:
    """One request; `status` is 0 when the connection was cut instead of an answer."""

    method: str
    path: str
    template: str
    query: str
    status: int
    headers: dict[str, str]
    raw_body: bytes
    answer: bytes
    at: str
    faults: list[str] = field(default_factory=list)

    @property
    def idempotency_key(self) -> str | None:
        return self.headers.get("idempotency-key")

    @property
    def body(self) -> Any:
        """The body as JSON where it is JSON, as text otherwise, None when empty."""
        if not self.raw_body:
            return None
        try:
            return load(self.raw_body)
        except ValueError:
            return self.raw_body.decode("utf-8", "replace")

    @property
    def response(self) -> Any:
        try:
            return load(self.answer) if self.answer else None
        except ValueError:
            return self.answer.decode("utf-8", "replace")


class RequestLog:
    def __init__(self, keep: int) -> None:
        self._lock = threading.Lock()
        self.entries: deque[Logged] = deque(maxlen=keep)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[int] = Counter()

    def add(self, request: Request, template: str, answer: Answer | None, *, at: str, faults: list[str]) -> None:
        status = answer.status if answer else 0
        entry = Logged(
            request.method,
            request.path,
            template,
            request.query_string,
            status,
            request.headers,
            request.body[:KEPT_BODY],
            answer.body[:KEPT_BODY] if answer else b"",
            at,
            faults,
        )
        with self._lock:
            self.entries.append(entry)
            self.counts[request.method, template] += 1
            self.statuses[status] += 1

    def clear(self) -> None:
        with self._lock:
            self.entries.clear()
            self.counts.clear()
            self.statuses.clear()

    def matching(self, method: str = "", template: str = "") -> list[Logged]:
        """The requests of a method and a path or path template, oldest first; either may be left out."""
        with self._lock:
            entries = list(self.entries)
        return [
            one
            for one in entries
            if (not method or one.method == method) and (not template or template in (one.path, one.template))
        ]
