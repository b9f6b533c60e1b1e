"""How fast an application provisions customers and subscriptions by HTTP: `python -m tests.bench.rest`.

granian processes stand in front of a real PostgreSQL and a real Redis, all on this machine beside the load; Zuora is
connected, so that each save stores its job and rings for it, and no worker runs, so that nothing else is measured.
Beside it, in the same run, stands the bound: as many by the same verbs in one process, without HTTP.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.report import table
from tests.bench.web import Request, Result, environment_of, result, run_program, send, serving, stop_in_order
from tests.servers import postgres, redis_server

_ROWS = "tests.bench.rest_rows"


def customer(number: int) -> dict[str, Any]:
    """Return what an application sends of a customer."""
    return {
        "id": f"customer-{number}",
        "name": f"Customer {number}",
        "email": f"customer-{number}@billing.example",
        "metadata": {"region": "emea"},
        "passthrough": {
            "zuora": {
                "currency": "eur",
                "billingAddress": {"line1": "Weg 1", "city": "Berlin", "postalCode": "10115", "country": "DE"},
            }
        },
    }


def subscription(number: int) -> dict[str, Any]:
    """Return what an application sends of a subscription."""
    return {
        "id": f"subscription-{number}",
        "customerId": f"customer-{number}",
        "planId": "pro",
        "billingPeriod": "MONTHLY",
    }


def _posts(path: str, bodies: list[dict[str, Any]]) -> list[Request]:
    return [("POST", path, json.dumps(body).encode()) for body in bodies]


def run(*, count: int = 1000, connections: int = 2, workers: int = 2) -> list[Result]:
    """All cases of the benchmark; customers and subscriptions from `count` on are made before, to warm up."""
    with tempfile.TemporaryDirectory(prefix="rest-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with postgres(directory / "postgres") as database_url, redis_server(directory / "redis") as redis_url:
            environment = {**environment_of(directory, database_url), "REDIS_URL": redis_url}
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            run_program(environment, "-m", _ROWS, "prepare")
            token = run_program(environment, "manage.py", "api_key", "create", "Benchmark")
            with serving(directory / "web.log", environment, workers=workers) as server:
                found = _measure(server.port, token, count=count, connections=connections)
            seconds = json.loads(run_program(environment, "-m", _ROWS, "direct", count))
            return [*found, *(_bound(case, count, *times) for case, times in seconds.items())]


def _measure(port: int, token: str, *, count: int, connections: int) -> list[Result]:
    warm = range(count, count + 50)
    for path, make in (("/api/v1/customers", customer), ("/api/v1/subscriptions", subscription)):
        send(port, token, _posts(path, [make(number) for number in warm]), connections=connections)
    cases: list[tuple[str, list[Request]]] = [
        ("customers provisioned", _posts("/api/v1/customers", [customer(n) for n in range(count)])),
        ("subscriptions provisioned", _posts("/api/v1/subscriptions", [subscription(n) for n in range(count)])),
        ("customers provisioned again, unchanged", _posts("/api/v1/customers", [customer(n) for n in range(count)])),
        ("subscriptions read", [("GET", f"/api/v1/subscriptions/subscription-{n}", b"") for n in range(count)]),
        ("pages of 100 customers", [("GET", "/api/v1/customers?limit=100", b"")] * (count // 10)),
    ]
    return [
        result(f"{case}, {connections} connections", len(asked), *send(port, token, asked, connections=connections))
        for case, asked in cases
    ]


def _bound(case: str, count: int, seconds: float, times: list[float]) -> Result:
    return result(f"{case} in one process, without HTTP (the bound)", count, seconds, times)


def rest_table(results: list[Result]) -> str:
    """Return the results as a table."""
    head = ["By HTTP", "requests", "per second", "p50 ms", "p95 ms"]
    return table(head, ([one.case, one.events, one.per_second, one.median_ms, one.p95_ms] for one in results)) + "\n"


def main() -> None:
    stop_in_order()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="customers, each with a subscription (1000)")
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="web server processes (2)")
    options = parser.parse_args()
    results = run(count=options.count, connections=options.connections, workers=options.workers)
    print(rest_table(results))
    print(json.dumps([asdict(one) for one in results]))


if __name__ == "__main__":
    main()
