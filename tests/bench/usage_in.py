"""How fast usage comes in, and whether reading an hour stays fast: `python -m tests.bench.usage_in`.

Batches go through HTTP: granian processes in front of a real PostgreSQL, all on this machine beside the load. Bodies
are made before the clock starts. Beside it, in the same run, stands the bound: as many rows by one COPY into the same
table, with the same indexes. `--rows 1000000,10000000` fills the table up to each size and reads one hour of one
customer's feature at each; that takes minutes and some gigabytes.
"""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import usage_table
from tests.bench.web import Result, environment_of, result, run_program, send, serving
from tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class Load:
    """Sends batches to a server, over connections that stay open."""

    def __init__(self, port: int, token: str, *, batches: int, connections: int) -> None:
        self._port, self._token = port, token
        self._batches, self._connections = batches, connections

    def warm_up(self) -> None:
        self._send("/api/v1/usage", _bodies("usages", batch=100, batches=20), self._connections)

    def measure(self) -> list[Result]:
        hundreds = _bodies("usages", batch=100, batches=5 * self._batches)
        seconds, times = self._send("/api/v1/usage", hundreds, 1)
        return [
            self.thousands("usages", "/api/v1/usage in thousands"),
            self.thousands("events", "/api/v1/events in thousands"),
            result("/api/v1/usage in hundreds, 1 connection", 500 * self._batches, seconds, times),
        ]

    def thousands(self, kind: str, case: str) -> Result:
        bodies = _bodies(kind, batch=1000, batches=self._batches)
        path = "/api/v1/usage" if kind == "usages" else "/api/v1/events"
        seconds, times = self._send(path, bodies, self._connections)
        return result(f"{case}, {self._connections} connections", 1000 * self._batches, seconds, times)

    def _send(self, path: str, bodies: Sequence[bytes], connections: int) -> tuple[float, list[float]]:
        return send(self._port, self._token, [("POST", path, body) for body in bodies], connections=connections)


def run(
    *, batches: int = 60, connections: int = 2, workers: int = 2, sizes: Sequence[int] = ()
) -> tuple[list[Result], dict[int, str]]:
    """All cases of the benchmark; and PostgreSQL's plan of reading an hour, per size."""
    results: list[Result] = []
    plans: dict[int, str] = {}
    with tempfile.TemporaryDirectory(prefix="usage-in-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with postgres(directory / "postgres") as database_url:
            environment = environment_of(directory, database_url)
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            run_program(environment, "-m", _TABLE, "prepare")
            token = run_program(environment, "manage.py", "api_key", "create", "Benchmark", "--scope", "USAGE")
            with serving(directory / "web.log", environment, workers=workers) as port:
                load = Load(port, token, batches=batches, connections=connections)
                load.warm_up()
                results += load.measure()
                found = json.loads(run_program(environment, "-m", _TABLE, "copy", 1000 * batches))
                results.append(result("as many rows by one COPY (the bound)", 1000 * batches, *found))
                for size in sizes:
                    found = json.loads(run_program(environment, "-m", _TABLE, "read", size))
                    case = f"reading one hour, {size:,} stored"
                    results.append(result(case, found["events"], None, found["seconds"]))
                    plans[size] = found["plan"]
                    results.append(load.thousands("usages", f"/api/v1/usage in thousands, {size:,} stored"))
    return results, plans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=60, help="of a thousand (60)")
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="web server processes (2)")
    parser.add_argument("--rows", default="", help="sizes of the table at which one hour is read: 1000000,10000000")
    parser.add_argument("--json", action="store_true", help="JSON only")
    options = parser.parse_args()
    sizes = [int(size) for size in options.rows.split(",") if size]
    results, plans = run(batches=options.batches, connections=options.connections, workers=options.workers, sizes=sizes)
    if not options.json:
        print(usage_table([asdict(one) for one in results]))
        for size, plan in plans.items():
            print(f"\nReading one hour of {size:,} events:\n{plan}")
    print(json.dumps([asdict(one) for one in results]))


if __name__ == "__main__":
    main()
