"""Two workers that close at once, while events come in, end in the same slices as one."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection

from tests.usage.closing_world import DAY, LATER, Metered, metered
from usage.closing import close
from usage.models import DirtyHour, Slice

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory, SQLite has one connection: no two workers"),
]


def together(*works: Callable[[], object]) -> None:
    """Let each work in a thread, and so in a connection, of its own; all begin at once."""
    start, failures = threading.Barrier(len(works)), list[BaseException]()

    def run(work: Callable[[], object]) -> None:
        try:
            start.wait(10)
            work()
        except BaseException as failure:  # noqa: BLE001 - the test's own thread tells of it
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def tell(acme: Metered, hours: range, used: Counter[datetime]) -> None:
    for hour in hours:
        moment = DAY + timedelta(hours=hour % 48)
        acme.use(moment + timedelta(minutes=hour % 60), 1 + hour % 7)
        used[moment] += 1 + hour % 7


def slices() -> dict[datetime, int]:
    return {one.starts_at: int(one.quantity) for one in Slice.objects.all()}


def test_twice_at_once_changes_nothing() -> None:
    acme, used = metered(), Counter[datetime]()
    tell(acme, range(96), used)
    together(*[lambda: close(upto=LATER, now=LATER)] * 3)
    assert slices() == used
    assert (set(Slice.objects.values_list("revision", flat=True)), DirtyHour.objects.count()) == ({1}, 0)


def test_no_event_is_lost_that_comes_while_its_hour_is_closed() -> None:
    acme, used = metered(), Counter[datetime]()
    tell(acme, range(48), used)
    together(
        lambda: [close(upto=LATER, now=LATER) for _ in range(6)],
        lambda: [close(upto=LATER, now=LATER) for _ in range(6)],
        lambda: tell(acme, range(48, 168), used),
    )
    close(upto=LATER, now=LATER)
    assert slices() == used
    assert not DirtyHour.objects.exists()
