"""The stand-in as one WSGI application."""

from __future__ import annotations

import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin import control, oauth
from integrations.zuora.standin.callouts import Callouts
from integrations.zuora.standin.clock import Clock
from integrations.zuora.standin.faults import Faults
from integrations.zuora.standin.journal import FileJournal
from integrations.zuora.standin.limits import Limits
from integrations.zuora.standin.pages import views as pages
from integrations.zuora.standin.pipeline import Call, Cut, Parts, Sleep
from integrations.zuora.standin.request_log import RequestLog
from integrations.zuora.standin.switches import Switches
from integrations.zuora.standin.tenant import Tenant
from integrations.zuora.standin.wire import Answer, Request, compressed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

__all__ = ["Cut", "StandIn", "create_app"]
PHRASES = {one.value: one.phrase for one in HTTPStatus}


class StandIn:
    """A Zuora tenant behind HTTP: call it as a WSGI application, or drive it by `control`.

    The WSGI call raises `Cut` where a fault ends the connection; the server then closes it without a word. A server
    or test may put its own `standin.sleep` into the environment, which is called with the seconds of a delay.
    """

    def __init__(self, parts: Parts, journal: FileJournal | None) -> None:
        self.parts = parts
        self.journal = journal
        self.control = control.Control(parts, journal)

    @property
    def tenant(self) -> Tenant:
        return self.parts.tenant

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = request_of(environ)
        answer = self.handle(request, environ.get("standin.sleep", time.sleep))
        answer = compressed(answer, request.header("accept-encoding"))
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
        start_response(f"{answer.status} {PHRASES.get(answer.status, 'Unknown')}", headers)
        return [answer.body]

    def handle(self, request: Request, sleep: Sleep = time.sleep) -> Answer:
        """Answer one request.

        Raises:
            Cut: a fault ends the connection instead.
        """
        if request.path.startswith(control.PREFIX):
            return control.handle(self.control, request)
        if pages.is_page(request.path):
            return pages.show(self.tenant, request)
        return Call(self.parts, request, sleep).answer()

    def close(self) -> None:
        """Stop delivering callouts and let go of the data file."""
        self.parts.callouts.close()
        if self.journal is not None:
            self.journal.close()


def request_of(environ: dict[str, Any]) -> Request:
    """The request that a WSGI environment tells; `RAW_URI` is preferred, as a key may hold an encoded slash."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    length = environ.get("CONTENT_LENGTH") or ""
    body = environ["wsgi.input"].read(int(length)) if length.isdigit() else b""
    host = headers.get("host") or f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=str(environ.get("RAW_URI") or environ.get("PATH_INFO", "/")).partition("?")[0],
        query_string=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
        origin=f"{environ.get('wsgi.url_scheme', 'http')}://{host}",
        remote=environ.get("REMOTE_ADDR", ""),
    )


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
    tenant = Tenant(clock=Clock(start=start), switches=Switches().changed(switches or {}), seed=seed)
    faults = Faults(seed)
    journal = None
    if data is not None:
        journal = FileJournal(data)
        journal.fill(tenant.store)
    parts = Parts(
        clients=clients if clients is not None else dict(oauth.DEFAULT_CLIENTS),
        tenant=tenant,
        faults=faults,
        limits=Limits(),
        log=RequestLog(keep_log),
        callouts=Callouts(tenant, faults),
        random=random.Random(seed),  # noqa: S311 - request ids, repeatable
    )
    return StandIn(parts, journal)
