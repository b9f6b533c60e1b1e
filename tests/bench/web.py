"""A deployment's web server under load: granian processes in front of a real PostgreSQL, and connections to them."""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
#: Nobody is slowed down who measures how fast it is.
UNLIMITED = {f"API_LIMIT_{name}": "0" for name in ("WRITE", "READ", "LIST", "COUPON", "USAGE", "HISTORY")}
#: A request: method, path and body.
Request = tuple[str, str, bytes]


@dataclass(frozen=True)
class Serving:
    """A web server that runs."""

    port: int
    pid: int


@dataclass(frozen=True)
class Result:
    """One row: events or requests a second where many were sent; milliseconds of one request, or of one reading.

    `cpu_ms` is the processor time that a thousand events cost, by who used it.
    """

    case: str
    events: int
    per_second: int | None
    median_ms: float
    p95_ms: float
    cpu_ms: Mapping[str, float] = field(default_factory=dict)


def environment_of(directory: Path, database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "stigg_zuora.settings",
        "ENCRYPTION_KEYS": "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ=",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": secrets.token_urlsafe(64),
        **UNLIMITED,
        "VAR_DIR": str(directory),
    }


def run_program(environment: Mapping[str, str], *command: object) -> str:
    """Run one of our own programs and return what it prints."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *(str(part) for part in command)],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    )
    return done.stdout.strip()


def stop_in_order() -> None:
    """Let SIGTERM end what was started, and leave nothing in the file system."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not come between
        sys.exit("Stopped.")

    signal.signal(signal.SIGTERM, stop)


@contextmanager
def serving(log: Path, environment: Mapping[str, str], *, workers: int) -> Iterator[Serving]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    arguments = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--workers", str(workers), "--blocking-threads", "2", "--no-ws", "--no-access-log"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own server
            [*arguments, "stigg_zuora.wsgi:application"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509 - as above
        )
    try:
        _wait(port, process, log)
        yield Serving(port, process.pid)
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


def send(port: int, token: str, requests: Sequence[Request], *, connections: int) -> tuple[float, list[float]]:
    """Send all requests, over so many connections at once; return the seconds in all and of each request."""
    times: list[float] = []
    failed: list[bytes] = []
    headers = {"X-API-KEY": token, "Content-Type": "application/json"}

    def work(share: Sequence[Request]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for method, path, body in share:
            before = time.perf_counter()
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read()
            times.append(time.perf_counter() - before)
            if answer.status not in {200, 201}:
                failed.append(text)
        connection.close()

    threads = [threading.Thread(target=work, args=(requests[n::connections],)) for n in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError(f"{len(failed)} requests failed, the first with {failed[0]!r}")
    return time.perf_counter() - started, times


def result(case: str, events: int, seconds: float | None, times: Sequence[float]) -> Result:
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    rate = round(events / seconds) if seconds else None
    return Result(case, events, rate, round(statistics.median(times) * 1000, 2), round(p95 * 1000, 2))
