"""A meter that is changed counts the running billing period as if it had always been so; nothing falls in between."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from tests.usage.closing_world import Metered, at, metered
from tests.usage.test_closing_together import together
from usage import closing, metering, reporting
from usage.closing import close
from usage.counting import Source, used
from usage.models import Aggregation, DirtyHour, Meter, Slice
from usage.reporting import RawEvent, report_events
from usage.windows import Window

NOW = at(12, day=20)
#: The running billing period began on 28 February, at midnight.
PERIOD = Window(at(0, day=28, month=2), NOW)
TOLD = [
    (at(9, 10, day=10), "ann", 4),
    (at(9, 20, day=10), "bob", 7),
    (at(11, day=12), "ann", 2),
    (at(7, day=15), "x", 1),
]
FILTERS: dict[str, list[Any]] = {
    name: [{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": name}]}] for name in ("seen", "left")
}
IN_TWO = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory, SQLite has one connection"),
]


def in_two(test: Callable[..., None]) -> Callable[..., None]:
    """Let a test have two connections."""
    for mark in IN_TWO:
        test = mark(test)
    return test


def tell(told: list[tuple[Any, str, int]] = TOLD, *, name: str = "seen", key: str = "e") -> None:
    report_events(
        events={
            place: RawEvent(
                customer="acme", name=name, key=f"{key}{place}", at=moment, dimensions={"who": who, "size": size}
            )
            for place, (moment, who, size) in enumerate(told)
        },
        now=NOW,
    )


def meter(acme: Metered, aggregation: str = "SUM", *, name: str = "seen") -> Meter:
    """Give the feature this meter, as the API does."""
    field = "who" if aggregation == "UNIQUE" else "size"
    with transaction.atomic():
        return metering.set_meter(
            feature=acme.feature, aggregation=Aggregation(aggregation), field=field, filters=FILTERS[name]
        )


def run() -> None:
    close(upto=NOW, now=NOW)


def billed(window: Window = PERIOD) -> Decimal:
    slices = Slice.objects.filter(starts_at__gte=window.start, starts_at__lt=window.end)
    return slices.aggregate(total=Sum("quantity"))["total"] or Decimal(0)


def wanted(acme: Metered, window: Window = PERIOD) -> Decimal:
    """What all events of the period come to by the meter of now: the other side of a comparison."""
    counting = Meter.objects.filter(feature=acme.feature).first()
    return used(Source(acme.subscription.customer_id, acme.feature.pk, "", counting), window).change


@pytest.mark.engine
@pytest.mark.django_db
class TestOneAfterTheOther:
    @pytest.mark.parametrize("old", ["SUM", "UNIQUE", None])
    @pytest.mark.parametrize("new", ["SUM", "COUNT", "UNIQUE", "MAX", "AVG", None])
    def test_the_running_period_is_counted_anew(self, old: str | None, new: str | None) -> None:
        acme = metered()
        if old:
            meter(acme, old)
        tell()
        run()
        if new:
            meter(acme, new)
        else:
            Meter.objects.all().delete()
        run()
        totals = {"SUM": 14, "COUNT": 4, "UNIQUE": 3, "MAX": 7, "AVG": Decimal("3.5"), None: 0}
        assert (billed(), wanted(acme), DirtyHour.objects.count()) == (totals[new], totals[new], 0)

    @pytest.mark.parametrize("aggregation", ["SUM", "MAX"])
    def test_other_events_that_were_there_are_counted(self, aggregation: str) -> None:
        acme = metered()
        meter(acme, aggregation)
        tell()
        tell([(at(3, day=14), "eve", 30), (at(8, day=16), "eve", 50)], name="left", key="l")
        run()
        meter(acme, aggregation, name="left")
        run()
        total = {"SUM": 80, "MAX": 50}[aggregation]
        assert billed() == wanted(acme) == total

    def test_one_subscriptions_closing_leaves_everybodys_work_to_the_next_hours(self) -> None:
        acme = metered()
        meter(acme)
        tell()
        run()
        meter(acme, "COUNT")
        close(upto=NOW, now=NOW, subscription=acme.subscription)
        assert billed() == 14
        assert not DirtyHour.objects.exists()
        run()
        assert billed() == 4

    def test_what_came_while_it_was_another_for_a_while_is_counted(self) -> None:
        acme = metered()
        meter(acme)
        run()
        meter(acme, name="left")
        tell()
        meter(acme)
        run()
        assert billed() == wanted(acme) == 14

    @pytest.mark.parametrize("new", ["COUNT", "UNIQUE", "AVG"])
    def test_a_period_that_is_over_stays_as_it_was_billed(self, new: str) -> None:
        # The period begins in the middle of an hour.
        acme = metered(start_date=at(9, 30, day=29, month=1))
        edge = at(9, 30, day=28, month=2)
        meter(acme)
        tell(
            [
                (at(7, day=20, month=2), "ann", 5),
                (at(9, 10, day=28, month=2), "bob", 3),
                (at(9, 40, day=28, month=2), "x", 4),
            ]
        )
        run()
        over, running = Window(at(0, day=29, month=1), edge), Window(edge, NOW)
        assert [billed(over), billed(running)] == [8, 4]
        meter(acme, new)
        run()
        assert billed(over) == 8
        assert billed(running) == wanted(acme, running) == {"COUNT": 1, "UNIQUE": 1, "AVG": 4}[new]

    def test_the_same_meter_told_again_changes_nothing(self) -> None:
        acme = metered()
        meter(acme)
        tell()
        run()
        meter(acme)
        run()
        assert set(Slice.objects.values_list("revision", flat=True)) == {1}
        with patch.object(closing, "_close_chunk", side_effect=AssertionError("nothing is to be closed")):
            run()


@contextmanager
def paused(module: Any, name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Let a function wait once, before what it does; yield when it has come there, and when it may go on."""
    done, go_on, does = threading.Event(), threading.Event(), getattr(module, name)
    is_first = iter([True])

    def instead(*args: Any, **kwargs: Any) -> Any:
        if next(is_first, False):
            done.set()
            assert go_on.wait(30)
        return does(*args, **kwargs)

    with patch.object(module, name, instead):
        yield done, go_on


def blocked() -> int:
    """Return how many connections wait for another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
        )
        return int(cursor.fetchone()[0])


def close_while_it_waits(go_on: threading.Event) -> None:
    """Close in a connection of its own; let the other one go on when this has ended, or waits for it."""

    def work() -> None:
        run()
        connection.close()

    closer = threading.Thread(target=work)
    closer.start()
    while closer.is_alive() and not blocked():
        closer.join(0.01)
    go_on.set()
    closer.join(30)
    assert not closer.is_alive()


def changed(acme: Metered, new: str) -> None:
    if new == "gone":
        Meter.objects.filter(feature=acme.feature).delete()
    else:
        meter(acme, *(("SUM",) if new == "left" else (new,)), name="left" if new == "left" else "seen")


CHANGES = [("SUM", "UNIQUE"), ("SUM", "left"), ("MAX", "COUNT"), ("MAX", "gone"), (None, "COUNT")]


@in_two
@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_an_event_that_is_being_stored_while_the_meter_changes_is_counted(old: str | None, new: str) -> None:
    """The event's meters are read, then the meter changes and hours are closed, then the event is stored."""
    acme = metered()
    if old:
        meter(acme, old)
    tell()
    run()
    with paused(reporting, "store") as (is_read, go_on):

        def change() -> None:
            assert is_read.wait(30)
            changed(acme, new)
            close_while_it_waits(go_on)

        late = [(at(5, day=11), "eve", 40), (at(9, 30, day=10), "bob", 9)]

        def tell_late() -> None:
            for name in ("seen", "left"):
                tell(late, name=name, key=name)

        together(tell_late, change)
    run()
    assert (billed(), DirtyHour.objects.count()) == (wanted(acme), 0)


@in_two
@pytest.mark.parametrize(("old", "new"), CHANGES)
@pytest.mark.parametrize("is_counted", [False, True], ids=["before it counts", "when it has counted"])
def test_a_meter_that_changes_while_hours_are_being_closed_is_counted_by(
    old: str | None, new: str, is_counted: bool
) -> None:
    """A closing has locked its hours, and perhaps counted them; then the meter changes, and another one closes."""
    acme = metered()
    if old:
        meter(acme, old)
    tell(TOLD[:2], key="first")
    run()
    tell(TOLD)
    acme.use(at(10, day=11), 0)  # something is to be closed, also where nothing is metered
    with paused(closing, "_carry" if is_counted else "sold_to") as (has_locked, go_on):

        def change() -> None:
            assert has_locked.wait(30)
            changed(acme, new)
            close_while_it_waits(go_on)

        together(run, change)
    run()
    assert (billed(), DirtyHour.objects.count()) == (wanted(acme), 0)
