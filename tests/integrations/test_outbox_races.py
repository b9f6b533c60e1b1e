"""Many who wish for, and claim, the same jobs at once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections, transaction

from integrations.models import Connection, JobState, SyncJob
from tests.integrations.jobs import CUSTOMER, PAID_BY_OTHER, PLAN, SUBSCRIPTION, claim, wish

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

IN_MEMORY = database.vendor == "sqlite"


def _in_threads(work: Callable[[int], Any], count: int) -> list[Any]:
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(IN_MEMORY, reason="threads share one connection to an SQLite in memory")
def test_of_many_claims_at_once_one_wins(connection: Connection) -> None:
    ids = wish(connection, CUSTOMER, SUBSCRIPTION, PAID_BY_OTHER)
    claims = _in_threads(lambda number: claim(ids[number % 3], worker=str(number)), 12)
    assert sum(job is not None for job in claims) == 1
    assert SyncJob.objects.filter(state=JobState.SENDING).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(IN_MEMORY, reason="threads share one connection to an SQLite in memory")
def test_of_many_saves_at_once_one_job_waits(connection: Connection) -> None:
    ids = _in_threads(lambda _: wish(connection, PLAN), 12)
    assert len({job_id for [job_id] in ids}) == 1
    assert SyncJob.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(IN_MEMORY, reason="threads share one connection to an SQLite in memory")
def test_a_claim_waits_for_a_save_that_is_not_committed(connection: Connection) -> None:
    """Else the save's wish would be answered with what the entity was before the save."""
    [job_id] = wish(connection, PLAN)
    saved, seen = threading.Event(), []

    def claimer() -> None:
        try:
            job = claim(job_id)
            seen.append((job is not None, saved.is_set()))
        finally:
            connections.close_all()

    thread = threading.Thread(target=claimer)
    with transaction.atomic():
        wish(connection, PLAN)
        thread.start()
        thread.join(timeout=0.3)
        saved.set()
    thread.join()
    assert seen == [(True, True)]
