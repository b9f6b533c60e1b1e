"""Jobs from claim to end: every function is one short transaction, and none knows of HTTP.

The row is the truth. A message to a worker is only a wake-up; what was lost is swept up.
"""

import os
import socket
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When

from integrations.models import AccountLock, Connection, JobState, SyncJob
from integrations.models.job import cause_of

#: Who claims: the boot tells a restarted container from the process that died under the same name and number.
HOST, BOOT = socket.gethostname(), uuid.uuid4().hex[:8]


def worker_name() -> str:
    """Return the name under which this process claims jobs."""
    return f"{HOST}:{os.getpid()}:{BOOT}"


@dataclass(frozen=True)
class End:
    """How a claim ends: `not_before` is for a job that goes back to waiting, None leaves it as it is."""

    state: JobState
    reason: str = ""
    not_before: datetime | None = None
    waiting_for: str = ""
    counts: bool = True


def claim(
    *,
    job_ids: Sequence[int],
    connection: Connection,
    worker: str,
    now: datetime,
    may_go: Callable[[], bool] = lambda: True,
    begin: Callable[[list[SyncJob]], object] = lambda _: None,
) -> list[SyncJob]:
    """Take due jobs for sending, with the locks of their accounts; what `begin` writes is stored with the claim.

    Left out are those that are not due, and those whose entity or account is being sent, be it by another of these:
    whoever sends wakes them when done. While the tenant is down one goes alone. When none may go nothing has changed.
    """
    try:
        with transaction.atomic():
            due = SyncJob.objects.due(now=now).filter(pk__in=job_ids, connection=connection)
            asked = due.annotate(tries_again=Exists(_of_same_entity(SyncJob.objects.problems())))
            found: dict[int, Any] = {job.pk: job for job in asked.select_for_update().order_by("pk")}
            jobs = _apart([found[pk] for pk in job_ids if pk in found])
            if not jobs or not may_go():
                return []
            if connection.paused_until is not None:
                jobs = jobs[:1]
            _take(jobs, connection=connection, worker=worker, now=now)
            _forget_problems([job for job in jobs if found[job.pk].tries_again])
            begin(jobs)
            held_up = set() if connection.paused_until else found.keys() - {job.pk for job in jobs}
    except IntegrityError:  # an entity or an account is being sent
        if len(job_ids) > 1:
            alone = [
                claim(job_ids=[pk], connection=connection, worker=worker, now=now, may_go=may_go, begin=begin)
                for pk in job_ids
            ]
            return [job for jobs in alone for job in jobs]
        jobs, held_up = [], set(job_ids)
    if held_up:
        SyncJob.objects.waiting().filter(pk__in=held_up).update(rung_at=None)
    return jobs


def _apart(jobs: Sequence[SyncJob]) -> list[SyncJob]:
    """Return the jobs that write to no account of one before."""
    apart, accounts = [], set[str]()
    for job in jobs:
        if accounts.isdisjoint(job.accounts):
            apart.append(job)
            accounts.update(job.accounts)
    return apart


def _take(jobs: Sequence[SyncJob], *, connection: Connection, worker: str, now: datetime) -> None:
    SyncJob.objects.filter(pk__in=[job.pk for job in jobs]).update(
        state=JobState.SENDING, claimed_at=now, claimed_by=worker, attempts=F("attempts") + 1
    )
    locks = []
    for job in jobs:
        job.connection = connection
        job.state, job.claimed_at, job.claimed_by = JobState.SENDING, now, worker
        job.attempts += 1
        locks += [AccountLock(connection=connection, account=account, job=job) for account in job.accounts]
    # In one order for everybody, so that no two groups wait for each other.
    AccountLock.objects.bulk_create(sorted(locks, key=lambda lock: lock.account))


def _of_same_entity(jobs: QuerySet[SyncJob]) -> QuerySet[SyncJob]:
    return jobs.filter(connection=OuterRef("connection"), kind=OuterRef("kind"), entity_id=OuterRef("entity_id"))


def _forget_problems(jobs: Sequence[SyncJob]) -> None:
    """Let what is tried again need nobody: the wish has done so, but for a failure that was stored at the same time."""
    if jobs:
        of_entities = Q()
        for job in jobs:
            of_entities |= Q(connection=job.connection_id, kind=job.kind, entity_id=job.entity_id)
        SyncJob.objects.problems().filter(of_entities).update(cause="")


def settle(*, ends: Mapping[SyncJob, End], now: datetime) -> list[int]:
    """End claims that were made together, and return the jobs that can go now; one taken away meanwhile is left alone.

    A job that goes back to waiting gives way to a newer one of the same entity.
    """
    alike = defaultdict(list)
    with transaction.atomic(savepoint=False):
        for job, end in ends.items():
            alike[_end_of(job, end)].append(job)
        ended = [_end(jobs, end, now=now) for end, jobs in alike.items()]
        return _next(list(ends), now=now) if any(ended) else []


def wished_again(*, connection: Connection, jobs: Sequence[SyncJob]) -> dict[str, datetime]:
    """Return which entities of these jobs were wished for again since they were claimed, by key, and when."""
    of_entities = Q()
    for job in jobs:
        of_entities |= Q(kind=job.kind, entity_id=job.entity_id)
    if not of_entities:
        return {}
    newer = SyncJob.objects.waiting().filter(of_entities, connection=connection).order_by()
    return dict(newer.values_list("key", "created_at"))


def _end_of(job: SyncJob, end: End) -> End:
    if end.state == JobState.WAITING and _newer_waits(job):
        return End(JobState.DONE, "a newer wish took its place", end.not_before, end.waiting_for, end.counts)
    return end


def _end(jobs: Sequence[SyncJob], end: End, *, now: datetime) -> int:
    claimed_at, claimed_by = jobs[0].claimed_at, jobs[0].claimed_by
    mine = SyncJob.objects.filter(state=JobState.SENDING, claimed_at=claimed_at, claimed_by=claimed_by)
    return mine.filter(pk__in=[job.pk for job in jobs]).update(
        state=end.state,
        reason=end.reason,
        waiting_for=end.waiting_for,
        claimed_at=None,
        claimed_by="",
        rung_at=None,
        finished_at=None if end.state == JobState.WAITING else now,
        **({"not_before": end.not_before} if end.not_before else {}),
        **({} if end.counts else {"attempts": F("attempts") - 1}),
        **({"cause": _cause_of(end)} if end.state == JobState.FAILED else {}),
    )


def _cause_of(end: End) -> Case:
    """Return the cause of a failure, but nothing where the entity is about to be tried again anyway."""
    newer = Exists(_of_same_entity(SyncJob.objects.waiting()))
    return Case(When(newer, then=Value("")), default=Value(cause_of(end.reason)))


def _newer_waits(job: SyncJob) -> bool:
    return (
        SyncJob.objects.waiting()
        .filter(connection=job.connection)
        .of(kind=job.kind, entity_id=job.entity_id)
        .select_for_update()
        .exists()
    )


def _next(jobs: Sequence[SyncJob], *, now: datetime) -> list[int]:
    """Return the jobs that these held up: the first of each account, or of the same entity where there is none.

    Their locks are given back. One that was rung and not sent away has a message on its way, and needs no second one.
    """
    waiting = SyncJob.objects.due(now=now).filter(connection=jobs[0].connection, rung_at=None)
    ids: list[int | None] = []
    if any(job.accounts for job in jobs):
        taken_away = SyncJob.objects.filter(pk=OuterRef("job"), state=JobState.SENDING)
        locks = AccountLock.objects.filter(~Exists(taken_away), job__in=jobs)
        of_account = waiting.filter(Q(account=OuterRef("account")) | Q(other_account=OuterRef("account")))
        # An expression, so that PostgreSQL looks at the few jobs of the account, and not at the backlog in its order.
        first = of_account.order_by(F("priority") + 0, "not_before").values("pk")[:1]
        ids += locks.order_by("account").values_list(Subquery(first), flat=True)
        locks.delete()
    of_entity = Q()
    for job in jobs:
        of_entity |= Q() if job.accounts else Q(kind=job.kind, entity_id=job.entity_id)
    if of_entity:
        ids += waiting.filter(of_entity).order_by(F("priority") + 0, "not_before").values_list("pk", flat=True)
    return list(dict.fromkeys(pk for pk in ids if pk is not None))


def release_children(*, connection: Connection, keys: Collection[str], now: datetime) -> list[int]:
    """Let the jobs go that waited for these parents."""
    children = SyncJob.objects.waiting().filter(connection=connection, waiting_for__in=keys)
    ids = list(children.values_list("pk", flat=True))
    if ids:
        SyncJob.objects.waiting().filter(pk__in=ids).update(waiting_for="", reason="", not_before=now, rung_at=None)
    return ids


def tell_children(*, connection: Connection, reasons: Mapping[str, str]) -> None:
    """Say to the jobs that wait for these parents why they still do; `reasons` are by the parent's key."""
    children = SyncJob.objects.waiting().filter(connection=connection, waiting_for__in=reasons)
    for key in set(children.values_list("waiting_for", flat=True)):
        children.filter(waiting_for=key).update(reason=reasons[key])


def look_again(*, job: SyncJob, key: str, at: datetime) -> None:
    """Let a job that waits for this parent go by itself, then; its reason stays."""
    mine = SyncJob.objects.waiting().filter(pk=job.pk, waiting_for=key)
    mine.update(waiting_for="", not_before=at, rung_at=None)


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
