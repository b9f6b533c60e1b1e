"""Stores the wish that entities be pushed, in the transaction of whoever changed them: one waiting job per entity."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from integrations.entities import Wish
from integrations.models import Connection, JobState, Priority, SyncJob, SyncRecord, SyncStatus

_CHUNK = 500


def wish(
    *,
    connection: Connection,
    wishes: Collection[Wish],
    now: datetime,
    priority: Priority,
    settle: timedelta | None = None,
) -> list[int]:
    """Store the wishes in the caller's transaction, one waiting job per entity, and return the jobs' ids.

    A waiting job is locked until the caller commits: whoever claims it afterwards reads what the caller saved.
    """
    at = now + (timedelta(seconds=settings.SYNC_SETTLE_SECONDS) if settle is None else settle)
    ids: list[int] = []
    pending = list({(w.kind, w.entity_id): w for w in wishes}.values())
    with transaction.atomic():
        for start in range(0, len(pending), _CHUNK):
            chunk = pending[start : start + _CHUNK]
            ids += _store(connection=connection, wishes=chunk, now=now, at=at, priority=priority)
    return ids


def _store(*, connection: Connection, wishes: list[Wish], now: datetime, at: datetime, priority: Priority) -> list[int]:
    _store_records(connection=connection, wishes=wishes, now=now)
    found: dict[tuple[str, int], SyncJob] = {}
    failed: list[int] = []
    missing = wishes
    # A job can be claimed between the insert that met it and the lock that looks for it: then it is inserted again.
    while missing:
        SyncJob.objects.bulk_create(
            [
                SyncJob(
                    connection=connection,
                    kind=w.kind,
                    entity_id=w.entity_id,
                    key=w.key,
                    priority=priority,
                    not_before=at,
                    account=w.account,
                    other_account=w.other_account,
                    created_at=now,
                )
                for w in missing
            ],
            ignore_conflicts=True,
        )
        rows = list(_met_by(connection, missing).select_for_update().order_by("pk"))
        failed += [job.pk for job in rows if job.cause]
        found |= {(job.kind, job.entity_id): job for job in rows if not job.cause}
        missing = [w for w in missing if (w.kind, w.entity_id) not in found]
    stale = [job for w in wishes if _touch(job := found[w.kind, w.entity_id], w, at=at, priority=priority)]
    SyncJob.objects.bulk_update(
        stale, ["not_before", "priority", "waiting_for", "reason", "attempts", "account", "other_account", "key"]
    )
    if failed:
        SyncJob.objects.filter(pk__in=failed).update(cause="")
    return [job.pk for job in found.values()]


def _touch(job: SyncJob, wish: Wish, *, at: datetime, priority: Priority) -> bool:
    """Bring a job that waited already up to the new wish; return whether anything changed."""
    before = (job.not_before, job.priority, job.waiting_for, job.account, job.other_account, job.key)
    job.not_before = min(job.not_before, at)
    job.priority = min(job.priority, priority)
    job.account, job.other_account, job.key = wish.account, wish.other_account, wish.key
    if job.waiting_for or job.reason:
        job.waiting_for = job.reason = ""  # what it waited for may be gone: look again
        job.attempts = 0
    return before != (job.not_before, job.priority, job.waiting_for, job.account, job.other_account, job.key)


def _store_records(*, connection: Connection, wishes: list[Wish], now: datetime) -> None:
    SyncRecord.objects.bulk_create(
        [
            SyncRecord(
                connection=connection, key=w.key, kind=w.kind, root_kind=w.kind, root_id=w.entity_id, status_since=now
            )
            for w in wishes
        ],
        ignore_conflicts=True,
    )
    SyncRecord.objects.filter(connection=connection, key__in=[w.key for w in wishes]).exclude(
        status=SyncStatus.PENDING
    ).update(status=SyncStatus.PENDING, status_since=now)


def _met_by(connection: Connection, wishes: Iterable[Wish]) -> QuerySet[SyncJob]:
    """Return the jobs that wait for the same, and the failed ones that need nobody any more with these wishes."""
    by_kind: dict[str, list[int]] = {}
    for w in wishes:
        by_kind.setdefault(w.kind, []).append(w.entity_id)
    match = Q()
    # Said of each part, so that PostgreSQL asks the index of the few that wait and of the few that failed.
    states = Q(state=JobState.WAITING), ~Q(cause="")
    for kind, entity_ids in by_kind.items():
        for state in states:
            match |= Q(state, connection=connection, kind=kind, entity_id__in=entity_ids)
    return SyncJob.objects.filter(match)
