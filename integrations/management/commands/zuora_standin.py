"""`manage.py zuora_standin`: a local Zuora on a port."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from integrations.zuora.standin.app import create_app
from integrations.zuora.standin.journal import DataFileError
from integrations.zuora.standin.oauth import DEFAULT_CLIENTS
from integrations.zuora.standin.server import Server

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

DEFAULT_PORT = 8090


class Command(BaseCommand):
    help = "Run a local Zuora that keeps state and answers in Zuora's own shapes, until it is stopped."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=int, default=DEFAULT_PORT, help=f"port to listen on; 0 takes a free one ({DEFAULT_PORT})"
        )
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--data", type=Path, help="file that keeps the state; without it nothing survives")
        parser.add_argument("--seed", type=int, default=0, help="of ids and of chance (0)")
        parser.add_argument("--api-version", default="2025-08-12", help="the tenant's API minor version (2025-08-12)")
        parser.add_argument("--client-id", help="OAuth client id (demo-client)")
        parser.add_argument("--client-secret", help="OAuth client secret (demo-secret)")

    def handle(self, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            CommandError: the port is taken, or the data file cannot be used.
        """
        try:
            app = create_app(
                data=options["data"],
                seed=options["seed"],
                clients=_clients(options["client_id"], options["client_secret"]),
                switches={"api_version": options["api_version"]},
            )
        except DataFileError as wrong:
            raise CommandError(str(wrong)) from wrong
        try:
            server = Server(app, options["host"], options["port"])
        except (OSError, OverflowError) as wrong:
            app.close()
            reason = os.strerror(wrong.errno) if isinstance(wrong, OSError) and wrong.errno else wrong
            raise CommandError(f"Cannot listen on {options['host']}:{options['port']}: {reason}.") from wrong
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        self.stdout.write(f"Zuora stand-in at {server.url}")
        self.stdout.flush()
        try:
            server.serve()
        finally:
            app.close()


def _clients(client_id: str | None, secret: str | None) -> dict[str, str]:
    if client_id is None and secret is None:
        return dict(DEFAULT_CLIENTS)
    if not client_id or not secret:
        raise CommandError("--client-id and --client-secret belong together.")
    return {client_id: secret}
