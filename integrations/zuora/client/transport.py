"""What all endpoints share: how a call is written, signed, counted against the budget and judged."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests

from integrations.zuora.answers import Answer, classify, classify_rows
from integrations.zuora.auth import USER_AGENT, Credentials, MemoryTokenStore, OAuth, TokenStore
from integrations.zuora.body import encode
from integrations.zuora.budget import Budget, Seat
from integrations.zuora.client.wire import Exchange, Timeouts, Wire, new_session, utc_now
from integrations.zuora.errors import Kind, LimitExceeded, Outcome, Rejected, Unauthorized, ZuoraError
from integrations.zuora.leases import CallClass, MemoryLeases, Priority

# Pinned: the tenant's own default would decide which errors come as HTTP 200 and which members an answer has.
ZUORA_VERSION = "2025-08-12"  # https://developer.zuora.com/v1-api-reference/api-versions/
WSDL_VERSION = "133"  # the first that knows the catalog's natural keys; the default of Actions is 79

_TRACK_ID = re.compile(r"[^\x00-\x20\x7f-\U0010ffff:;\"']{0,64}")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,254}")

_JSON = "application/json"

Body = Mapping[str, Any] | bytes  # bytes are what `encode` made before: a retry under the same key sends the same
Query = list[tuple[str, str]]
T = TypeVar("T")


class Transport:
    """The state of a client: where, as whom, how fast, and who keeps the record. The endpoints are its children."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        tokens: TokenStore | None = None,
        budget: Budget | None = None,
        session: requests.Session | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  (frozen)
        priority: Priority = Priority.CHANGES,
        track_id: str = "",
        on_exchange: Callable[[Exchange], None] | None = None,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.monotonic,
        ends_at: float | None = None,
        auth: OAuth | None = None,
        seat: Seat | None = None,
    ) -> None:
        """Open nothing yet. Tokens and budget are this process's own unless shared ones are given.

        `auth` is that of another client with the same credentials: what it knows is known here. Calls from a `seat`
        share its slot, so they are made one after the other.

        From `ends_at` on, by the timer, nothing is sent any more.

        Raises:
            Rejected: of kind BUG, for a track id that Zuora does not take.
        """
        if not _TRACK_ID.fullmatch(track_id):
            raise _bug(f"The track id {track_id!r} is not 64 ASCII characters without blanks, colons and quotes.")
        self._credentials = credentials
        self._tokens = tokens or MemoryTokenStore()
        self._budget = budget or Budget(MemoryLeases())
        self._priority = priority
        self._track_id = track_id
        self._ends_at = ends_at
        self._seat = seat
        self._wire = Wire(
            session or new_session(), timeouts=timeouts, on_exchange=on_exchange, clock=clock, timer=timer
        )
        self._auth = (
            auth.over(self._wire.send)
            if auth
            else OAuth(credentials, store=self._tokens, send=self._wire.send, clock=clock)
        )

    @property
    def base_url(self) -> str:
        return self._credentials.base_url

    def for_delivery(
        self, *, track_id: str, priority: Priority, on_exchange: Callable[[Exchange], None] | None = None
    ) -> Self:
        """Return a client for one delivery, over the same connections, tokens and budget."""
        return self._twin(priority=priority, track_id=track_id, on_exchange=on_exchange or self._wire.on_exchange)

    @contextmanager
    def in_a_row(self) -> Iterator[Self]:
        """Give a client for calls one after the other: it keeps its place among those that call at once."""
        with self._budget.seat() as seat:
            yield self._twin(seat=seat)

    def make_way(self, *, seconds: float) -> bool:
        """Wait while calls of the same priority wait, as `Budget.make_way` says."""
        return self._budget.make_way(self._priority, seconds=seconds)

    def in_a_hurry(self, *, seconds: float, call_seconds: float) -> Self:
        """Return a client for somebody who waits: a call gives up after its seconds, and none begins after all of them.

        What a call that gave up was about has an unknown outcome, as ever.
        """
        wire = self._wire
        return self._twin(
            timeouts=Timeouts(connect=min(wire.timeouts.connect, call_seconds), read=call_seconds, whole=call_seconds),
            ends_at=wire.timer() + seconds,
        )

    def _twin(self, **changes: Any) -> Self:
        """Return a client over the same connections, tokens and budget, but for these changes."""
        wire = self._wire
        same: dict[str, Any] = {
            "tokens": self._tokens,
            "budget": self._budget,
            "session": wire.session,
            "timeouts": wire.timeouts,
            "priority": self._priority,
            "track_id": self._track_id,
            "on_exchange": wire.on_exchange,
            "clock": wire.clock,
            "timer": wire.timer,
            "ends_at": self._ends_at,
            "auth": self._auth,
            "seat": self._seat,
        }
        return type(self)(self._credentials, **(same | changes))

    def _get(
        self,
        path: str,
        *,
        query: Query | None = None,
        call_class: CallClass = CallClass.DEFAULT,
        expects: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        return self._call("GET", path, _dict_with(expects), query=query, call_class=call_class)

    def _post(
        self,
        path: str,
        body: Body,
        *,
        idempotency_key: str,
        query: Query | None = None,
        call_class: CallClass = CallClass.DEFAULT,
        expects: tuple[str, ...] = (),
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        return self._call(
            "POST",
            path,
            _dict_with(expects),
            body=body,
            query=query,
            call_class=call_class,
            idempotency_key=_checked_key(idempotency_key),
            content_type=content_type,
        )

    def _post_rows(self, path: str, body: Body, *, count: int, idempotency_key: str) -> list[dict[str, Any]]:
        return self._call(
            "POST",
            path,
            lambda answer: _or_raise(classify_rows(answer, count=count)),
            body=body,
            idempotency_key=_checked_key(idempotency_key),
        )

    def _put(self, path: str, body: Body, *, expects: tuple[str, ...] = ()) -> dict[str, Any]:
        return self._call("PUT", path, _dict_with(expects), body=body)

    def _delete(self, path: str, *, expects: tuple[str, ...] = ()) -> dict[str, Any]:
        return self._call("DELETE", path, _dict_with(expects))

    def _call(
        self,
        method: str,
        path: str,
        judge: Callable[[Answer], T],
        *,
        body: Body | None = None,
        query: Query | None = None,
        call_class: CallClass = CallClass.DEFAULT,
        idempotency_key: str = "",
        accept: str = _JSON,
        content_type: str = _JSON,
    ) -> T:
        headers = {
            "Accept": accept,
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
            "Zuora-Version": ZUORA_VERSION,
        }
        params = list(query or [])
        if path.startswith(("/v1/object/", "/v1/action/")):
            headers["X-Zuora-WSDL-Version"] = WSDL_VERSION
            if body is not None:
                params.append(("rejectUnknownFields", "true"))  # a misspelt field is ignored otherwise
        if self._track_id:
            headers["Zuora-Track-Id"] = self._track_id
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = body if isinstance(body, bytes) else encode(body)
        request = requests.Request(method, self.base_url + path, headers=headers, params=params, data=data)
        return self._signed(request, judge, call_class)

    def _signed(self, request: requests.Request, judge: Callable[[Answer], T], call_class: CallClass) -> T:
        """Send with the shared token, and once more with a new one if that is refused."""
        prepared = self._auth(request.prepare())
        try:
            return self._counted(prepared, judge, call_class)
        except Unauthorized:
            refused = str(prepared.headers["Authorization"]).removeprefix("Bearer ")
            self._auth.renew(refused)
        return self._counted(self._auth(request.prepare()), judge, call_class)

    def _counted(self, request: requests.PreparedRequest, judge: Callable[[Answer], T], call_class: CallClass) -> T:
        if self._ends_at is not None and self._wire.timer() >= self._ends_at:
            raise LimitExceeded(
                "Zuora takes longer than this page waits, so the rest was not sent yet.", outcome=Outcome.NOT_SENT
            )
        return self._wire.send(
            request,
            judge,
            slot=self._budget.slot(call_class, self._priority, self._seat),
            heed=lambda answer: self._budget.heed(answer.status, answer.headers),
        )


def segment(key: str) -> str:
    """Return a key as one segment of a path.

    Raises:
        Rejected: of kind BUG, for a key that would change the path: empty, or dots only.
    """
    if not key.strip("."):
        raise _bug(f"{key!r} is no key of an object.")
    return quote(key, safe="")


def _dict_with(expects: tuple[str, ...]) -> Callable[[Answer], dict[str, Any]]:
    return lambda answer: _or_raise(classify(answer, expects=expects))


def _or_raise(verdict: T | ZuoraError) -> T:
    if isinstance(verdict, ZuoraError):
        raise verdict
    return verdict


def _checked_key(idempotency_key: str) -> str:
    if not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise _bug(f"The idempotency key {idempotency_key!r} is not 1 to 254 ASCII characters without blanks.")
    return idempotency_key


def _bug(message: str) -> Rejected:
    return Rejected(message, kind=Kind.BUG, outcome=Outcome.NOT_SENT)
