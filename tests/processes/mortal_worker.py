"""A worker that dies by SIGKILL where a test says so, and is started anew at once, as a container would be.

`python -m tests.processes.mortal_worker DIRECTORY` loads the program once, and then forks a Celery worker of one
thread again and again. A file in DIRECTORY, named as `death_of` says, holds a number n: the worker dies just before
the n-th step of a delivery of that entity, and the file is gone. A step is whatever can be seen from outside: a
statement that writes to the database, a request to Zuora (but for tokens), the end of the delivery. Every death is a
line of DIRECTORY/deaths.jsonl, `[key, step]`, and every delivery that lived one of steps.jsonl, `[key, steps]`.
Each run of usage (closing, pushing, sweeping) is watched in the same way, under the key `usage`.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import django

from stigg_zuora.celery import app

django.setup()

from django.db.backends.signals import connection_created  # noqa: E402 - models cannot be imported earlier

from integrations import delivery, usage_delivery  # noqa: E402
from integrations.models import SyncJob  # noqa: E402
from integrations.zuora.client.wire import Wire  # noqa: E402
from tests.processes.deployment import worker_arguments  # noqa: E402
from tests.servers import die_with_parent  # noqa: E402

DEATHS = "deaths.jsonl"
STEPS = "steps.jsonl"
PID = "worker.pid"
USAGE = "usage"
_ID = re.compile(r"/[0-9a-f]{32}$")
_WRITING = ("INSERT", "UPDATE", "DELETE")
#: Celery imports these when a worker starts: loaded before the fork, a life begins in a quarter of the time.
_LOADED_ONCE = (
    "celery.apps.worker",
    "celery.bin.worker",
    "celery.concurrency.thread",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.autoscale",
    "celery.worker.pidbox",
    "celery.app.control",
    "celery.fixups.django",
    "kombu.transport.redis",
)


def death_of(directory: Path, key: str) -> Path:
    """Return the file that tells when the delivery of this record key dies."""
    return directory / quote(key, safe="")


@dataclass
class Life:
    """The delivery under way: of which entity, and what it did so far."""

    directory: Path
    key: str
    steps: list[str] = field(default_factory=list)

    def step(self, what: str) -> None:
        self.steps.append(what)
        file = death_of(self.directory, self.key)
        if file.exists() and len(self.steps) == int(file.read_text()):
            file.unlink()
            self._note(DEATHS, what)
            os.kill(os.getpid(), signal.SIGKILL)

    def end(self) -> None:
        if not self.steps:
            return  # the message came late: there was nothing to do any more
        self.step("the end")
        self._note(STEPS, self.steps)

    def _note(self, name: str, what: str | list[str]) -> None:
        with (self.directory / name).open("a") as log:
            log.write(json.dumps([self.key, what]) + "\n")


@contextmanager
def _living(directory: Path, key: str) -> Iterator[None]:
    """Count what is done inside as steps of a life; one that raises has no end."""
    life = Life(directory, key)
    token = _life.set(life)
    try:
        yield
    finally:
        _life.reset(token)
    life.end()


_life: ContextVar[Life | None] = ContextVar("life", default=None)


def _step(what: str) -> None:
    if (life := _life.get()) is not None:
        life.step(what)


def _before_statement(execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any) -> Any:
    words = str(sql).split(maxsplit=3)
    if words and words[0] in _WRITING:
        _step(f"{words[0]} {words[1] if words[0] == 'UPDATE' else words[2]}".replace('"', ""))
    return execute(sql, params, many, context)


def _watch(*, connection: Any, **_: Any) -> None:
    if _before_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_before_statement)


def make_mortal(directory: Path) -> None:
    """Count the steps of every delivery of this process, and die where a file says so."""
    deliver, send = delivery.deliver, Wire.send

    def watched_deliver(*, job_ids: Sequence[int], **more: Any) -> delivery.Woken:
        keys = dict(SyncJob.objects.filter(pk__in=job_ids).values_list("pk", "key"))
        with _living(directory, "+".join(keys[job_id] for job_id in job_ids)):
            return deliver(job_ids=job_ids, **more)

    def watched_send(wire: Wire, request: Any, judge: Any, **more: Any) -> Any:
        if not request.url.endswith("/oauth/token"):
            _step(f"{request.method} {_ID.sub('', request.path_url.partition('?')[0])}")
        return send(wire, request, judge, **more)

    for name in ("close_hours", "push_usage", "sweep_usage"):
        _watch_usage(directory, name)
    connection_created.connect(_watch, weak=False)
    delivery.deliver, Wire.send = watched_deliver, watched_send  # type: ignore[assignment,method-assign]


def _watch_usage(directory: Path, name: str) -> None:
    run = getattr(usage_delivery, name)

    def watched_run(**arguments: Any) -> Any:
        with _living(directory, USAGE):
            return run(**arguments)

    setattr(usage_delivery, name, watched_run)


def main() -> int:
    """Start one worker after the other, until one ends in another way than by SIGKILL."""
    directory = Path(sys.argv[1])
    make_mortal(directory)
    app.loader.import_default_modules()
    for name in _LOADED_ONCE:
        import_module(name)
    while True:
        child = os.fork()
        if not child:
            die_with_parent()
            app.worker_main(["worker", *worker_arguments("mortal", 1)])
        (directory / PID).write_text(str(child))
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            return 1


if __name__ == "__main__":
    sys.exit(main())
