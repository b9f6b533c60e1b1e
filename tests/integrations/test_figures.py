"""What the pages count: of this moment where it is fast, else as a worker counted it last; and the same everywhere."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.counting import FIGURES, STANDINGS
from integrations.figures import Shown, count_due, read
from integrations.models import Connection, Figure, JobState, Standing, SyncJob, SyncRecord, SyncStatus
from integrations.models.job import cause_of
from integrations.views.listing import FILTERS
from tests.factories.catalog import PlanFactory
from tests.factories.customers import CustomerFactory
from tests.integrations.browsers import operators as browser

__all__ = ["browser"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def taking(seconds: float) -> Callable[[], float]:
    """Return a timer by which everything takes so long."""
    ticks: Iterator[int] = numbers()
    return lambda: next(ticks) * seconds


def kept() -> dict[str, Any]:
    return {one.name: one.value for one in Figure.objects.exclude(value=None)}


def test_what_is_counted_fast_is_counted_by_each_page(connection: Connection) -> None:
    assert count_due(now=NOW, timer=taking(0.001)) == list(FIGURES)
    CustomerFactory.create()
    assert read(connection, STANDINGS, now=NOW) == {STANDINGS: Shown({"customer": {"pending": 1}})}
    assert kept() == {}


def test_what_takes_long_is_shown_as_a_worker_counted_it_with_its_time(connection: Connection) -> None:
    CustomerFactory.create()
    count_due(now=NOW, timer=taking(0.1))
    CustomerFactory.create()
    assert read(connection, STANDINGS, now=NOW + MINUTE) == {STANDINGS: Shown({"customer": {"pending": 1}}, NOW)}
    count_due(now=NOW + 10 * SECOND, timer=taking(0.1))
    assert read(connection, STANDINGS, now=NOW)[STANDINGS] == Shown({"customer": {"pending": 2}}, NOW + 10 * SECOND)


@pytest.mark.parametrize(("took", "again"), [(0.001, 60), (0.1, 10), (3, 60)])
def test_counting_takes_a_small_part_of_a_workers_time(connection: Connection, took: float, again: int) -> None:
    count_due(now=NOW, timer=taking(took))
    assert count_due(now=NOW + (again - 1) * SECOND, timer=taking(took)) == []
    assert count_due(now=NOW + again * SECOND, timer=taking(took)) == list(FIGURES)
    assert Figure.objects.filter(connection=connection).count() == len(FIGURES)


def test_a_machine_that_was_busy_for_a_moment_is_asked_once_more(connection: Connection) -> None:
    ticks = iter([0, 9, 9, 9.001, *[10] * 99])
    count_due(now=NOW, timer=lambda: next(ticks))
    assert Figure.objects.get(connection=connection, name=STANDINGS).took_ms == 1
    assert kept() == {}


def test_what_a_worker_that_died_was_counting_is_counted_by_another_one(connection: Connection) -> None:
    count_due(now=NOW, timer=taking(0.1))

    def die() -> float:
        raise MemoryError

    with pytest.raises(MemoryError):
        count_due(now=NOW + MINUTE, timer=die)
    assert next(iter(FIGURES)) not in count_due(now=NOW + 2 * MINUTE, timer=taking(0.1))
    assert next(iter(FIGURES)) in count_due(now=NOW + 6 * MINUTE, timer=taking(0.1))
    assert connection.pk


def test_without_a_tenant_nothing_is_counted(connection: Connection) -> None:
    Connection.objects.update(removed_at=NOW)
    assert count_due(now=NOW) == []
    assert Figure.objects.filter(connection=connection).count() == 0


def test_pages_say_as_of_when_a_figure_is_or_that_it_is_being_counted(browser: Client, connection: Connection) -> None:
    pages = ("/", "/problems/")
    assert not any("as of" in browser.get(page).content.decode() for page in pages)
    for name in FIGURES:
        Figure.objects.create(connection=connection, name=name, counted_at=NOW, took_ms=999, not_before=NOW)
    overview, problems = (browser.get(page).content.decode() for page in pages)
    assert (overview.count("being counted"), problems.count("being counted")) == (5, 1)
    count_due(now=NOW, timer=taking(1))
    overview, problems = (browser.get(page).content.decode() for page in pages)
    assert (overview.count("being counted"), problems.count("being counted")) == (0, 0)
    said = re.compile(r'as of <time[^>]* datetime="2026-03-01T12:00:00\+00:00"')
    assert (len(said.findall(overview)), len(said.findall(problems))) == (4, 2)


def _of_every_standing(connection: Connection) -> None:
    """Let customers and plans stand everywhere, some more often than others; those that failed have a failed job."""
    states = [
        (SyncStatus.SUCCESS, "a"),
        (SyncStatus.NO_SYNC_REQUIRED, "a"),
        (SyncStatus.NO_SYNC_REQUIRED, ""),
        (SyncStatus.PENDING, ""),
        (SyncStatus.ERROR, ""),
    ]
    for place, (status, zuora_id) in enumerate(states):
        rows = [*CustomerFactory.create_batch(place + 1), PlanFactory.create()]
        for row in rows:
            record = SyncRecord.objects.filter(connection=connection, root_id=row.pk, kind=row._meta.model_name)
            record.update(status=status, zuora_id=zuora_id)
            job = SyncJob.objects.filter(kind=row._meta.model_name, entity_id=row.pk)
            if status == SyncStatus.ERROR:
                reason = f"The unit '{row.pk}' is missing."
                job.update(state=JobState.FAILED, reason=reason, cause=cause_of(reason), finished_at=NOW)
            elif status != SyncStatus.PENDING:
                job.update(state=JobState.DONE, finished_at=NOW)


@pytest.mark.parametrize("is_long", [False, True])
def test_no_page_contradicts_another(browser: Client, connection: Connection, *, is_long: bool) -> None:
    _of_every_standing(connection)
    if is_long:
        count_due(now=timezone.now(), timer=taking(1))
    overview = browser.get("/").context
    for row in overview["counts"]:
        for standing in set(FILTERS) & set(Standing.values):
            listed = browser.get(f"/{row.section.slug}/?status={standing}").context["slice"].rows
            assert len(listed) == getattr(row, standing.replace("-", "_")), (row.section.slug, standing)
    problems = browser.get("/problems/").context
    [cause] = overview["causes"]
    assert problems["causes"] == [cause]
    assert len(problems["slice"].rows) == len(browser.get("/problems/", {"cause": cause.text}).context["slice"].rows)
    assert (overview["failed"], len(problems["slice"].rows), cause.count) == (6, 6, 6)
    assert overview["failed"] == sum(row.failed for row in overview["counts"])
    of_kind = {
        kind: len(browser.get(f"/problems/?kind={kind}").context["slice"].rows)
        for kind in ("customer", "plan", "addon")
    }
    assert of_kind == {"customer": 5, "plan": 1, "addon": 0}
    assert len(problems["to_decide"]) == overview["to_decide"] == sum(row.stopped for row in overview["counts"]) == 3
    assert overview["need_a_person"] == 9
    assert len(browser.get("/activity/?state=WAITING").context["slice"].rows) == overview["backlog"]["waiting"]
    assert overview["backlog"]["waiting"] == sum(row.pending for row in overview["counts"])
