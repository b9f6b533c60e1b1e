"""How fast usage comes in: `python -m tests.bench.usage_in`.

Batches go through HTTP: granian processes in front of a real PostgreSQL, all on this machine beside the load. Bodies
are made before the clock starts. Beside it, in the same run, stands the bound: as many rows by one COPY into the same
table, with the same indexes.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.consumption import family_cpu_seconds
from tests.bench.report import usage_table
from tests.bench.web import Request, Result, environment_of, result, run_program, send, serving, stop_in_order
from tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CUSTOMERS, FEATURES = 50, 4
START = datetime(2026, 3, 1, tzinfo=UTC)
_TABLE = "tests.bench.usage_table"


def usage(number: int) -> dict[str, Any]:
    return {
        "customerId": f"customer-{number % CUSTOMERS}",
        "featureId": f"feature-{number % FEATURES}",
        "value": number % 97 + 0.25,
        "idempotencyKey": secrets.token_hex(16),
        "createdAt": (START + timedelta(milliseconds=number)).isoformat(),
    }


def _event(number: int) -> dict[str, Any]:
    return {
        "customerId": f"customer-{number % CUSTOMERS}",
        "eventName": "upload",
        "idempotencyKey": secrets.token_hex(16),
        "timestamp": (START + timedelta(milliseconds=number)).isoformat(),
        "dimensions": {"region": "emea", "size": number % 97 + 0.25},
    }


def _bodies(kind: str, *, batch: int, batches: int) -> list[bytes]:
    make = usage if kind == "usages" else _event
    return [json.dumps({kind: [make(number * batch + i) for i in range(batch)]}).encode() for number in range(batches)]


@dataclass(frozen=True)
class Servers:
    """Who works for the load: the processor time that each has used."""

    web: int
    database: int

    def used(self) -> dict[str, float]:
        return {"web": family_cpu_seconds(self.web), "database": family_cpu_seconds(self.database)}

    def since(self, before: Mapping[str, float], *, events: int) -> dict[str, float]:
        """Return the milliseconds that a thousand of so many events took."""
        return {who: round((seconds - before[who]) * 1e6 / events, 1) for who, seconds in self.used().items()}


class Load:
    """Sends batches to a server, over connections that stay open."""

    def __init__(self, port: int, token: str, servers: Servers, *, batches: int, connections: int) -> None:
        self._port, self._token, self._servers = port, token, servers
        self._batches, self._connections = batches, connections

    def warm_up(self) -> None:
        bodies = _bodies("usages", batch=100, batches=20)
        send(self._port, self._token, _posts("/api/v1/usage", bodies), connections=self._connections)

    def measure(self) -> list[Result]:
        hundreds = _bodies("usages", batch=100, batches=5 * self._batches)
        return [
            self.thousands("usages", "/api/v1/usage in thousands"),
            self.thousands("events", "/api/v1/events in thousands"),
            self._send("/api/v1/usage in hundreds", "/api/v1/usage", hundreds, batch=100, connections=1),
        ]

    def thousands(self, kind: str, case: str) -> Result:
        bodies = _bodies(kind, batch=1000, batches=self._batches)
        path = "/api/v1/usage" if kind == "usages" else "/api/v1/events"
        return self._send(case, path, bodies, batch=1000, connections=self._connections)

    def _send(self, case: str, path: str, bodies: Sequence[bytes], *, batch: int, connections: int) -> Result:
        events, before = batch * len(bodies), self._servers.used()
        found = send(self._port, self._token, _posts(path, bodies), connections=connections)
        cost = self._servers.since(before, events=events)
        of = "1 connection" if connections == 1 else f"{connections} connections"
        return replace(result(f"{case}, {of}", events, *found), cpu_ms=cost)


def _posts(path: str, bodies: Sequence[bytes]) -> list[Request]:
    return [("POST", path, body) for body in bodies]


def run(*, batches: int = 60, connections: int = 2, workers: int = 2) -> list[Result]:
    """All cases of the benchmark."""
    with tempfile.TemporaryDirectory(prefix="usage-in-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with postgres(directory / "postgres") as database_url:
            environment = environment_of(directory, database_url)
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            run_program(environment, "-m", _TABLE, "prepare")
            token = run_program(environment, "manage.py", "api_key", "create", "Benchmark", "--scope", "USAGE")
            with serving(directory / "web.log", environment, workers=workers) as server:
                servers = Servers(server.pid, _server_of(directory / "postgres"))
                load = Load(server.port, token, servers, batches=batches, connections=connections)
                load.warm_up()
                return [*load.measure(), _bound(environment, servers, 1000 * batches)]


def _server_of(postgres: Path) -> int:
    return int((postgres / "data" / "postmaster.pid").read_text().split()[0])


def _bound(environment: Mapping[str, str], servers: Servers, rows: int) -> Result:
    before = servers.used()["database"]
    found = json.loads(run_program(environment, "-m", _TABLE, "copy", rows))
    cost = round((servers.used()["database"] - before) * 1e6 / rows, 1)
    return replace(result("as many rows by one COPY (the bound)", rows, *found), cpu_ms={"database": cost})


def main() -> None:
    stop_in_order()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=60, help="of a thousand (60)")
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="web server processes (2)")
    parser.add_argument("--json", action="store_true", help="JSON only")
    options = parser.parse_args()
    results = run(batches=options.batches, connections=options.connections, workers=options.workers)
    if not options.json:
        print(usage_table([asdict(one) for one in results]))
    print(json.dumps([asdict(one) for one in results]))


if __name__ == "__main__":
    main()
