"""The way of one request: edge, token, limits, idempotency, lock, work, and back out through the faults.

What it goes through is `Parts`; one `Call` is made for each request.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin import oauth
from integrations.zuora.standin.errors import Kind, Refusal
from integrations.zuora.standin.idempotency import IdempotencyKeys
from integrations.zuora.standin.jobs import run_due
from integrations.zuora.standin.refusals import edge_page, family_of, refused
from integrations.zuora.standin.routes import Route, match
from integrations.zuora.standin.wire import Answer, Request, json_answer, version_number

if TYPE_CHECKING:
    import random

    from integrations.zuora.standin.callouts import Callouts
    from integrations.zuora.standin.faults import Fault, Faults
    from integrations.zuora.standin.limits import Limits
    from integrations.zuora.standin.request_log import RequestLog
    from integrations.zuora.standin.tenant import Tenant

logger = logging.getLogger("zuora.standin")
Sleep = Callable[[float], Any]
LONGEST_TRACK_ID = 64
QUERIES = ("/v1/action/query", "/v1/action/queryMore")
NO_ROUTE = {"message": "no Route matched with those values"}


class Cut(Exception):  # noqa: N818 - not an error of ours: it is what was asked for
    """The connection ends without an answer; `abrupt` is a reset instead of a close."""

    def __init__(self, *, abrupt: bool) -> None:
        super().__init__("reset" if abrupt else "closed without an answer")
        self.abrupt = abrupt


@dataclass
class Parts:
    """What every request goes through."""

    clients: dict[str, str]
    tenant: Tenant
    faults: Faults
    limits: Limits
    log: RequestLog
    callouts: Callouts
    random: random.Random
    keys: IdempotencyKeys = field(default_factory=IdempotencyKeys)


@dataclass
class Call:
    """One request on its way."""

    parts: Parts
    request: Request
    sleep: Sleep
    route: Route | None = None
    known_methods: frozenset[str] = frozenset()
    request_id: str = ""
    began: float = field(default_factory=time.monotonic)
    faults: dict[str, Fault] = field(default_factory=dict)
    headers: list[tuple[str, str]] = field(default_factory=list)

    def answer(self) -> Answer:
        """Answer and log.

        Raises:
            Cut: a fault ends the connection instead.
        """
        parts, request = self.parts, self.request
        self.route, request.params, self.known_methods = match(request.method, request.path)
        self.request_id = str(uuid.UUID(int=parts.random.getrandbits(128), version=4))
        self.faults = {one.kind: one for one in parts.faults.take(request.method, request.path)}
        concurrency = self.route.concurrency if self.route else "OAuth"
        answer: Answer | None = None
        parts.limits.enter("all", concurrency)
        try:
            answer = self._at_the_edge()
            self._finish_headers(answer)
            return answer
        finally:
            parts.limits.leave("all", concurrency)
            template = self.route.template if self.route else request.path
            parts.log.add(request, template, answer, at=parts.tenant.clock.now().isoformat(), faults=list(self.faults))

    def _finish_headers(self, answer: Answer) -> None:
        now = self.parts.tenant.clock.now()
        answer.headers += [
            *self.headers,
            ("Date", format_datetime(now, usegmt=True)),
            ("Zuora-Request-Id", self.request_id),
        ]
        track = self.request.header("zuora-track-id")
        if track and len(track) <= LONGEST_TRACK_ID and track.isascii() and not set(track) & set(":;\"'"):
            answer.headers.append(("Zuora-Track-Id", track))

    def _at_the_edge(self) -> Answer:
        """What stands before and behind Zuora itself: resets, pages of the edge, timeouts, lost answers."""
        if "reset" in self.faults:
            raise Cut(abrupt=True)
        if "html" in self.faults:
            return edge_page(self.faults["html"].status, "Service Unavailable")
        answer = self._inside()
        if "drop" in self.faults:
            raise Cut(abrupt=False)
        if "timeout" in self.faults:
            self.sleep(self.faults["timeout"].seconds)
            return edge_page(504, "Gateway Time-out")
        if "empty" in self.faults:
            return Answer(status=200, body=b"")
        return answer

    def _inside(self) -> Answer:
        request, tenant = self.request, self.parts.tenant
        if request.path == "/oauth/token":
            return self._token()
        request.version = version_number(request.header("zuora-version") or tenant.switches.api_version)
        if self.route is None and not self.known_methods:
            return json_answer(NO_ROUTE, 404)
        with tenant.mutex:
            if "revoked" in self.faults:
                oauth.revoke_all(tenant)
            alive = oauth.authorized(tenant, request)
            if run_due(tenant):
                self._tell(tenant)
        if not alive:
            return self._refuse(Refusal(Kind.AUTHENTICATION, "Authentication error"))
        over = self._over_limit()
        if over is not None:
            return self._refuse(over)
        if self.route is None:
            self.headers.append(("Allow", ", ".join(sorted(self.known_methods))))
            return self._refuse(Refusal(Kind.METHOD, f"Request method '{request.method}' not supported"))
        return self._keyed(self.route)

    def _refuse(self, refusal: Refusal) -> Answer:
        return refused(
            refusal,
            family=family_of(self.request.path),
            version=self.request.version,
            resource=self.route.resource if self.route else 500_000,
            switches=self.parts.tenant.switches,
            request_id=self.request_id,
        )

    def _token(self) -> Answer:
        tenant = self.parts.tenant
        if self.request.method != "POST":
            return json_answer({"message": "Method not allowed"}, 405)
        fits, wait, _ = self.parts.limits.check_rate(
            "AUTH", tenant.switches.auth_rate_limits, tenant.clock.now().timestamp()
        )
        if not fits:
            self.headers.append(("Retry-After", str(wait)))
            return json_answer({"message": "Too many requests"}, 429)
        with tenant.mutex, tenant.store.transaction():
            return oauth.create_token(tenant, self.parts.clients, self.request)

    def _over_limit(self) -> Refusal | None:
        """Count the call against rate and concurrency; the headers say what remains."""
        parts, route = self.parts, self.route
        switches, now = parts.tenant.switches, parts.tenant.clock.now().timestamp()
        fits, wait, headers = parts.limits.check_rate("API", switches.rate_limits, now)
        free = True
        if route and self.request.path.startswith(("/v1", "/object-query")):
            free, more = parts.limits.check_concurrency(route.concurrency, switches)
            headers = headers + more
        self.headers += headers
        if "limit" in self.faults:
            fits, wait = False, int(self.faults["limit"].seconds)
        if fits and free:
            return None
        self.headers.append(("Retry-After", str(wait if not fits else 1)))
        return Refusal(Kind.LIMIT, "Request exceeded limit, please retry later.")

    def _keyed(self, route: Route) -> Answer:
        key = self.request.header("idempotency-key")
        if not key:
            return self._run(route, None)
        keys, tenant = self.parts.keys, self.parts.tenant
        with tenant.mutex:
            settled = keys.begin(tenant, self.request, key)
        if settled is not None:
            return settled
        try:
            return self._run(route, key if self.request.method in ("POST", "PATCH") else None)
        finally:
            keys.abandon(key)

    def _run(self, route: Route, key: str | None) -> Answer:
        """Do the work; a refusal is kept under the key as a success is."""
        try:
            return self._locked(route, key)
        except Refusal as refusal:
            answer = self._refuse(refusal)
        except Exception:
            logger.exception("The stand-in failed on %s %s", self.request.method, self.request.path)
            answer = self._refuse(Refusal(Kind.INTERNAL, "An unexpected error occurred. Please contact support."))
        if key is not None:
            with self.parts.tenant.mutex:
                self.parts.keys.finish(self.parts.tenant, self.request, key, answer)
        return answer

    def _locked(self, route: Route, key: str | None) -> Answer:
        """Work with the written accounts held; a delay holds them longer, so that others meet the lock."""
        tenant, delay, latency = self.parts.tenant, self.faults.get("delay"), self.faults.get("latency")
        self._strike()
        if route.writes and not tenant.switches.api_write and self.request.path not in QUERIES:
            raise Refusal(Kind.PERMISSION, "The user has no API write permission.")
        with tenant.mutex:
            held = route.accounts(tenant, self.request) if route.accounts else []
        with tenant.holding(held):
            if delay and not delay.after:
                self.sleep(delay.seconds)
            with tenant.mutex:
                answer = self._transacted(route, key)
            if delay and delay.after:
                self.sleep(delay.seconds)
            if latency:
                self.sleep(max(0.0, latency.seconds - (time.monotonic() - self.began)))
        return answer

    def _strike(self) -> None:
        if "lock" in self.faults:
            raise Refusal(Kind.LOCKED, "Operation failed due to a lock competition, please retry later.")
        if "unsuccessful" in self.faults:
            raise Refusal(Kind.TEMPORARY, "Temporary error, please retry later.")
        if "status" in self.faults:
            raise Refusal(Kind.INTERNAL, "An internal error occurred.", status=self.faults["status"].status)

    def _transacted(self, route: Route, key: str | None) -> Answer:
        """Work and idempotency record are kept together or not at all; callouts follow what is kept."""
        tenant = self.parts.tenant
        tenant.events.clear()
        with tenant.store.transaction():
            result = route.handler(tenant, self.request)
            answer = result if isinstance(result, Answer) else json_answer(result)
            if key is not None:
                self.parts.keys.finish(tenant, self.request, key, answer)
        self._tell(tenant)
        return answer

    def _tell(self, tenant: Tenant) -> None:
        """Callouts follow what is kept, if anybody has asked for them."""
        callouts = self.parts.callouts
        if tenant.store.count("NotificationDefinition"):
            callouts.take(tenant.events, tenant.store.last_changes)
        for row in tenant.resend:
            callouts.resend(row)
        tenant.resend.clear()
        callouts.wake()
