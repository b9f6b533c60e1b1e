"""How fast an import from Stigg is, and what memory it takes: `python -m tests.bench.importing --customers 2000`.

The command runs in a process of its own, on an empty PostgreSQL, from a cheap Stigg on the loopback: N customers with a
subscription each, the same again, where nothing is saved, and 2N into another database: the memory must stay flat.
No tenant is connected: what is measured is reading and writing.
"""

import argparse
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.report import import_table
from tests.bench.web import run_program, stop_in_order
from tests.servers import die_with_parent, postgres, redis_server

ROOT = Path(__file__).resolve().parents[2]
_COUNT = re.compile(r"^(\d+) (\w+) (created|updated|unchanged|skipped)$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One run of the command; `processor_seconds` are the command's own, without database and Stigg."""

    case: str
    rows: int
    saved: int
    seconds: float
    per_second: int
    processor_seconds: float
    peak_mb: int


@contextmanager
def _stigg(customers: int) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [sys.executable, "-m", "tests.bench.stigg_cloud", str(port), str(customers)]
    process = subprocess.Popen(arguments, cwd=ROOT, preexec_fn=die_with_parent)  # noqa: S603, PLW1509 - our own program
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _import(case: str, environment: Mapping[str, str], *options: str) -> Result:
    began = time.monotonic()
    command = [sys.executable, "manage.py", "import_stigg", *options]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=ROOT,
            env=environment,
            stdout=said,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it takes no lock
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        said.seek(0)
        counts = _COUNT.findall(said.read())
    if process.returncode:
        raise RuntimeError(f"The import ended with {process.returncode}: {counts}")
    rows = sum(int(count) for count, _, _ in counts)
    saved = sum(int(count) for count, _, what in counts if what in {"created", "updated"})
    processor = used.ru_utime + used.ru_stime
    return Result(
        case, rows, saved, round(seconds, 1), round(rows / seconds), round(processor, 1), used.ru_maxrss // 1024
    )


def run(*, customers: int) -> list[Result]:
    """Import three times, and return what each took."""
    results = []
    for many in (customers, 2 * customers):
        with tempfile.TemporaryDirectory(prefix="szi-") as name, _stigg(many) as url:
            directory = Path(name)
            directory.chmod(0o755)  # PostgreSQL may run as another user
            (directory / "key").write_text("server-made-up")
            with postgres(directory / "postgres") as database_url, redis_server(directory / "redis") as redis_url:
                environment = {
                    **os.environ,
                    "DATABASE_URL": database_url,
                    "DJANGO_SETTINGS_MODULE": "stigg_zuora.settings",
                    "ENCRYPTION_KEYS": "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ=",
                    "LOG_LEVEL": "ERROR",
                    "REDIS_URL": redis_url,
                    "SECRET_KEY": secrets.token_urlsafe(64),
                    "STIGG_CALLS_PER_MINUTE": "1000000",
                    "STIGG_EXTRA_HOSTS": url,
                    "VAR_DIR": name,
                }
                run_program(environment, "manage.py", "migrate", "--verbosity=0")
                account = ("--url", url, "--api-key-file", str(directory / "key"))
                results.append(_import(f"{many:,} customers with a subscription, all new", environment, *account))
                if many == customers:
                    results.append(_import(f"{many:,} once more, nothing has changed", environment))
    return results


def main() -> None:
    stop_in_order()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.importing", description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000, help="up to 100,000 (%(default)s)")
    results = [asdict(one) for one in run(customers=parser.parse_args().customers)]
    print(import_table(results))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
