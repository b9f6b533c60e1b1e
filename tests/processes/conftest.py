"""The test process is the application that saves; Redis, the stand-in, workers and beat are processes beside it.

The database is pytest-django's own of this xdist worker, emptied after each test; everything else is the test's own.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from pytest_django import Settings

from integrations.models import Connection
from stigg_zuora import celery as program
from tests.processes.deployment import Deployment

app: Any = program.app
#: Sweeps follow each other quickly, so that a test does not wait for what only a sweep finds.
SWEEP_SECONDS = "0.5"


@pytest.fixture
def deployment(
    request: pytest.FixtureRequest,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Deployment]:
    """A Redis, the stand-in and the beat run, this process rings through that Redis, and no worker is there yet.

    A module that is about usage says so by `SWEEPS_USAGE`: elsewhere its sweeps would only be in the way.
    """
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    url = f"{server}/{database.settings_dict['NAME']}"
    environment = {"SYNC_SWEEP_SECONDS": SWEEP_SECONDS}
    if getattr(request.module, "SWEEPS_USAGE", False):
        environment["USAGE_SWEEP_SECONDS"] = SWEEP_SECONDS
    # Not tmp_path, which is too long for a socket.
    with (
        tempfile.TemporaryDirectory(prefix="sz-") as directory,
        Deployment(Path(directory), database_url=url, environment=environment) as made,
    ):
        made.start_broker()
        made.start_beat()
        made.start_standin()
        monkeypatch.setenv("CELERY_BROKER_URL", made.redis_url.replace("unix://", "redis+socket://"))
        app._after_fork()  # Celery's word for forgetting the connections that it holds
        yield made
        app.pool.force_close_all()
        app._after_fork()


@pytest.fixture
def connection(deployment: Deployment) -> Connection:
    """The connection to the stand-in; without it a save wishes nothing."""
    return deployment.connect()


@pytest.fixture
def at_once(settings: Settings) -> None:
    """A save is sent at once, without waiting for another that would be sent with it."""
    settings.SYNC_SETTLE_SECONDS = 0.0
