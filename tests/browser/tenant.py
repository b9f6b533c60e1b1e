"""A local Zuora on a port, for the time of a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.utils import timezone
from pytest_django import Settings

from integrations.models import Connection, Operation
from integrations.zuora.standin.app import StandIn, create_app
from integrations.zuora.tenant import client_for
from tests.integrations.conftest import World


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: a test's output is its failures."""


@dataclass
class Tenant:
    """A local Zuora on a port, and the worker that pushes to it when told."""

    app: StandIn
    address: str

    def work(self) -> None:
        """Do what workers would: all that waits, until nothing does."""
        made = Connection.objects.get()
        world = World(self.app, made, client_for(made), now=timezone.now())
        for operation in Operation.objects.filter(state="WAITING"):
            world.work(operation)
        world.settle()


@contextmanager
def tenant_on_a_port(settings: Settings) -> Iterator[Tenant]:
    """Serve a local Zuora that may be connected."""
    app = create_app(seed=1)
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        settings.ZUORA_EXTRA_HOSTS = [address]
        yield Tenant(app, address)
        server.shutdown()
        thread.join()
    app.close()
