"""Steps of the outbox at a moment of the tests' own."""

from datetime import UTC, datetime, timedelta
from typing import Any

from integrations import outbox, wishing
from integrations.entities import Wish
from integrations.models import Connection, EntityKind, JobState, Priority, SyncJob
from integrations.outbox import End

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAN = Wish(EntityKind.PLAN, 1, "plan:pro")
CUSTOMER = Wish(EntityKind.CUSTOMER, 1, "customer:acme", "customer:1")
SUBSCRIPTION = Wish(EntityKind.SUBSCRIPTION, 1, "subscription:s1", "customer:1")
PAID_BY_OTHER = Wish(EntityKind.SUBSCRIPTION, 2, "subscription:s2", "customer:2", "customer:1")


def wish(connection: Connection, *wishes: Wish, now: datetime = NOW, priority: Priority = Priority.CHANGE) -> list[int]:
    return wishing.wish(connection=connection, wishes=wishes, now=now, priority=priority, settle=timedelta())


def claim(job_id: int, worker: str = "a", now: datetime = NOW) -> SyncJob | None:
    return next(iter(claim_together(job_id, worker=worker, now=now)), None)


def claim_together(*job_ids: int, worker: str = "a", now: datetime = NOW) -> list[SyncJob]:
    connection = Connection.objects.get()
    return outbox.claim(job_ids=job_ids, connection=connection, worker=worker, now=now)


def settle(job: SyncJob, state: JobState = JobState.DONE, *, now: datetime = NOW, **end: Any) -> list[int]:
    return outbox.settle(ends={job: End(state, **end)}, now=now)
