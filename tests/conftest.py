"""What every test stands on: a real PostgreSQL and a real Redis, and settings that name them.

The settings are read from the environment when Django is set up. Were the settings module named in pyproject.toml,
pytest-django would do that before it imports this file; so this file names it, once the environment is there, and a
conftest further down may import models. A worker of pytest-xdist inherits the environment: it has a database of its own
in the PostgreSQL that is there, and starts a Redis of its own, whose keys and queues no other test changes.

`DATABASE_URL=sqlite:///:memory: pytest -m engine` runs on what it is given.
"""

import atexit
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings as configured
from factory.django import DjangoModelFactory
from hypothesis import HealthCheck
from hypothesis import settings as examples
from pytest_django import Settings

from tests.servers import postgres, redis_server

_servers = ExitStack()
_REDIS_IS_OURS = "TESTS_START_REDIS"


def _start_servers() -> None:
    directory = Path(_servers.enter_context(tempfile.TemporaryDirectory(prefix="stigg-zuora-")))
    directory.chmod(0o755)  # PostgreSQL may run as another user
    if "DATABASE_URL" not in os.environ:
        os.environ["DATABASE_URL"] = _servers.enter_context(postgres(directory / "postgres"))
    if "REDIS_URL" not in os.environ or _REDIS_IS_OURS in os.environ:
        os.environ["REDIS_URL"] = _servers.enter_context(redis_server(directory / "redis"))
        os.environ[_REDIS_IS_OURS] = "1"


def _set_up() -> None:
    gc.disable()  # until everything is imported and collected: of that, nothing is garbage
    _start_servers()
    # A hundred processes are started, and each would compile all of our modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    os.environ["DJANGO_SETTINGS_MODULE"] = "stigg_zuora.settings"
    os.environ["SECRET_KEY"] = "made-up-for-the-tests-and-nothing-else-0123456789abcdef"
    os.environ["ENCRYPTION_KEYS"] = "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ="
    # Static files are looked for when they are asked for: every client would list all of them before its first request.
    configured.WHITENOISE_AUTOREFRESH = True
    django.setup()
    del os.environ["DJANGO_SETTINGS_MODULE"]  # else pytest-django reads them in a worker of xdist before this file does


# A busy machine is no failure: no example has a deadline, and none is found too slow to be made.
examples.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("untimed")
atexit.register(_servers.close)  # also when pytest stops before it is configured
_set_up()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import only what has tests of the engine when no others are asked for: that is a quarter of all."""
    if config.option.markexpr != "engine" or not collection_path.match("test_*.py"):
        return None
    return "mark.engine" not in collection_path.read_text() or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long before what takes short, so that nobody waits at the end for who has just begun.

    pytest-django has put first what leaves the database as it was, and that stays so.
    """
    first = next((place for place, item in enumerate(items) if not _is_short(item)), len(items))
    items[first:] = sorted(items[first:], key=_is_short)


def _is_short(item: pytest.Item) -> bool:
    return not any(item.get_closest_marker(name) for name in ("browser", "processes"))


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collections: they were a seventh of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def pytest_unconfigure() -> None:
    _servers.close()


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _first_names() -> None:
    """Names are counted from the first in every test: customer-10 comes before customer-9 in a list."""
    for made in _every(DjangoModelFactory):
        made.reset_sequence(force=True)  # type: ignore[no-untyped-call]  # as in the factories


def _every(made: type[DjangoModelFactory[Any]]) -> Iterator[type[DjangoModelFactory[Any]]]:
    for more in made.__subclasses__():
        yield more
        yield from _every(more)
