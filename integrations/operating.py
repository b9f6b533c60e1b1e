"""What a person does with the sync; each leaves a line in the audit log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from integrations import operations, timeline, wishing
from integrations.acting import PROGRAM, doing
from integrations.bulk import backfill, retrying
from integrations.entities import ENTITIES
from integrations.models import (
    AuditEntry,
    Connection,
    EntityKind,
    Happening,
    JobState,
    Operation,
    Priority,
    SyncJob,
    SyncRecord,
)
from integrations.tasks import ring, ring_operation

_LONGEST_NAME = 255


class Impossible(Exception):  # noqa: N818 - an answer for a person
    """What was asked for cannot be done; the text says why and what can."""


def note(*, actor: User | None, action: str, subject: str, now: datetime, **detail: Any) -> None:
    """Write a line of the audit log; without an actor it was an application, by its API key, or the program itself."""
    AuditEntry.objects.create(
        at=now,
        actor=actor,
        actor_name=actor.get_username() if actor else _who(),
        action=action,
        subject=subject,
        detail=detail,
    )


def _who() -> str:
    who = doing().who
    return "system" if who == PROGRAM else who[:_LONGEST_NAME]


@transaction.atomic
def sync_now(*, kind: EntityKind, entity_ids: Sequence[int], actor: User | None, now: datetime) -> int:
    """Push these entities before anything else; return for how many a job was stored."""
    connection = connection_in_use()
    entity = ENTITIES[kind]
    rows = entity.model._default_manager.filter(entity.pushed, pk__in=entity_ids)  # noqa: SLF001 - Django's public name
    wishes = [entity.wish(row) for row in rows]
    jobs = wishing.wish(connection=connection, wishes=wishes, now=now, priority=Priority.CLICK, settle=timedelta())
    subject = wishes[0].key if len(wishes) == 1 else f"{len(wishes)} x {kind.label}"
    note(actor=actor, action="sync", subject=subject, now=now, keys=[w.key for w in wishes])
    _happened(Happening.ASKED, [(kind, w.entity_id) for w in wishes], actor=actor, now=now)
    transaction.on_commit(partial(ring, jobs, priority=Priority.CLICK), robust=True)
    return len(jobs)


@transaction.atomic
def sync_everything(*, actor: User | None, now: datetime, afresh: bool = False) -> Operation:
    """Let every entity be looked at again in the background, parents first.

    `afresh`: the world has changed, so that an earlier one that is under way gives way to this one.

    Raises:
        Impossible: Zuora is not connected, or one is under way.
    """
    connection = connection_in_use()
    for earlier in Operation.objects.filter(kind=backfill.NAME, finished_at=None) if afresh else ():
        operations.cancel(operation_id=earlier.pk, now=now)
    try:
        operation = backfill.begin(connection=connection, actor=actor, now=now)
    except operations.AlreadyUnderWay as answer:
        raise Impossible(str(answer)) from answer
    note(actor=actor, action="sync everything", subject=str(connection), now=now, entities=operation.total)
    transaction.on_commit(partial(ring_operation, operation.pk), robust=True)
    return operation


@transaction.atomic
def retry_cause(*, cause: str, kind: str = "", actor: User | None, now: datetime) -> Operation:
    """Try all failed jobs of one cause again in the background, or of one kind of entity; empty stands for all.

    Raises:
        Impossible: nothing failed in that way any more, or Zuora is not connected.
    """
    operation = retrying.begin(connection=connection_in_use(), cause=cause, kind=kind, actor=actor, now=now)
    if operation is None:
        raise Impossible("Nothing fails in that way any more: it was tried again, or settled, meanwhile.")
    note(actor=actor, action="retry cause", subject=cause or "every failure", now=now, jobs=operation.total)
    transaction.on_commit(partial(ring_operation, operation.pk), robust=True)
    return operation


@transaction.atomic
def pause_operation(*, operation: Operation, actor: User, now: datetime) -> None:
    """Let work in the background stand where it is.

    Raises:
        Impossible: it does not run.
    """
    if not operations.pause(operation_id=operation.pk):
        raise Impossible("It does not run any more: there is nothing to pause.")
    note(actor=actor, action="pause", subject=operation.title, now=now)


@transaction.atomic
def resume_operation(*, operation: Operation, actor: User, now: datetime) -> None:
    """Let work in the background go on from where it stands.

    Raises:
        Impossible: it does not stand, or another one took its place.
    """
    try:
        if not operations.resume(operation_id=operation.pk, now=now):
            raise Impossible("It does not stand: there is nothing to resume.")
    except operations.AlreadyUnderWay as answer:
        raise Impossible(str(answer)) from answer
    note(actor=actor, action="resume", subject=operation.title, now=now)
    transaction.on_commit(partial(ring_operation, operation.pk), robust=True)


@transaction.atomic
def cancel_operation(*, operation: Operation, actor: User, now: datetime) -> None:
    """End work in the background where it is; what it did stays done.

    Raises:
        Impossible: it has ended.
    """
    if not operations.cancel(operation_id=operation.pk, now=now):
        raise Impossible("It has ended already.")
    note(actor=actor, action="cancel", subject=operation.title, now=now, done=operation.done)


@transaction.atomic
def keep(*, record: SyncRecord, actor: User, now: datetime) -> None:
    """Leave what is in Zuora as it is: it is no longer shown as something to decide."""
    _stopped(record)
    record.kept_at = now
    record.save(update_fields=["kept_at"])
    note(actor=actor, action="keep in Zuora", subject=record.key, now=now)
    _happened(Happening.KEPT, [(record.kind, record.root_id)], actor=actor, now=now)


@transaction.atomic
def cancel_there(*, record: SyncRecord, actor: User, now: datetime) -> None:
    """Cancel the subscription in Zuora as of today, although the rules keep it from being synced.

    Raises:
        Impossible: it is no subscription whose sync has stopped.
    """
    _stopped(record)
    if record.kind != EntityKind.SUBSCRIPTION:
        raise Impossible("Only a subscription can be cancelled in Zuora: an account ends with its subscriptions.")
    record.cancel_wanted_at = now
    record.save(update_fields=["cancel_wanted_at"])
    note(actor=actor, action="cancel in Zuora", subject=record.key, now=now)
    _happened(Happening.CANCELLED, [(record.kind, record.root_id)], actor=actor, now=now)
    sync_now(kind=EntityKind.SUBSCRIPTION, entity_ids=[record.root_id], actor=actor, now=now)


@transaction.atomic
def dismiss(*, job: SyncJob, reason: str, actor: User, now: datetime) -> None:
    """Take a failed job off the list of problems, with the reason."""
    changed = SyncJob.objects.filter(pk=job.pk, state=JobState.FAILED).update(
        state=JobState.DONE, reason=reason, cause=""
    )
    if not changed:
        raise Impossible("A worker was faster: the job is no longer failed.")
    note(actor=actor, action="dismiss", subject=job.key, now=now, reason=reason)
    _happened(Happening.DISMISSED, [(job.kind, job.entity_id)], actor=actor, now=now, subject=reason)


def _happened(
    what: Happening, entities: list[tuple[str, int]], *, actor: User | None, now: datetime, subject: str = ""
) -> None:
    timeline.note(
        what=what, entities=entities, now=now, subject=subject, who=actor.get_username() if actor else ""
    )  # fmt: skip


def connection_in_use() -> Connection:
    """Return the tenant that is connected.

    Raises:
        Impossible: there is none.
    """
    connection = Connection.objects.active().first()
    if connection is None:
        raise Impossible("Zuora is not connected: connect it at Settings > Integrations > Apps > Zuora.")
    return connection


def _stopped(record: SyncRecord) -> None:
    if not record.is_stopped:
        raise Impossible("Its sync has not stopped: there is nothing to decide.")
