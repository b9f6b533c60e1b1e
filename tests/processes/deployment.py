"""A deployment of real processes on this machine: a Redis of its own, the stand-in, workers, beat.

Every process is ended by its own pid. Whoever waits, waits for a condition, with a deadline; when it passes, the last
lines of every log are shown.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import redis
import requests

from integrations.models import Connection
from tests.processes.running import Running, free_port
from tests.servers import die_with_parent, redis_server

ROOT = Path(__file__).resolve().parents[2]
QUEUES = "click,usage,changes,backfill"
#: `manage.py zuora_standin` without Django's applications, of which it needs none: they take a second to be imported.
STANDIN = """
import sys
from integrations.management.commands.zuora_standin import Command
Command().run_from_argv(["manage.py", "zuora_standin", *sys.argv[1:]])
"""
START_SECONDS = 60.0
_POLL_SECONDS = 0.02
#: As long as Zuora's own: its SDK refuses shorter ones.
CLIENT_ID, CLIENT_SECRET = "00000000-made-up-for-tests-000000000", "made-up-for-tests-only"
CUSTOM_FIELDS = {
    "Product": ["stiggEntityUrl__c"],
    "Account": ["stiggEntityUrl__c", "stiggCustomerId__c"],
    "Subscription": ["stiggEntityUrl__c", "stiggCustomerId__c", "stiggResourceId__c"],
}

_ID = re.compile(r"/[0-9a-f]{32}$")
_ACCEPTED = range(200, 300)

T = TypeVar("T")


class TooLate(AssertionError):  # noqa: N818 - what the test has to say
    """A deadline passed; the text tells what was waited for and what the processes said last."""


class Deployment:
    """Processes around one database; leaving the `with` block ends all of them."""

    def __init__(
        self, directory: Path, *, database_url: str, redis_url: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        """Start nothing yet; without a Redis it needs `start_broker` first."""
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.database_url = database_url
        self.port = free_port()
        self.data = directory / "zuora.jsonl"
        self._more_environment = dict(environment or {})
        self._processes: list[Running] = []
        self._broker = ExitStack()
        self.beat: Running
        self.standin: Running
        self.redis_url = redis_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            # Each is the first of a group of its own: what it forked ends with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.popen.wait()
        self._broker.close()

    @property
    def rest_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the deployment is started with."""
        return {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "ZUORA_EXTRA_HOSTS": self.rest_url,
            "VAR_DIR": str(self.directory),
            "PYTHONUNBUFFERED": "1",
            "CELERY_SKIP_CHECKS": "1",  # Django's own, of every page: a third of what a worker or beat takes to start
            **self._more_environment,
        }

    # --- Processes --------------------------------------------------------------------------------------------------
    def start(self, name: str, arguments: Sequence[Any], **environment: str) -> Running:
        """Start a Python process of this deployment: `arguments` are what follows `python`."""
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, *map(str, arguments)],
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it takes no lock that a thread of ours could hold
                cwd=ROOT,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        running = Running(name, popen, log)
        self._processes = [one for one in self._processes if one.is_alive] + [running]
        return running

    def start_broker(self) -> None:
        """Start Redis, empty, at the address that it had before."""
        path = self.directory / "redis"
        (path / "redis.sock").unlink(missing_ok=True)  # a killed one leaves it behind
        self.redis_url = self._broker.enter_context(redis_server(path))

    def kill_broker(self) -> None:
        with redis.Redis.from_url(self.redis_url) as client:
            pid = int(client.info("server")["process_id"])
        os.kill(pid, signal.SIGKILL)
        self._broker.close()  # waits for it

    def start_standin(self) -> Running:
        """Start the stand-in with what its data file holds."""
        place = ["--port", self.port, "--data", self.data]
        client = ["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET]
        process = self.standin = self.start("standin", ["-c", STANDIN, *place, *client])

        def answers() -> bool:
            try:
                return self.control("GET", "counts") is not None
            except requests.ConnectionError:
                return False

        self.wait_until(answers, "the stand-in to answer", alive=[process], seconds=START_SECONDS)
        return process

    def start_worker(self, name: str = "worker", *, threads: int = 4, **environment: str) -> Running:
        """Start a Celery worker as in production; it is not waited for."""
        arguments = ["-m", "celery", "-A", "stigg_zuora", "worker", *worker_arguments(name, threads)]
        return self.start(name, arguments, **environment)

    def start_web(self, name: str = "web", **environment: str) -> str:
        """Start a web server as in production, wait until it answers, and return its address."""
        port = free_port()
        arguments = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", port, "--workers", "1"]
        program = [*arguments, "--blocking-threads", "2", "--no-ws", "stigg_zuora.wsgi:application"]
        process = self.start(name, program, **environment)
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return requests.get(f"{address}/healthz", timeout=30).ok
            except requests.ConnectionError:
                return False

        self.wait_until(answers, f"{name} to answer", alive=[process], seconds=START_SECONDS)
        return address

    def start_beat(self) -> Running:
        schedule = self.directory / "beat"
        self.beat = self.start("beat", ["-m", "celery", "-A", "stigg_zuora", "beat", "-s", schedule, "--pidfile="])
        return self.beat

    # --- The stand-in -----------------------------------------------------------------------------------------------
    def control(self, method: str, verb: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Use the stand-in's control API."""
        answer = requests.request(method, f"{self.rest_url}/standin/{verb}", json=body, params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def fault(self, kind: str, **members: Any) -> None:
        self.control("POST", "faults", {"kind": kind, **members})

    def faults_left(self, path: str = "") -> int:
        """Return how many faults are in force, of all or of one path: one with `times` goes when it struck so often."""
        faults = self.control("GET", "faults")["faults"]
        return sum(one["path"] == path for one in faults) if path else len(faults)

    def requests(self, last: int = 20_000) -> list[dict[str, Any]]:
        """Return what Zuora was asked, oldest first, tokens left out."""
        logged = self.control("GET", "requests", last=last)["requests"]
        return [one for one in logged if one["path"] != "/oauth/token"]

    def writes(self) -> Counter[str]:
        """Count the changes that Zuora accepted, per method and path without ids."""
        return Counter(
            f"{one['method']} {_ID.sub('', one['path'])}"
            for one in self.requests()
            if one["method"] != "GET" and one["status"] in _ACCEPTED
        )

    def row_counts(self) -> dict[str, int]:
        """Return how many rows Zuora holds in each table."""
        counts: dict[str, int] = self.control("GET", "counts")["rows"]
        return counts

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table's rows as the stand-in's data file tells them: what would survive it."""
        rows: dict[str, dict[str, Any]] = {}
        with self.data.open("rb") as file:
            for line in file:
                for name, row_id, row in json.loads(line)["changes"]:
                    if name != table:
                        continue
                    rows.pop(row_id, None) if row is None else rows.__setitem__(row_id, row)
        return list(rows.values())

    def add_payment_methods(self, count: int) -> list[str]:
        """Register payment methods by reference, as a hosted page would, and return their ids."""
        with requests.Session() as session:
            form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "client_credentials"}
            token = session.post(f"{self.rest_url}/oauth/token", data=form, timeout=30).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            ids = []
            for number in range(count):
                body = {"type": "CreditCardReferenceTransaction", "tokenId": f"token-{number}"}
                answer = session.post(f"{self.rest_url}/v1/payment-methods", json=body, timeout=30)
                ids.append(answer.json()["id"])
        return ids

    def connect(self) -> Connection:
        """Store the connection to the stand-in."""
        now = datetime.now(UTC)
        return Connection.objects.create(
            rest_url=self.rest_url,
            tenant_id="10042",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            key_prefix="stigg",
            findings={"custom_fields": CUSTOM_FIELDS},
            connected_at=now,
            credentials_since=now,
        )

    # --- Waiting ----------------------------------------------------------------------------------------------------
    def wait_until(
        self,
        condition: Callable[[], T],
        what: str,
        *,
        seconds: float = 30.0,
        alive: Sequence[Running] = (),
        poll: float = _POLL_SECONDS,
    ) -> T:
        """Return what the condition gives as soon as it is true.

        Raises:
            TooLate: it was not in time, or a process that has to live has died.
        """
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            dead = [process.name for process in alive if not process.is_alive]
            if dead:
                raise TooLate(f"Waited for {what}, but {', '.join(dead)} died.\n{self.tails()}")
            if time.monotonic() > deadline:
                raise TooLate(f"Waited {seconds:.0f} s in vain for {what}.\n{self.tails()}")
            time.sleep(poll)
        return found

    def tails(self) -> str:
        """Return the last lines of every process."""
        return "\n".join(process.tail() for process in self._processes)


def worker_arguments(name: str, threads: int) -> list[str]:
    """Return what `celery worker` is started with; nothing is spent on workers telling each other that they live."""
    quiet = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
    return ["-P", "threads", "-c", str(threads), "-Q", QUEUES, "-n", f"{name}@%h", "-l", "INFO", *quiet]
