"""One attempt at one job: claim (a short transaction), HTTP (none), outcome (a short one).

The one place where row, mapping and client meet; what can be decided without them is decided elsewhere.
"""

import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, transaction

from integrations import outbox, request_log
from integrations.breaker import give_back, may_send, note_error, note_success
from integrations.eligibility import Verdict, changes
from integrations.entities import ENTITIES
from integrations.facts import verdict_on
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
from integrations.retry import Again, decide, pause_of
from integrations.words import Words, in_words
from integrations.zuora import budget
from integrations.zuora.client import Client, Exchange
from integrations.zuora.errors import ZuoraError
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.push import Far, Mismatch, Waits, carry_out
from integrations.zuora.tenant import tenant_of

log = structlog.get_logger(__name__)
_DATABASE_PAUSE = timedelta(seconds=2)
#: So often a parent that is there already is looked at again at once.
_LOOKS_AT_ONCE = 2
#: So long one message may keep a thread, but for the delivery under way: a click must find one soon.
_TURN = timedelta(seconds=1)

_PRIORITIES = {
    Priority.CLICK: budget.Priority.CLICK,
    Priority.USAGE: budget.Priority.USAGE,
    Priority.CHANGE: budget.Priority.CHANGES,
    Priority.BACKFILL: budget.Priority.BACKFILL,
}


@dataclass(frozen=True)
class Woken:
    """The jobs to wake after a delivery; `sweep` when the tenant has come back and everything due may go."""

    jobs: tuple[int, ...] = ()
    sweep: bool = False


@dataclass
class _Attempt:
    """What an attempt has to write down at its end."""

    job: SyncJob
    delivery: Delivery
    probe_until: datetime | None  # set when this attempt is the probe of a tenant that is down
    exchanges: list[Exchange] = field(default_factory=list)


def deliver_in_turn(
    *, job_ids: Iterable[int], worker: str, clock: Callable[[], datetime], open_client: Callable[[Connection], Client]
) -> Woken:
    """Deliver jobs one after the other, each followed by the first that it woke; return the jobs to wake now.

    Whoever has written to an account goes on there by himself: most customers wake their subscription, and a message
    for it would cost as much as its reads. What is not begun within a second is among the returned.
    """
    ends = clock() + _TURN
    turn, others, sweep = deque(job_ids), list[int](), False
    while turn:
        woken = deliver(job_id=turn.popleft(), worker=worker, clock=clock, open_client=open_client)
        turn.extendleft(woken.jobs[:1])
        others += woken.jobs[1:]
        sweep = sweep or woken.sweep
        if clock() >= ends:
            break
    return Woken((*turn, *others), sweep=sweep)


def deliver(
    *, job_id: int, worker: str, clock: Callable[[], datetime], open_client: Callable[[Connection], Client]
) -> Woken:
    """Push the entity of one job as it is now, and return the jobs that can go next.

    Does nothing when the job is not due, somebody else has it, or the tenant is known to be down.
    """
    track_id = f"job-{job_id}-{uuid.uuid4().hex[:12]}"
    delivery = Delivery(track_id=track_id, worker=worker, started_at=clock())

    def begin(job: SyncJob) -> None:
        delivery.job = job
        delivery.save(force_insert=True)

    job = outbox.claim(
        job_id=job_id,
        worker=worker,
        now=clock(),
        may_go=lambda connection: may_send(connection, now=clock()),
        begin=begin,
    )
    if job is None:
        return Woken()
    attempt = _Attempt(job, delivery, probe_until=job.connection.paused_until)
    with structlog.contextvars.bound_contextvars(track_id=track_id, entity=job.key):
        client = open_client(job.connection).for_delivery(
            track_id=track_id, priority=_PRIORITIES[Priority(job.priority)], on_exchange=attempt.exchanges.append
        )
        far = Far(client=client, connection=job.connection, tenant=tenant_of(job.connection), clock=clock)
        return _attempt(attempt, far)


def _attempt(attempt: _Attempt, far: Far) -> Woken:
    job = attempt.job
    entity = ENTITIES[EntityKind(job.kind)].load(job.entity_id)
    if entity is None:
        return _end(attempt, far, JobState.DONE, DeliveryOutcome.UNCHANGED, reason="It was deleted before it was sent.")
    record = SyncRecord.objects.get(connection=job.connection, key=job.key)
    record.connection = job.connection
    verdict = verdict_on(entity, connection=job.connection, record=record)
    if verdict is not None:
        attempt.delivery.decided = changes(record.trace, verdict.trace)
        record.mark_trace(verdict.trace)
    try:
        carry_out(far, entity, record, syncs=verdict is None or verdict.syncs)
    except Exception as error:  # noqa: BLE001 - whatever happened, the job gets an end and a reason
        return _end_early(attempt, far, record, error)
    if verdict is not None and not verdict.syncs:
        return _stop(attempt, far, record, verdict)
    record.keep_trace()
    woken = _end(attempt, far, JobState.DONE, DeliveryOutcome.SENT if far.writes else DeliveryOutcome.UNCHANGED)
    if job.kind == EntityKind.SUBSCRIPTION:
        return woken  # nobody waits for one
    children = outbox.release_children(connection=job.connection, key=job.key, now=far.clock())
    return Woken((*woken.jobs, *children), sweep=woken.sweep)


def _end_early(attempt: _Attempt, far: Far, record: SyncRecord, error: Exception) -> Woken:
    match error:
        case Waits():
            return _wait(attempt, far, record, error)
        case Refused() | Mismatch():
            return _fail(attempt, far, record, Words(str(error), ""))
        case ZuoraError():
            return _failed_call(attempt, far, record, error)
        case OperationalError():  # our own database was busy or away: nothing is known to be wrong with the entity
            return _again(
                attempt, far, f"Our own database failed: {error}", Again(far.clock() + _DATABASE_PAUSE, counts=False)
            )
    log.error("A push broke; this is a mistake in the program.", exc_info=error)
    return _fail(attempt, far, record, Words("The program made a mistake.", "Look for the track id in the log."))


def _stop(attempt: _Attempt, far: Far, record: SyncRecord, verdict: Verdict) -> Woken:
    if record.cancel_wanted_at is not None:
        record.cancel_wanted_at = None
        record.save(update_fields=["cancel_wanted_at"])
    record.mark_status(SyncStatus.NO_SYNC_REQUIRED, now=far.clock())
    return _end(attempt, far, JobState.DONE, DeliveryOutcome.NOT_SYNCED, reason=verdict.reason)


def _wait(attempt: _Attempt, far: Far, record: SyncRecord, waits: Waits) -> Woken:
    record.mark_status(SyncStatus.PENDING, now=far.clock())
    woken = _end(attempt, far, JobState.WAITING, DeliveryOutcome.WAITS, reason=str(waits), waiting_for=waits.key)
    parent = SyncRecord.objects.filter(connection=far.connection, key=waits.key).first()
    if parent is None or not parent.is_linked or parent.status != SyncStatus.SUCCESS:
        return woken
    if attempt.job.attempts > _LOOKS_AT_ONCE:
        # The parent is there without what is needed of it: that may never come, so we look less and less often.
        outbox.look_again(job=attempt.job, key=waits.key, at=far.clock() + pause_of(attempt.job.attempts))
        return woken
    # The parent arrived between our look and our wait: nobody else will wake us.
    return Woken((*woken.jobs, *outbox.release_children(connection=far.connection, key=waits.key, now=far.clock())))


def _failed_call(attempt: _Attempt, far: Far, record: SyncRecord, error: ZuoraError) -> Woken:
    now = far.clock()
    note_error(far.connection, error, now=now)
    again = decide(
        error,
        attempts=attempt.job.attempts,
        most=settings.SYNC_MAX_ATTEMPTS,
        now=now,
        jitter=random.SystemRandom().random,
    )
    words = in_words(error)
    if again is None:
        record.zuora_says = "; ".join(str(reason) for reason in error.reasons)
        record.zuora_request_id = error.request_id
        return _fail(attempt, far, record, words)
    record.keep_trace()
    return _again(attempt, far, words.what, again)


def _again(attempt: _Attempt, far: Far, reason: str, again: Again) -> Woken:
    return _end(
        attempt, far, JobState.WAITING, DeliveryOutcome.RETRY, reason=reason, not_before=again.at, counts=again.counts
    )


def _fail(attempt: _Attempt, far: Far, record: SyncRecord, words: Words) -> Woken:
    record.error, record.cure = words.what, words.cure
    record.mark_status(SyncStatus.ERROR, now=far.clock(), save=False)
    record.save(update_fields=["error", "cure", "zuora_says", "zuora_request_id", "status", "status_since", "trace"])
    return _end(attempt, far, JobState.FAILED, DeliveryOutcome.FAILED, reason=words.text)


def _end(
    attempt: _Attempt, far: Far, state: JobState, outcome: DeliveryOutcome, *, reason: str = "", **more: Any
) -> Woken:
    now = far.clock()
    job, delivery = attempt.job, attempt.delivery
    delivery.outcome, delivery.error, delivery.finished_at = outcome, reason, now
    with transaction.atomic():
        delivery.save(update_fields=["outcome", "error", "decided", "finished_at"])
        request_log.keep(attempt.exchanges, connection=far.connection, delivery=delivery)
        back_up = bool(attempt.exchanges) and outcome is not DeliveryOutcome.RETRY and note_success(far.connection)
        if back_up:
            outbox.forget_rings(connection=far.connection)
        # A probe that had nothing to ask Zuora makes room for the next at once: a backlog of such would take for ever.
        blank = give_back(far.connection, probe_until=attempt.probe_until, now=now) and not attempt.exchanges
        woken = outbox.settle(job=job, state=state, now=now, reason=reason, **more)
    log.info("delivered", outcome=outcome.value, calls=len(attempt.exchanges), reason=reason, took=_took(delivery))
    return Woken(tuple(woken), sweep=back_up or blank)


def _took(delivery: Delivery) -> str:
    took: timedelta = (delivery.finished_at or delivery.started_at) - delivery.started_at
    return f"{took.total_seconds():.3f}s"
