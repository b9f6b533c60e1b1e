"""Doors for Celery: each task takes an id, calls one function, and wakes whom it is told to wake."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import ChannelError, KombuError, OperationalError

from integrations import delivery, figures, operations, outbox, purging, sweeping, usage_delivery, usage_reconcile
from integrations.breaker import next_probe
from integrations.bulk import KINDS, reconciling
from integrations.models import Connection, Priority, StiggEvent, UsageReconciliation
from integrations.stigg import events
from integrations.zuora.tenant import client_for
from subscriptions.taking_effect import take_effect

log = structlog.get_logger(__name__)
#: So many jobs may lie in the queues at once. A long backlog stays in the database: what lies long is rung again,
#: and messages that come twice would soon be most of them.
_QUEUE_ROOM = 1000
#: So many jobs of a backfill share a message, and with it a claim, their reads and the storing of their outcomes: as
#: many as are sent within a second, where a few threads share the calls that the tenant allows.
_TOGETHER = 8
_QUIET_SECONDS = 1.0
_quiet_until = 0.0


def ring(job_ids: Iterable[int], *, priority: int, delay: float = 0.0, refill: bool = False) -> None:
    """Wake workers for these jobs; when the broker is away the sweep will, so a save never fails for it.

    With `refill`, whoever takes the message in the middle asks for a sweep: the queue is filled again in good time.
    """
    global _quiet_until  # noqa: PLW0603 - one silence for the whole process, so that 100 saves wait once
    if time.monotonic() < _quiet_until:
        return
    messages = list(_messages(list(job_ids), priority=priority))
    try:
        for number, ids in enumerate(messages):
            more = {"refill": True} if refill and number == len(messages) // 2 else {}
            deliver.apply_async(ids, more, countdown=delay, queue=Priority(priority).queue)
    except (OperationalError, KombuError, OSError):
        _quiet_until = time.monotonic() + _QUIET_SECONDS
        log.warning("The broker is away: the jobs are stored, and swept up when it is back.")


def _messages(job_ids: list[int], *, priority: int) -> Iterator[tuple[int, ...]]:
    size = _jobs_in_message(priority)
    for start in range(0, len(job_ids), size):
        yield tuple(job_ids[start : start + size])


def _jobs_in_message(priority: int) -> int:
    return _TOGETHER if priority == Priority.BACKFILL else 1


def ring_sweep() -> None:
    """Wake a worker for everything that is due."""
    try:
        sweep.apply_async(queue=Priority.CHANGE.queue)
    except (OperationalError, KombuError, OSError):
        log.warning("The broker is away: the jobs are stored, and swept up when it is back.")


def ring_operation(operation_id: int, *, delay: float = 0.0) -> None:
    """Wake a worker for work in the background; a message that nobody took in time is made up for by the sweep."""
    try:
        operate.apply_async((operation_id,), countdown=delay, expires=delay + 60, queue=Priority.CLICK.queue)
    except (OperationalError, KombuError, OSError):
        log.warning("The broker is away: the work is stored, and gone on with when it is back.")


@shared_task(name="integrations.operate")
def operate(operation_id: int) -> None:
    """Go on with work in the background for a moment."""
    ran = operations.run(operation_id=operation_id, kinds=KINDS, worker=outbox.worker_name(), clock=timezone.now)
    if ran.ring:
        ring_sweep()
    if ran.again is not None:
        ring_operation(operation_id, delay=ran.again)


def ring_stigg_event(event_id: int) -> None:
    """Wake a worker for an event of Stigg's; a message that nobody took in time is made up for by the sweep."""
    try:
        stigg_event.apply_async((event_id,), expires=60, queue=Priority.CHANGE.queue)
    except (OperationalError, KombuError, OSError):
        log.warning("The broker is away: the event is stored, and looked at when it is back.")


@shared_task(name="integrations.stigg_event")
def stigg_event(event_id: int) -> None:
    """Do what an event of Stigg's asks for."""
    event = StiggEvent.objects.due(now=timezone.now()).select_related("account").filter(pk=event_id).first()
    if event is not None:
        events.process(event, clock=timezone.now)


@shared_task(name="integrations.deliver")
def deliver(*job_ids: int, refill: bool = False) -> None:
    """Push the entities of these jobs."""
    if refill:
        ring_sweep()
    woken = delivery.deliver_in_turn(
        job_ids=job_ids, worker=outbox.worker_name(), clock=timezone.now, open_client=client_for
    )
    for priority, ids in outbox.by_priority(woken.jobs):
        ring(ids, priority=priority)
    if woken.sweep:
        ring_sweep()


@shared_task(name="integrations.sweep")
def sweep() -> None:
    """Wake what nobody woke: lost messages, dead workers' jobs, arrived parents, a tenant that may be back."""
    now = timezone.now()
    for priority, ids in outbox.by_priority(sweeping.release_stuck(now=now)):
        ring(ids, priority=priority)
    sweeping.release_orphans(now=now)
    most = _queue_room() if (probes := next_probe(now=now)) is None else probes
    due = sweeping.ring_due(now=now, most=most)
    for priority, jobs in groupby(due, key=itemgetter(1)):
        ring([pk for pk, _ in jobs], priority=priority, refill=probes is None and len(due) == most)
    for operation_id in operations.due(now=now):
        ring_operation(operation_id)
    for event_id in events.due(now=now):
        ring_stigg_event(event_id)


@shared_task(name="integrations.count")
def count() -> None:
    """Count what pages show and would wait for."""
    figures.count_due(now=timezone.now())


def _queue_room() -> int:
    """Return how many jobs more may lie in the queues."""
    lying = 0
    with current_app.connection_for_write() as broker:
        channel: Any = broker.default_channel  # its types leave most of it out
        for priority in Priority:
            with suppress(ChannelError):  # Redis knows no empty queue
                found = channel.queue_declare(priority.queue, passive=True)
                lying += found.message_count * _jobs_in_message(priority)
    return max(0, _QUEUE_ROOM - lying)


@shared_task(name="integrations.take_effect")
def take_effect_by_the_clock() -> None:
    """Let subscriptions start, change and end whose moment has come."""
    take_effect(now=timezone.now())


@shared_task(name="integrations.reconcile")
def reconcile_nightly() -> None:
    """Compare digests and enqueue what differs: the net under saves that sent no signal."""
    connection = Connection.objects.active().first()
    if connection is not None:
        with suppress(operations.AlreadyUnderWay):  # last night's has not ended
            ring_operation(reconciling.begin(connection=connection, actor=None, now=timezone.now()).pk)


@shared_task(name="integrations.purge")
def purge() -> None:
    """Forget old requests and finished jobs."""
    purging.purge(now=timezone.now(), days=settings.REQUEST_LOG_DAYS)


@shared_task(name="integrations.usage_hourly")
def usage_hourly() -> None:
    """Close the full hours, and let the usage of all subscriptions go, some to a task."""
    usage_delivery.run_hour(now=timezone.now(), ring=ring_usage)


def ring_usage(subscription_ids: list[int]) -> None:
    """Wake a worker for the usage of these subscriptions; where nobody hears it, it goes with the next hour."""
    try:
        usage_push.apply_async((subscription_ids,), queue=Priority.USAGE.queue)
    except (OperationalError, KombuError, OSError):
        log.warning("The broker is away: usage is counted, and goes with the next hour.")


@shared_task(name="integrations.usage_push")
def usage_push(subscription_ids: list[int]) -> None:
    """Plan and send the usage of these subscriptions."""
    connection = Connection.objects.active().first()
    if connection is not None:
        usage_delivery.push_usage(
            connection=connection,
            subscription_ids=subscription_ids,
            worker=outbox.worker_name(),
            clock=timezone.now,
            open_client=client_for,
        )


@shared_task(name="integrations.usage_sweep")
def usage_sweep() -> None:
    """Send usage that waits for another attempt, and read back what was accepted."""
    connection = Connection.objects.active().first()
    if connection is not None:
        usage_delivery.sweep_usage(
            connection=connection, worker=outbox.worker_name(), clock=timezone.now, open_client=client_for
        )


@shared_task(name="integrations.usage_reconcile")
def usage_reconcile_nightly(asked_at: str | None = None) -> None:
    """Compare events, slices and Zuora, and keep what was found: once what was told before has come on its way."""
    now = timezone.now()
    asked = datetime.fromisoformat(asked_at) if asked_at else now
    if usage_reconcile.should_wait(asked=asked, now=now) and _ring_reconcile(asked):
        return
    usage_reconcile.reconcile_and_keep(clock=timezone.now, open_client=client_for)


def _ring_reconcile(asked: datetime) -> bool:
    """Have it asked for again in some minutes; return whether the broker took the message."""
    seconds = usage_reconcile.LOOK_AGAIN.total_seconds()
    try:
        usage_reconcile_nightly.apply_async((asked.isoformat(),), countdown=seconds, queue=Priority.USAGE.queue)
    except (OperationalError, KombuError, OSError):
        log.warning("The broker is away: usage is compared though some of it is on its way.")
        return False
    return True


@shared_task(name="integrations.usage_compare")
def usage_compare(reconciliation_id: int) -> None:
    """Carry out a comparison that somebody asked for."""
    kept = UsageReconciliation.objects.filter(pk=reconciliation_id).first()
    if kept is not None:
        usage_reconcile.carry_out(kept, clock=timezone.now, open_client=client_for)


def ring_compare(reconciliation_id: int) -> bool:
    """Wake a worker for a comparison; return whether the broker took the message."""
    try:
        usage_compare.apply_async((reconciliation_id,), queue=Priority.CLICK.queue)
    except (OperationalError, KombuError, OSError):
        log.warning("The broker is away: nobody compares.")
        return False
    return True
