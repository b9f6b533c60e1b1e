"""What a person does with the sync; each leaves a line in the audit log."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from integrations import outbox
from integrations.entities import ENTITIES, Wish
from integrations.models import AuditEntry, Connection, EntityKind, JobState, Priority, SyncJob, SyncRecord
from integrations.tasks import ring, ring_sweep

_CHUNK = 1000


class Impossible(Exception):  # noqa: N818 - an answer for a person
    """What was asked for cannot be done; the text says why and what can."""


def note(*, actor: User | None, action: str, subject: str, now: datetime, **detail: Any) -> None:
    """Write a line of the audit log; without an actor it was the program itself."""
    AuditEntry.objects.create(
        at=now,
        actor=actor,
        actor_name=actor.get_username() if actor else "system",
        action=action,
        subject=subject,
        detail=detail,
    )


@transaction.atomic
def sync_now(*, kind: EntityKind, entity_ids: Sequence[int], actor: User | None, now: datetime) -> int:
    """Push these entities before anything else; return for how many a job was stored."""
    connection = _connection()
    entity = ENTITIES[kind]
    rows = entity.model._default_manager.filter(entity.pushed, pk__in=entity_ids)  # noqa: SLF001 - Django's public name
    wishes = [entity.wish(row) for row in rows]
    jobs = outbox.wish(connection=connection, wishes=wishes, now=now, priority=Priority.CLICK, settle=timedelta())
    note(actor=actor, action="sync", subject=f"{len(wishes)} x {kind.label}", now=now, keys=[w.key for w in wishes])
    transaction.on_commit(partial(ring, jobs, priority=Priority.CLICK), robust=True)
    return len(jobs)


def sync_everything(
    *, connection: Connection, actor: User | None, now: datetime, priority: Priority = Priority.BACKFILL
) -> int:
    """Let every entity be looked at again, parents first; return how many."""
    count = 0
    for entity in ENTITIES.values():
        for wishes in _chunks(entity.wishes()):
            count += len(
                outbox.wish(connection=connection, wishes=wishes, now=now, priority=priority, settle=timedelta())
            )
    note(actor=actor, action="sync everything", subject=str(connection), now=now, entities=count)
    transaction.on_commit(ring_sweep, robust=True)
    return count


@transaction.atomic
def keep(*, record: SyncRecord, actor: User, now: datetime) -> None:
    """Leave what is in Zuora as it is: it is no longer shown as something to decide."""
    _stopped(record)
    record.kept_at = now
    record.save(update_fields=["kept_at"])
    note(actor=actor, action="keep in Zuora", subject=record.key, now=now)


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
    sync_now(kind=EntityKind.SUBSCRIPTION, entity_ids=[record.root_id], actor=actor, now=now)


@transaction.atomic
def dismiss(*, job: SyncJob, reason: str, actor: User, now: datetime) -> None:
    """Take a failed job off the list of problems, with the reason."""
    changed = SyncJob.objects.filter(pk=job.pk, state=JobState.FAILED).update(state=JobState.DONE, reason=reason)
    if not changed:
        raise Impossible("A worker was faster: the job is no longer failed.")
    note(actor=actor, action="dismiss", subject=job.key, now=now, reason=reason)


def _connection() -> Connection:
    connection = Connection.objects.active().first()
    if connection is None:
        raise Impossible("Zuora is not connected: connect it at Settings > Integrations > Apps > Zuora.")
    return connection


def _stopped(record: SyncRecord) -> None:
    if not record.is_stopped:
        raise Impossible("Its sync has not stopped: there is nothing to decide.")


def _chunks(wishes: Iterable[Wish]) -> Iterator[list[Wish]]:
    rest = iter(wishes)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
