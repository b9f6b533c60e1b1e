"""Jobs from wish to end: every function is one short transaction, and none knows of HTTP.

The row is the truth. A message to a worker is only a wake-up; what was lost is swept up.
"""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from integrations.entities import Wish
from integrations.models import (
    AccountLock,
    Connection,
    Delivery,
    DeliveryOutcome,
    JobState,
    Priority,
    SyncJob,
    SyncRecord,
    SyncStatus,
)

#: Who claims: the boot tells a restarted container from the process that died under the same name and number.
HOST, BOOT = socket.gethostname(), uuid.uuid4().hex[:8]
_CHUNK = 500
_UNSEEN = timedelta(seconds=2)  # younger jobs have a message on its way
_FORGOTTEN = timedelta(seconds=60)  # rung so long ago, the message is lost


def worker_name() -> str:
    """Return the name under which this process claims jobs."""
    return f"{HOST}:{os.getpid()}:{BOOT}"


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
        rows = _waiting_of(connection, missing).select_for_update().order_by("pk")
        found |= {(job.kind, job.entity_id): job for job in rows}
        missing = [w for w in missing if (w.kind, w.entity_id) not in found]
    stale = [job for w in wishes if _touch(job := found[w.kind, w.entity_id], w, at=at, priority=priority)]
    SyncJob.objects.bulk_update(
        stale, ["not_before", "priority", "waiting_for", "reason", "attempts", "account", "other_account", "key"]
    )
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


def _waiting_of(connection: Connection, wishes: Iterable[Wish]) -> QuerySet[SyncJob]:
    by_kind: dict[str, list[int]] = {}
    for w in wishes:
        by_kind.setdefault(w.kind, []).append(w.entity_id)
    match = Q()
    for kind, entity_ids in by_kind.items():
        match |= Q(kind=kind, entity_id__in=entity_ids)
    return SyncJob.objects.waiting().filter(match, connection=connection)


def claim(
    *,
    job_id: int,
    worker: str,
    now: datetime,
    may_go: Callable[[Connection], bool] = lambda _: True,
    begin: Callable[[SyncJob], object] = lambda _: None,
) -> SyncJob | None:
    """Take a due job for sending, with the locks of its accounts; what `begin` writes is stored with the claim.

    None when it is not due, may not go, or somebody else is at it: then nothing has changed.
    """
    try:
        with transaction.atomic():
            due = SyncJob.objects.due(now=now).select_related("connection").select_for_update(of=("self",))
            job = next(iter(due.filter(pk=job_id).order_by()), None)
            if job is None or not may_go(job.connection):
                return None
            job.state, job.claimed_at, job.claimed_by = JobState.SENDING, now, worker
            job.attempts += 1
            job.save(update_fields=["state", "claimed_at", "claimed_by", "attempts"])
            AccountLock.objects.bulk_create(
                [AccountLock(connection=job.connection, account=account, job=job) for account in job.accounts]
            )
            begin(job)
    except IntegrityError:  # the entity or the account is being sent: whoever sends wakes this job when done
        SyncJob.objects.waiting().filter(pk=job_id).update(rung_at=None)
        return None
    return job


def settle(
    *, job: SyncJob, state: JobState, now: datetime, reason: str = "", not_before: datetime | None = None,
    waiting_for: str = "", counts: bool = True,
) -> list[int]:  # fmt: skip
    """End a claim and return the jobs that can go now; does nothing when the claim was taken away meanwhile.

    A job that goes back to waiting gives way to a newer one of the same entity.
    """
    with transaction.atomic(savepoint=False):
        mine = SyncJob.objects.filter(
            pk=job.pk, state=JobState.SENDING, claimed_by=job.claimed_by, claimed_at=job.claimed_at
        )
        if state == JobState.WAITING:
            if not mine.select_for_update().exists():
                return []
            if _newer_waits(job):
                state, reason = JobState.DONE, "a newer wish took its place"
        ended = mine.update(
            state=state,
            reason=reason,
            waiting_for=waiting_for,
            not_before=not_before or job.not_before,
            attempts=job.attempts if counts else job.attempts - 1,
            claimed_at=None,
            claimed_by="",
            rung_at=None,
            finished_at=None if state == JobState.WAITING else now,
        )
        if not ended:
            return []
        if job.accounts:
            AccountLock.objects.filter(job=job).delete()
        return _next(job=job, now=now)


def _newer_waits(job: SyncJob) -> bool:
    return (
        SyncJob.objects.waiting()
        .filter(connection=job.connection)
        .of(kind=job.kind, entity_id=job.entity_id)
        .select_for_update()
        .exists()
    )


def _next(*, job: SyncJob, now: datetime) -> list[int]:
    """Return the jobs that this one held up: the first of each account, or of the same entity where there is none.

    One that was rung and not sent away has a message on its way, and needs no second one.
    """
    accounts = [Q(account=account) | Q(other_account=account) for account in job.accounts]
    held_up = accounts or [Q(kind=job.kind, entity_id=job.entity_id)]
    waiting = SyncJob.objects.due(now=now).filter(connection=job.connection, rung_at=None)
    # An expression, so that PostgreSQL looks at the few jobs of the account, and not at the backlog in its order.
    waiting = waiting.order_by(F("priority") + 0, "not_before")
    ids = [waiting.filter(match).values_list("pk", flat=True).first() for match in held_up]
    return list(dict.fromkeys(pk for pk in ids if pk is not None))


def release_children(*, connection: Connection, key: str, now: datetime) -> list[int]:
    """Let the jobs go that waited for this parent."""
    children = SyncJob.objects.waiting().filter(connection=connection, waiting_for=key)
    ids = list(children.values_list("pk", flat=True))
    if ids:
        SyncJob.objects.waiting().filter(pk__in=ids).update(waiting_for="", reason="", not_before=now, rung_at=None)
    return ids


def look_again(*, job: SyncJob, key: str, at: datetime) -> None:
    """Let a job that waits for this parent go by itself, then; its reason stays."""
    mine = SyncJob.objects.waiting().filter(pk=job.pk, waiting_for=key)
    mine.update(waiting_for="", not_before=at, rung_at=None)


def release_orphans(*, now: datetime) -> int:
    """Let the jobs go whose parent has arrived while nobody looked."""
    arrived = SyncRecord.objects.filter(
        connection=OuterRef("connection"), key=OuterRef("waiting_for"), status=SyncStatus.SUCCESS
    ).exclude(zuora_id="")
    return (
        SyncJob.objects.waiting()
        .exclude(waiting_for="")
        .filter(Exists(arrived))
        .update(waiting_for="", reason="", not_before=now, rung_at=None)
    )


def release_stuck(*, now: datetime) -> list[int]:
    """Give back the jobs whose worker died: at once when it was on this host, else when the claim is too old."""
    old = now - timedelta(seconds=settings.SYNC_CLAIM_SECONDS)
    freed = []
    for job in SyncJob.objects.filter(state=JobState.SENDING).select_related("connection"):
        if (job.claimed_at and job.claimed_at < old) or is_dead(job.claimed_by):
            Delivery.objects.filter(job=job, outcome=DeliveryOutcome.SENDING).update(
                outcome=DeliveryOutcome.LOST, finished_at=now
            )
            freed += [job.pk, *settle(job=job, state=JobState.WAITING, now=now, not_before=now, counts=False)]
    return freed


def is_dead(claimed_by: str) -> bool:
    """Whether the process that claimed under this name is known to be gone; of another host's nothing is known."""
    host, _, rest = claimed_by.partition(":")
    pid, _, boot = rest.partition(":")
    if host != HOST or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return boot != BOOT
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def ring_due(*, now: datetime, most: int) -> list[tuple[int, int]]:
    """Return (job id, priority) of due jobs that nobody was woken for lately, and note that they were rung now."""
    nobody_rang = Q(priority=Priority.BACKFILL)  # such jobs are stored in bulk, and left to the sweep
    busy = AccountLock.objects.filter(
        Q(account=OuterRef("account")) | Q(account=OuterRef("other_account")), connection=OuterRef("connection")
    )
    due = (
        SyncJob.objects.due(now=now)
        .exclude(Exists(busy))  # whoever is at work there wakes them
        .filter(Q(rung_at=None) & (nobody_rang | Q(not_before__lte=now - _UNSEEN)) | Q(rung_at__lte=now - _FORGOTTEN))
        .order_by("priority", "not_before", "pk")  # parents were wished first
        .values_list("pk", "priority")[:most]
    )
    with transaction.atomic():
        # Of two sweeps at once each rings for others.
        jobs = list(due.select_for_update(skip_locked=True))
        SyncJob.objects.filter(pk__in=[pk for pk, _ in jobs]).update(rung_at=now)
    return jobs


def forget_rings(*, connection: Connection) -> None:
    """Let everything that waits be rung for again: who was rung while the tenant was down was sent away."""
    SyncJob.objects.waiting().filter(connection=connection, rung_at__isnull=False).update(rung_at=None)


def by_priority(job_ids: Collection[int]) -> list[tuple[int, list[int]]]:
    """Return the jobs' ids per priority, the most urgent first."""
    groups: dict[int, list[int]] = {}
    if job_ids:
        for priority, pk in SyncJob.objects.filter(pk__in=job_ids).values_list("priority", "pk"):
            groups.setdefault(priority, []).append(pk)
    return sorted(groups.items())
