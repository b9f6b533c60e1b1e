"""How long the console's pages take with a million customers: `python -m tests.bench.pages`.

Fills a PostgreSQL of its own with customers, a record of each, and a fifth as many subscriptions, with usage, requests
and an audit log, then asks for each variant of each page many times over, in the process: what is measured is the
server's time, from the request to the last byte, without a network. `--explain` prints PostgreSQL's plans of what took
long.
"""

import argparse
import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.report import pages_table
from tests.bench.web import run_program, stop_in_order
from tests.servers import postgres

#: What a list page may take.
LIMIT_MS = 150
ROOT = Path(__file__).resolve().parents[2]


def run(*, customers: int, repeats: int = 20, explain: bool = False, only: str = "") -> dict[str, Any]:
    """Fill a database of its own, and measure every page; milliseconds."""
    with tempfile.TemporaryDirectory(prefix="szp-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with postgres(directory / "postgres") as database_url:
            environment = {
                **os.environ,
                "DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "stigg_zuora.settings",
                "ENCRYPTION_KEYS": "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ=",
                "LOG_LEVEL": "ERROR",
                "SECRET_KEY": secrets.token_urlsafe(64),
                "VAR_DIR": name,
            }
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            options = json.dumps({"customers": customers, "repeats": repeats, "explain": explain, "only": only})
            asked = run_program(environment, "-m", "tests.bench.pages_asked", options)
            found: dict[str, Any] = json.loads(asked.splitlines()[-1])
            return found


@contextmanager
def stopwatch(seconds: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)


def figures(seconds: list[float]) -> dict[str, float]:
    """Return the fastest, the median and the slowest twentieth, in milliseconds."""
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return {
        "best_ms": round(min(seconds) * 1000, 1),
        "p50_ms": round(statistics.median(seconds) * 1000, 1),
        "p95_ms": round(p95 * 1000, 1),
    }


def main() -> None:
    stop_in_order()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000, help="and as many records (%(default)s)")
    parser.add_argument("--repeats", type=int, default=20, help="requests of each page (%(default)s)")
    parser.add_argument("--explain", action="store_true", help="print the plans of the slowest pages' queries")
    parser.add_argument("--only", default="", help="only pages whose names hold this")
    options = parser.parse_args()
    print(pages_table(run(**vars(options))))


if __name__ == "__main__":
    main()
