"""Which failures need a person, from the failure until it is tried again: what the pages count is kept on the job."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection as database

from integrations import outbox, purging, wishing
from integrations.entities import Wish
from integrations.models import Connection, EntityKind, JobState, Priority, SyncJob
from integrations.outbox import End
from integrations.problems import problems

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN, CUSTOMER = Wish(EntityKind.PLAN, 1, "plan:pro"), Wish(EntityKind.CUSTOMER, 1, "customer:acme", "customer:1")
REFUSED = "The unit 'calls' is not active."


def wish(connection: Connection, *wishes: Wish) -> list[int]:
    return wishing.wish(connection=connection, wishes=wishes, now=NOW, priority=Priority.CHANGE, settle=timedelta())


def claim(connection: Connection, ids: Sequence[int]) -> list[SyncJob]:
    return outbox.claim(job_ids=ids, connection=connection, worker="a", now=NOW)


def fail(connection: Connection, *wishes: Wish) -> list[SyncJob]:
    """Let these be tried, and refused."""
    jobs = claim(connection, wish(connection, *wishes))
    outbox.settle(ends={job: End(JobState.FAILED, REFUSED) for job in jobs}, now=NOW)
    return jobs


def told(connection: Connection) -> list[tuple[str, str]]:
    return list(problems(connection).order_by("key").values_list("key", "cause"))


def test_a_failure_needs_a_person_until_its_entity_is_tried_again(connection: Connection) -> None:
    fail(connection, PLAN, CUSTOMER)
    cause = "The unit … is not active."
    assert told(connection) == [("customer:acme", cause), ("plan:pro", cause)]
    ids = wish(connection, PLAN)
    assert told(connection) == [("customer:acme", cause)]
    outbox.settle(ends={claim(connection, ids)[0]: End(JobState.FAILED, "Something else.")}, now=NOW)
    assert told(connection) == [("customer:acme", cause), ("plan:pro", "Something else.")]
    states = SyncJob.objects.filter(key="plan:pro").order_by("pk").values_list("state", "reason", "cause")
    assert list(states) == [("FAILED", REFUSED, ""), ("FAILED", "Something else.", "Something else.")]


def test_what_fails_while_its_entity_waits_to_be_tried_again_needs_nobody(connection: Connection) -> None:
    [job] = claim(connection, wish(connection, PLAN))
    wish(connection, PLAN)
    outbox.settle(ends={job: End(JobState.FAILED, REFUSED)}, now=NOW)
    assert told(connection) == []


def test_a_failure_that_was_stored_beside_the_wish_goes_when_that_is_claimed(connection: Connection) -> None:
    [job] = fail(connection, PLAN)
    fail(connection, CUSTOMER)
    ids = wish(connection, PLAN)
    SyncJob.objects.filter(pk=job.pk).update(cause="Of two transactions neither saw the other.")
    assert [one.key for one in claim(connection, ids)] == ["plan:pro"]
    assert [key for key, _ in told(connection)] == ["customer:acme"]


def test_what_needs_a_person_is_not_purged_with_what_is_done(connection: Connection) -> None:
    fail(connection, PLAN)
    fail(connection, CUSTOMER)
    outbox.settle(ends={claim(connection, wish(connection, CUSTOMER))[0]: End(JobState.DONE)}, now=NOW)
    assert purging.purge(now=NOW + timedelta(days=99), days=30) == (0, 2)
    assert [key for key, _ in told(connection)] == ["plan:pro"]


def test_the_migration_stores_the_causes_of_the_latest_failures_alone(connection: Connection) -> None:
    def job(entity_id: int, state: JobState, **values: Any) -> SyncJob:
        return SyncJob.objects.create(
            connection=connection, kind=EntityKind.PLAN, entity_id=entity_id, key=f"plan:{entity_id}", state=state,
            not_before=NOW, created_at=NOW, **values,
        )  # fmt: skip

    job(1, JobState.FAILED, reason=REFUSED)
    job(1, JobState.WAITING)
    job(2, JobState.FAILED, reason=REFUSED)
    job(2, JobState.FAILED, reason="x" * 400)
    job(3, JobState.FAILED)
    job(4, JobState.FAILED, reason=REFUSED)
    job(5, JobState.DONE)
    import_module("integrations.migrations.0019_cause").store_causes(apps, database.schema_editor())
    assert told(connection) == [
        ("plan:2", "x" * 300),
        ("plan:3", "It was not said why."),
        ("plan:4", "The unit … is not active."),
    ]
