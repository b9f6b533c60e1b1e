"""The stand-in in process, behind whatever address and credentials somebody types into a form."""

import pytest

from integrations import connecting
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.client import Client, new_session
from integrations.zuora.standin.app import StandIn
from tests.standin_transport import WSGIAdapter


def open_tenant(app: StandIn, *, secret: str = "demo-secret") -> Client:  # noqa: S107 - the stand-in's own
    """Return a client of the stand-in, with a right or a wrong secret."""
    session = new_session()
    session.mount("https://", WSGIAdapter(app))
    return Client(
        Credentials("https://rest.test.zuora.com", "demo-client", secret), tokens=MemoryTokenStore(), session=session
    )


def put_behind_forms(app: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection that somebody makes or tests lead to the stand-in."""

    def client_with(*, rest_url: str, client_id: str, client_secret: str) -> Client:
        del rest_url, client_id
        return open_tenant(app, secret=client_secret)

    monkeypatch.setattr(connecting, "client_with", client_with)
