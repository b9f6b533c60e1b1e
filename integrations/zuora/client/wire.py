"""One HTTP exchange: out, back, bounded, recorded. Nothing here knows an endpoint."""

import logging
import re
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3.exceptions

from integrations.zuora.answers import Answer
from integrations.zuora.body import redact
from integrations.zuora.errors import NoAnswer, Outcome, Scope, UnexpectedAnswer

logger = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_OBJECT = re.compile(r"<[^>]* object at 0x[0-9a-f]+>: ")  # urllib3's words begin with whatever could not connect

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Zuora's gateway gives up after 120: waiting a little longer learns its verdict.

    Source: https://developer.zuora.com/v1-api-reference/requests-and-responses/
    """

    connect: float = 10.0
    read: float = 125.0
    whole: float = 150.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange as it may be kept and shown: secrets are blotted out of the bodies, which are cut at 64 KB."""

    method: str
    path: str  # with the query
    request_body: str
    status: int | None  # None: no answer came
    response_body: str
    duration_ms: int
    request_id: str  # Zuora's own
    track_id: str
    idempotency_key: str
    started_at: datetime
    error: str  # empty for a success


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_session(*, pool_size: int = 50) -> requests.Session:
    """Return a session to be shared by all clients of a process: a pool of connections, without retries."""
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=pool_size, pool_block=False)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class Wire:
    """Sends prepared requests; the only place that touches the network."""

    def __init__(
        self,
        session: requests.Session,
        *,
        timeouts: Timeouts,
        on_exchange: Callable[[Exchange], None] | None,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self.timeouts = timeouts
        self.on_exchange = on_exchange
        self.clock = clock
        self.timer = timer

    def send(
        self,
        request: requests.PreparedRequest,
        judge: Callable[[Answer], T],
        *,
        slot: AbstractContextManager[object] | None = None,
        heed: Callable[[Answer], None] = lambda _: None,
    ) -> T:
        """Send, and return what `judge` makes of the answer; the exchange is recorded once, whatever happens.

        `slot` is held from the beginning until the answer is there and `heed` has seen it: nobody need wait for what
        is made of it here.

        Raises:
            NoAnswer: nothing came back; the outcome tells whether the request left.
            UnexpectedAnswer: the answer is larger than MOST_BYTES.
            ZuoraError: what `judge` raises.
        """
        answer: Answer | None = None
        problem: BaseException | None = None
        with ExitStack() as held:
            held.enter_context(slot or nullcontext())
            started_at, start = self.clock(), self.timer()
            try:
                answer = self._receive(request, start)
                heed(answer)
                held.close()
                return judge(answer)
            except BaseException as error:
                problem = error
                raise
            finally:
                self._record(request, answer, problem, started_at, self.timer() - start)

    def _receive(self, request: requests.PreparedRequest, start: float) -> Answer:
        # The environment may name a proxy or a company's own certificates; certificates are always checked.
        settings = self.session.merge_environment_settings(request.url, {}, stream=True, verify=True, cert=None)
        adapter = self.session.get_adapter(request.url or "")
        try:
            # Not the session's own `send`: that one follows redirects with their bodies, and keeps cookies.
            with adapter.send(
                request,
                stream=True,
                timeout=(self.timeouts.connect, self.timeouts.read),
                verify=settings["verify"] or True,
                cert=settings["cert"],
                proxies=settings["proxies"],
            ) as response:
                body = self._read(response, start)
                return Answer(response.status_code, dict(response.headers), body.decode("utf-8", "replace"))
        except requests.exceptions.RequestException as error:
            host = urlsplit(request.url or "").netloc
            if _never_left(error):
                raise NoAnswer(
                    f"No connection to {host}: {_cause(error)}", outcome=Outcome.NOT_SENT, scope=Scope.CONNECTION
                ) from error
            raise NoAnswer(f"{host} gave no answer: {_cause(error)}", outcome=Outcome.UNKNOWN) from error

    def _read(self, response: requests.Response, start: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MOST_BYTES:
                raise UnexpectedAnswer(
                    f"The answer is larger than {MOST_BYTES // 1024 // 1024} MB.",
                    outcome=Outcome.UNKNOWN,
                    status=response.status_code,
                )
            if self.timer() - start > self.timeouts.whole:
                raise NoAnswer(
                    f"The answer took longer than {self.timeouts.whole:.0f} seconds.",
                    outcome=Outcome.UNKNOWN,
                    status=response.status_code,
                )
        return bytes(body)

    def _record(
        self,
        request: requests.PreparedRequest,
        answer: Answer | None,
        problem: BaseException | None,
        started_at: datetime,
        seconds: float,
    ) -> None:
        if self.on_exchange is None:
            return
        exchange = Exchange(
            method=request.method or "",
            path=request.path_url,
            request_body=redact(_text(request.body)),
            status=answer.status if answer else getattr(problem, "status", None),
            response_body=redact(answer.text) if answer else "",
            duration_ms=round(seconds * 1000),
            request_id=answer.header("zuora-request-id") if answer else "",
            track_id=str(request.headers.get("Zuora-Track-Id", "")),
            idempotency_key=str(request.headers.get("Idempotency-Key", "")),
            started_at=started_at,
            error=redact(str(problem) or type(problem).__name__) if problem else "",
        )
        try:
            self.on_exchange(exchange)
        except Exception:  # the answer matters more than its record
            logger.exception("An exchange with Zuora could not be recorded")


def _text(body: object) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")


def _never_left(error: requests.exceptions.RequestException) -> bool:
    """Tell whether no connection was made, so that the request cannot have arrived."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    refused = isinstance(reason, urllib3.exceptions.NewConnectionError)
    untrusted = any(isinstance(arg, ssl.SSLCertVerificationError) for arg in getattr(reason, "args", ()))
    return refused or untrusted


def _cause(error: requests.exceptions.RequestException) -> str:
    """Return the words of the innermost error: those around it hold it as a programmer would write it."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", None) or inner
    nested = next((one for one in getattr(inner, "args", ()) if isinstance(one, BaseException)), inner)
    return _OBJECT.sub("", getattr(nested, "strerror", None) or str(nested))[:300]
