"""Delivers jobs together: claim (a short transaction), read, HTTP one by one (no transaction), outcome (a short one).

What was answered and dies with the worker before the outcome is stored is found out by the next attempt: before each
request leaves it is stored that its outcome is unknown.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from integrations import outbox, request_log
from integrations.attempt import Attempt, Ending, make
from integrations.breaker import give_back, may_send, note_success
from integrations.entities import ENTITIES
from integrations.facts import verdicts_on
from integrations.models import (
    Connection,
    Delivery,
    DeliveryOutcome,
    EntityKind,
    JobState,
    Priority,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.models.record import STATUS_FIELDS
from integrations.models.storing import store
from integrations.outbox import End
from integrations.retry import pause_of
from integrations.zuora import leases
from integrations.zuora.client import Client
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.push import Far, Known, Notes, needed_by, why_it_waits
from integrations.zuora.tenant import tenant_of

log = structlog.get_logger(__name__)
#: So often a parent that is there already is looked at again at once.
_LOOKS_AT_ONCE = 2
#: So long one message may keep a thread with sending, but for the delivery under way: a click must find one soon.
_TURN = timedelta(seconds=1)

_ARRIVED = frozenset({DeliveryOutcome.SENT, DeliveryOutcome.UNCHANGED})
_REFUSED = frozenset({DeliveryOutcome.NOT_SYNCED, DeliveryOutcome.FAILED})
_PRIORITIES = {
    Priority.CLICK: leases.Priority.CLICK,
    Priority.USAGE: leases.Priority.USAGE,
    Priority.CHANGE: leases.Priority.CHANGES,
    Priority.BACKFILL: leases.Priority.BACKFILL,
}


@dataclass(frozen=True)
class Woken:
    """The jobs to wake after a delivery; `sweep` when the tenant has come back and everything due may go."""

    jobs: tuple[int, ...] = ()
    sweep: bool = False


@dataclass
class _Group:
    """Jobs that were claimed together, and what their attempts share."""

    connection: Connection
    attempts: list[Attempt]
    clock: Callable[[], datetime]
    probe_until: datetime | None  # set when this is the probe of a tenant that is down
    known: Known
    notes: Notes
    began: datetime

    @property
    def ends(self) -> datetime:
        """When no other is begun: how long a first call had to wait until the tenant could take it is not counted."""
        sent = [one.started_at for attempt in self.attempts[:1] for one in attempt.exchanges[:1]]
        return max([self.began, *sent]) + _TURN


def deliver_in_turn(
    *, job_ids: Sequence[int], worker: str, clock: Callable[[], datetime], open_client: Callable[[Connection], Client]
) -> Woken:
    """Deliver jobs together, then as many of those that they woke, and so on; return the jobs to wake now.

    Whoever has written to an account goes on there by himself: most customers wake their subscription, and a message
    for it would cost as much as its reads. What is not begun within a second is among the returned.
    """
    ends = clock() + _TURN
    turn, others, sweep = tuple(job_ids), list[int](), False
    while turn:
        woken = deliver(job_ids=turn, worker=worker, clock=clock, open_client=open_client)
        turn, others = woken.jobs[: len(turn)], [*others, *woken.jobs[len(turn) :]]
        sweep = sweep or woken.sweep
        if clock() >= ends:
            break
    return Woken((*turn, *others), sweep=sweep)


def deliver(
    *,
    job_ids: Sequence[int],
    worker: str,
    clock: Callable[[], datetime],
    open_client: Callable[[Connection], Client],
) -> Woken:
    """Push the entities of these jobs as they are now, and return the jobs that can go next.

    Does nothing for a job that is not due, that somebody else has, or while the tenant is known to be down. But for
    the first, what is not begun within a second, or when the tenant turns out to be down, goes back to waiting.
    """
    connection = Connection.objects.active().first()
    group = _claim(job_ids, connection=connection, worker=worker, clock=clock) if connection else None
    if group is None:
        return Woken()
    _read(group)
    tenant = tenant_of(group.connection)
    with open_client(group.connection).in_a_row() as client:
        for attempt in group.attempts:
            if attempt is not group.attempts[0] and (group.connection.is_down or clock() >= group.ends):
                break
            _send(attempt, group, tenant=tenant, client=client)
    return _keep(group)


def _claim(
    job_ids: Sequence[int], *, connection: Connection, worker: str, clock: Callable[[], datetime]
) -> _Group | None:
    deliveries: dict[int, Delivery] = {}

    def begin(jobs: list[SyncJob]) -> None:
        begun = [
            Delivery(job=job, track_id=f"job-{job.pk}-{uuid.uuid4().hex[:12]}", worker=worker, started_at=clock())
            for job in jobs
        ]
        deliveries.update({one.job_id: one for one in Delivery.objects.bulk_create(begun)})

    jobs = outbox.claim(
        job_ids=job_ids,
        connection=connection,
        worker=worker,
        now=clock(),
        may_go=lambda: may_send(connection, now=clock()),
        begin=begin,
    )
    attempts = [Attempt(job, deliveries[job.pk]) for job in jobs]
    return _Group(connection, attempts, clock, connection.paused_until, Known(), Notes(), clock()) if attempts else None


def _read(group: _Group) -> None:
    """Read what the pushes need, with a handful of queries for all of them.

    Whoever saves one of these entities from now on stores a new wish, which is delivered next.
    """
    attempts, connection = group.attempts, group.connection
    records = SyncRecord.objects.filter(connection=connection, key__in=[one.job.key for one in attempts]).order_by()
    by_key = {record.key: record for record in records}
    for kind in {one.job.kind for one in attempts}:
        of_kind = [one for one in attempts if one.job.kind == kind]
        rows = ENTITIES[EntityKind(kind)].load_all([one.job.entity_id for one in of_kind])
        for one in of_kind:
            one.entity, one.record = rows.get(one.job.entity_id), by_key.get(one.job.key)
    there = [(one, one.entity, one.record) for one in attempts if one.entity is not None and one.record is not None]
    verdicts = verdicts_on([(entity, record) for _, entity, record in there], connection=connection)
    for (one, _, record), verdict in zip(there, verdicts, strict=True):
        record.connection = connection
        one.verdict = verdict
    group.known.read(connection, [root for _, entity, record in there for root in needed_by(entity, record)])


def _send(attempt: Attempt, group: _Group, *, tenant: Tenant, client: Client) -> None:
    job, track_id = attempt.job, attempt.delivery.track_id
    with structlog.contextvars.bound_contextvars(track_id=track_id, entity=job.key):
        own = client.for_delivery(
            track_id=track_id, priority=_PRIORITIES[Priority(job.priority)], on_exchange=attempt.exchanges.append
        )
        far = Far(
            client=own,
            connection=group.connection,
            tenant=tenant,
            clock=group.clock,
            known=group.known,
            notes=group.notes,
        )
        attempt.ending = make(attempt, far)
        attempt.delivery.finished_at = group.clock()


def _keep(group: _Group) -> Woken:
    """Store the outcomes of what was begun, give back what was not, and return the jobs that can go now."""
    now, connection = group.clock(), group.connection
    ended, ends = [], {}
    for one in group.attempts:
        if one.ending is None:
            ends[one.job] = End(JobState.WAITING, counts=False)
        else:
            ended.append((one, one.ending))
            ends[one.job] = one.ending.job
            one.delivery.outcome, one.delivery.error = one.ending.outcome, one.ending.job.reason
    answered = any(one.exchanges and ending.outcome is not DeliveryOutcome.RETRY for one, ending in ended)
    with transaction.atomic():
        _leave_pending(group, ended)
        group.notes.store()
        store([one.delivery for one, _ in ended], ["outcome", "error", "decided", "finished_at"])
        request_log.keep_all(((one.delivery, one.exchanges) for one, _ in ended), connection=connection)
        if len(ended) < len(group.attempts):
            Delivery.objects.filter(pk__in=[one.delivery.pk for one in group.attempts if one.ending is None]).delete()
        back_up = group.probe_until is not None and answered and note_success(connection)
        if back_up:
            outbox.forget_rings(connection=connection)
        # A probe that had nothing to ask Zuora makes room for the next at once: a backlog of such would take for ever.
        asked = any(one.exchanges for one, _ in ended)
        blank = give_back(connection, probe_until=group.probe_until, now=now) and not asked
        woken = outbox.settle(ends=ends, now=now)
    for one, ending in ended:
        _tell(one, ending)
    return Woken(tuple(dict.fromkeys([*woken, *_release(group, ended, now=now)])), sweep=back_up or blank)


def _leave_pending(group: _Group, ended: Sequence[tuple[Attempt, Ending]]) -> None:
    """Let what was saved while it was sent stay pending: what became of the call says nothing of that."""
    settled = {one.job.key: one.record for one, ending in ended if ending.job.state != JobState.WAITING and one.record}
    for key, since in outbox.wished_again(connection=group.connection, jobs=[one.job for one, _ in ended]).items():
        if record := settled.get(key):
            record.mark_status(SyncStatus.PENDING, now=since)
            group.notes.add(record, STATUS_FIELDS)


def _release(group: _Group, ended: Sequence[tuple[Attempt, Ending]], *, now: datetime) -> list[int]:
    """Let the jobs go that waited for what has arrived, and those that began to wait when it had arrived already."""
    connection = group.connection
    parents = [one for one, _ in ended if one.entity is not None and one.job.kind != EntityKind.SUBSCRIPTION]
    outcomes = {one.job.key: ending.outcome for one, ending in ended}
    arrived = {one.job.key for one in parents if outcomes[one.job.key] in _ARRIVED}
    why = {one.job.key: why_it_waits(one.job.key, one.record) for one in parents if outcomes[one.job.key] in _REFUSED}
    waiting = [(one, ending.job) for one, ending in ended if ending.outcome is DeliveryOutcome.WAITS]
    keys = {end.waiting_for for _, end in waiting}
    now_there = {one.key: one for one in SyncRecord.objects.filter(connection=connection, key__in=keys)} if keys else {}
    for one, end in waiting:
        key, parent = end.waiting_for, now_there.get(end.waiting_for)
        is_there = parent is not None and parent.is_linked and parent.status == SyncStatus.SUCCESS
        if is_there and one.job.attempts > _LOOKS_AT_ONCE:
            # The parent is there without what is needed of it: that may never come, so we look less and less often.
            outbox.look_again(job=one.job, key=key, at=now + pause_of(one.job.attempts))
        elif is_there:
            arrived.add(key)  # between our look and our wait: nobody else will wake us
        elif parent is not None and parent.status != SyncStatus.PENDING:
            why[key] = why_it_waits(key, parent)  # it may have been refused between them
    if why:
        outbox.tell_children(connection=connection, reasons=why)
    return outbox.release_children(connection=connection, keys=arrived, now=now) if arrived else []


def _tell(attempt: Attempt, ending: Ending) -> None:
    delivery = attempt.delivery
    took = (delivery.finished_at or delivery.started_at) - delivery.started_at
    log.info(
        "delivered",
        track_id=delivery.track_id,
        entity=attempt.job.key,
        outcome=ending.outcome.value,
        calls=len(attempt.exchanges),
        reason=ending.job.reason,
        took=f"{took.total_seconds():.3f}s",
    )
