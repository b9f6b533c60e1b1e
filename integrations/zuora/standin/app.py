"""The stand-in as one WSGI application: who may ask, how much at once, which faults strike, and the answer."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin import control, oauth
from integrations.zuora.standin.clock import Clock
from integrations.zuora.standin.errors import Kind, Refusal
from integrations.zuora.standin.faults import Fault, Faults
from integrations.zuora.standin.idempotency import IdempotencyKeys
from integrations.zuora.standin.journal import FileJournal
from integrations.zuora.standin.limits import Limits
from integrations.zuora.standin.refusals import edge_page, family_of, refused
from integrations.zuora.standin.request_log import RequestLog
from integrations.zuora.standin.routes import Route, match
from integrations.zuora.standin.switches import Switches
from integrations.zuora.standin.tenant import Tenant
from integrations.zuora.standin.wire import Answer, Request, compressed, json_answer, version_number

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

logger = logging.getLogger("zuora.standin")
Sleep = Callable[[float], Any]
GATEWAY_TIMEOUT = 120.0
LONGEST_TRACK_ID = 64


class Cut(Exception):  # noqa: N818 - not an error of ours: it is what was asked for
    """The connection ends without an answer; `abrupt` is a reset instead of a close."""

    def __init__(self, *, abrupt: bool) -> None:
        super().__init__("reset" if abrupt else "closed without an answer")
        self.abrupt = abrupt


class StandIn:
    """A Zuora tenant behind HTTP. Call it as a WSGI application, or drive it through its members.

    `tenant` holds state, clock and switches; `faults`, `limits` and `log` are what their names say; `control` is the
    same through one object with verbs, as the `/standin/` paths have them.
    """

    def __init__(
        self, *, clients: dict[str, str], switches: Switches, seed: int, start: datetime | None, keep_log: int
    ) -> None:
        self.clients = clients
        self.seed = seed
        self.tenant = Tenant(clock=Clock(start=start), switches=switches, seed=seed)
        self.faults = Faults(seed)
        self.limits = Limits()
        self.log = RequestLog(keep_log)
        self.keys = IdempotencyKeys()
        self.journal: FileJournal | None = None
        self._random = random.Random(seed)  # noqa: S311 - request ids, repeatable
        self.control = control.Control(self)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _request_of(environ)
        answer = self.handle(request, environ.get("standin.sleep", time.sleep))
        answer = compressed(answer, request.header("accept-encoding"))
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
        start_response(f"{answer.status} {_phrase(answer.status)}", headers)
        return [answer.body]

    def close(self) -> None:
        """Let go of the data file."""
        if self.journal is not None:
            self.journal.close()

    def handle(self, request: Request, sleep: Sleep = time.sleep) -> Answer:
        """Answer one request.

        Raises:
            Cut: a fault ends the connection instead.
        """
        if request.path.startswith(control.PREFIX):
            return control.handle(self, request)
        faults = self.faults.take(request.method, request.path)
        route, request.params, known = match(request.method, request.path)
        template = route.template if route else request.path
        request_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        concurrency = route.concurrency if route else "OAuth"
        answer: Answer | None = None
        self.limits.enter("all")
        self.limits.enter(concurrency)
        try:
            answer = self._with_edge(request, route, known, faults, request_id, sleep)
            _finish_headers(request, answer, request_id)
            return answer
        finally:
            self.limits.leave(concurrency)
            self.limits.leave("all")
            self.log.add(
                request, template, answer, at=self.tenant.clock.now().isoformat(), faults=[one.kind for one in faults]
            )

    def _with_edge(
        self,
        request: Request,
        route: Route | None,
        known: frozenset[str],
        faults: list[Fault],
        request_id: str,
        sleep: Sleep,
    ) -> Answer:
        """What stands before and behind Zuora itself: resets, pages of the edge, timeouts, lost answers."""
        by_kind = {one.kind: one for one in faults}
        if "reset" in by_kind:
            raise Cut(abrupt=True)
        if "html" in by_kind:
            return edge_page(by_kind["html"].status, "Service Unavailable")
        answer = self._inside(request, route, known, by_kind, request_id, sleep)
        if "drop" in by_kind:
            raise Cut(abrupt=False)
        if "timeout" in by_kind:
            sleep(by_kind["timeout"].seconds)
            return edge_page(504, "Gateway Time-out")
        if "empty" in by_kind:
            return Answer(status=200, body=b"")
        return answer

    def _inside(
        self,
        request: Request,
        route: Route | None,
        known: frozenset[str],
        faults: dict[str, Fault],
        request_id: str,
        sleep: Sleep,
    ) -> Answer:
        tenant = self.tenant
        now = tenant.clock.now().timestamp()
        if request.path == "/oauth/token":
            return self._token(request, now)
        request.version = version_number(request.header("zuora-version") or tenant.switches.api_version)
        if route is None and not known:
            return json_answer({"message": "no Route matched with those values"}, 404)

        def refuse(refusal: Refusal) -> Answer:
            return refused(
                refusal,
                family=family_of(request.path),
                version=request.version,
                resource=route.resource if route else 500_000,
                switches=tenant.switches,
                request_id=request_id,
            )

        with tenant.mutex:
            if "revoked" in faults:
                oauth.revoke_all(tenant)
            alive = oauth.authorized(tenant, request)
        if not alive:
            return refuse(Refusal(Kind.AUTHENTICATION, "Authentication error"))
        headers, limited = self._limits(request, route, now, faults)
        if limited:
            answer = refuse(limited)
            answer.headers += headers
            return answer
        if route is None:
            answer = refuse(Refusal(Kind.METHOD, f"Request method '{request.method}' not supported"))
            answer.headers.append(("Allow", ", ".join(sorted(known))))
            return answer
        answer = self._keyed(request, route, faults, refuse, sleep)
        answer.headers += headers
        return answer

    def _token(self, request: Request, now: float) -> Answer:
        if request.method != "POST":
            return json_answer({"message": "Method not allowed"}, 405)
        fits, wait, _ = self.limits.check_rate("AUTH", self.tenant.switches.auth_rate_limits, now)
        if not fits:
            answer = json_answer({"message": "Too many requests"}, 429)
            answer.headers.append(("Retry-After", str(wait)))
            return answer
        with self.tenant.mutex, self.tenant.store.transaction():
            return oauth.create_token(self.tenant, self.clients, request)

    def _limits(
        self, request: Request, route: Route | None, now: float, faults: dict[str, Fault]
    ) -> tuple[list[tuple[str, str]], Refusal | None]:
        switches = self.tenant.switches
        fits, wait, headers = self.limits.check_rate("API", switches.rate_limits, now)
        if request.path.startswith(("/v1", "/object-query")) and route:
            free, more = self.limits.check_concurrency(route.concurrency, switches)
            headers += more
        else:
            free = True
        if "limit" in faults:
            fits, wait = False, int(faults["limit"].seconds)
        if fits and free:
            return headers, None
        headers.append(("Retry-After", str(wait if not fits else 1)))
        return headers, Refusal(Kind.LIMIT, "Request exceeded limit, please retry later.")

    def _keyed(
        self,
        request: Request,
        route: Route,
        faults: dict[str, Fault],
        refuse: Callable[[Refusal], Answer],
        sleep: Sleep,
    ) -> Answer:
        key = request.header("idempotency-key")
        if not key:
            return self._run(request, route, faults, refuse, sleep, None)
        with self.tenant.mutex:
            settled = self.keys.begin(self.tenant, request, key)
        if settled is not None:
            return settled
        try:
            return self._run(
                request, route, faults, refuse, sleep, key if request.method in ("POST", "PATCH") else None
            )
        finally:
            self.keys.abandon(key)

    def _run(
        self,
        request: Request,
        route: Route,
        faults: dict[str, Fault],
        refuse: Callable[[Refusal], Answer],
        sleep: Sleep,
        key: str | None,
    ) -> Answer:
        """Do the work with its account held; work and idempotency record are kept together or not at all."""
        tenant = self.tenant
        delay = faults.get("delay")
        try:
            _strike(faults)
            if (
                route.writes
                and not tenant.switches.api_write
                and request.path not in ("/v1/action/query", "/v1/action/queryMore")
            ):
                raise Refusal(Kind.PERMISSION, "The user has no API write permission.")
            with tenant.mutex:
                held = route.accounts(tenant, request) if route.accounts else []
            with tenant.holding(held):
                if delay and not delay.after:
                    sleep(delay.seconds)
                with tenant.mutex:
                    answer = self._transacted(request, route, key)
                if delay and delay.after:
                    sleep(delay.seconds)
            return answer
        except Refusal as refusal:
            answer = refuse(refusal)
        except Exception:
            logger.exception("The stand-in failed on %s %s", request.method, request.path)
            answer = refuse(Refusal(Kind.INTERNAL, "An unexpected error occurred. Please contact support."))
        if key is not None:
            with tenant.mutex:
                self.keys.finish(tenant, request, key, answer)
        return answer

    def _transacted(self, request: Request, route: Route, key: str | None) -> Answer:
        tenant = self.tenant
        tenant.events.clear()
        with tenant.store.transaction():
            result = route.handler(tenant, request)
            answer = result if isinstance(result, Answer) else json_answer(result)
            if key is not None:
                self.keys.finish(tenant, request, key, answer)
        return answer


def _strike(faults: dict[str, Fault]) -> None:
    if "lock" in faults:
        raise Refusal(Kind.LOCKED, "Operation failed due to a lock competition, please retry later.")
    if "unsuccessful" in faults:
        raise Refusal(Kind.TEMPORARY, "Temporary error, please retry later.")
    if "status" in faults:
        raise Refusal(Kind.INTERNAL, "An internal error occurred.")


def _finish_headers(request: Request, answer: Answer, request_id: str) -> None:
    answer.headers.append(("Zuora-Request-Id", request_id))
    track = request.header("zuora-track-id")
    if track and len(track) <= LONGEST_TRACK_ID and track.isascii() and not set(track) & set(":;\"'"):
        answer.headers.append(("Zuora-Track-Id", track))


def _request_of(environ: dict[str, Any]) -> Request:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    length = environ.get("CONTENT_LENGTH") or ""
    body = environ["wsgi.input"].read(int(length)) if length.isdigit() else b""
    raw = str(environ.get("RAW_URI") or environ.get("PATH_INFO", "/")).partition("?")[0]
    host = headers.get("host") or f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=raw,
        query_string=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
        origin=f"{environ.get('wsgi.url_scheme', 'http')}://{host}",
        remote=environ.get("REMOTE_ADDR", ""),
    )


PHRASES = {
    200: "OK",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
}


def _phrase(status: int) -> str:
    return PHRASES.get(status, "Status")


def create_app(
    *,
    data: Path | None = None,
    seed: int = 0,
    clients: dict[str, str] | None = None,
    switches: dict[str, Any] | None = None,
    start: datetime | None = None,
    keep_log: int = 20_000,
) -> StandIn:
    """A stand-in, with the state of its data file if one is given.

    Args:
        data: file that survives the process; nothing is kept without it.
        seed: of ids and of chance.
        clients: OAuth client ids and their secrets; `demo-client` with `demo-secret` by default.
        switches: values that differ from `Switches`' defaults.
        start: stop the clock at this instant.
        keep_log: how many requests the log remembers.

    Raises:
        DataFileError: the file cannot be used.
        UnknownSwitchError: a switch is unknown.
    """
    app = StandIn(
        clients=clients if clients is not None else dict(oauth.DEFAULT_CLIENTS),
        switches=Switches().changed(switches or {}),
        seed=seed,
        start=start,
        keep_log=keep_log,
    )
    if data is not None:
        app.journal = FileJournal(data)
        app.journal.fill(app.tenant.store)
    return app
