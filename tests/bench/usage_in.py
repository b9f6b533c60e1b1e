"""How fast usage comes in, and whether reading an hour stays fast: `python -m tests.bench.usage_in`.

Batches go through HTTP: granian processes in front of a real PostgreSQL, all on this machine beside the load. Bodies
are made before the clock starts. Beside it, in the same run, stands the bound: as many rows by one COPY into the same
table, with the same indexes. `--rows 1000000,10000000` fills the table up to each size and reads one hour of one
customer's feature at each; that takes minutes and some gigabytes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import usage_table
from tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS, FEATURES = 50, 4
START = datetime(2026, 3, 1, tzinfo=UTC)
_TABLE = "tests.bench.usage_table"


@dataclass(frozen=True)
class Result:
    """One row: events a second where many were sent; milliseconds of one request, or of one reading."""

    case: str
    events: int
    per_second: int | None
    median_ms: float
    p95_ms: float


def _environment(directory: Path, database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "stigg_zuora.settings",
        "ENCRYPTION_KEYS": "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ=",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "VAR_DIR": str(directory),
    }


def _run(environment: Mapping[str, str], *command: object) -> str:
    """Run one of our own programs and return what it prints."""
    arguments = [sys.executable, *(str(part) for part in command)]
    done = subprocess.run(arguments, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return done.stdout.strip()


@contextmanager
def _serving(log: Path, environment: Mapping[str, str], *, workers: int) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    arguments = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--workers", str(workers), "--blocking-threads", "2", "--no-ws", "--no-access-log"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own server
            [*arguments, "stigg_zuora.wsgi:application"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        _wait(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"The web server did not start:\n{log.read_text()[-2000:]}")


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
            _result("/api/v1/usage in hundreds, 1 connection", 500 * self._batches, seconds, times),
        ]

    def thousands(self, kind: str, case: str) -> Result:
        bodies = _bodies(kind, batch=1000, batches=self._batches)
        path = "/api/v1/usage" if kind == "usages" else "/api/v1/events"
        seconds, times = self._send(path, bodies, self._connections)
        return _result(f"{case}, {self._connections} connections", 1000 * self._batches, seconds, times)

    def _send(self, path: str, bodies: Sequence[bytes], connections: int) -> tuple[float, list[float]]:
        """Send all bodies, over so many connections at once; return the seconds in all and of each request."""
        times: list[float] = []
        failed: list[bytes] = []
        headers = {"X-API-KEY": self._token, "Content-Type": "application/json"}

        def work(share: Sequence[bytes]) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port)
            for body in share:
                before = time.perf_counter()
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                text = answer.read()
                times.append(time.perf_counter() - before)
                if answer.status not in {200, 201}:
                    failed.append(text)
            connection.close()

        threads = [threading.Thread(target=work, args=(bodies[n::connections],)) for n in range(connections)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise RuntimeError(f"{len(failed)} requests failed, the first with {failed[0]!r}")
        return time.perf_counter() - started, times


def _result(case: str, events: int, seconds: float | None, times: Sequence[float]) -> Result:
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    rate = round(events / seconds) if seconds else None
    return Result(case, events, rate, round(statistics.median(times) * 1000, 2), round(p95 * 1000, 2))


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
            environment = _environment(directory, database_url)
            _run(environment, "manage.py", "migrate", "--verbosity=0")
            _run(environment, "-m", _TABLE, "prepare")
            token = _run(environment, "manage.py", "api_key", "create", "Benchmark", "--scope", "USAGE")
            with _serving(directory / "web.log", environment, workers=workers) as port:
                load = Load(port, token, batches=batches, connections=connections)
                load.warm_up()
                results += load.measure()
                found = json.loads(_run(environment, "-m", _TABLE, "copy", 1000 * batches))
                results.append(_result("as many rows by one COPY (the bound)", 1000 * batches, *found))
                for size in sizes:
                    found = json.loads(_run(environment, "-m", _TABLE, "read", size))
                    case = f"reading one hour, {size:,} stored"
                    results.append(_result(case, found["events"], None, found["seconds"]))
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
