"""The net under what saved no signal: compares what is with what was sent, and enqueues the differences."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations import outbox
from integrations.entities import ENTITIES, Wish
from integrations.facts import verdict_on
from integrations.models import Connection, EntityKind, Priority, SyncRecord, SyncStatus
from integrations.zuora.client import Client
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.push import PUSH, Difference, Far, Mismatch, Waits
from integrations.zuora.tenant import tenant_of

_CHUNK = 200


@dataclass(frozen=True)
class Reconciled:
    """How many entities were looked at, and how many differ and were enqueued."""

    looked_at: int
    enqueued: int


def reconcile(*, now: datetime, open_client: Callable[[Connection], Client]) -> Reconciled:
    """Enqueue every entity that a push would change; nothing is sent here, and what is equal costs no call."""
    connection = Connection.objects.active().first()
    if connection is None:
        return Reconciled(0, 0)
    client = open_client(connection)
    looked_at, found, differing = 0, 0, list[Wish]()
    for entity in ENTITIES.values():
        for wish in entity.wishes():
            looked_at += 1
            if would_send(connection=connection, kind=wish.kind, entity_id=wish.entity_id, client=client, now=now):
                differing.append(wish)
                found += 1
            if len(differing) >= _CHUNK:
                _enqueue(connection, differing, now)
                differing = []
    _enqueue(connection, differing, now)
    return Reconciled(looked_at, found)


def would_send(*, connection: Connection, kind: EntityKind, entity_id: int, client: Client, now: datetime) -> bool:
    """Return whether a push would send or change anything: nothing is sent, nothing is written."""
    far = Far(client=client, connection=connection, tenant=tenant_of(connection), clock=lambda: now, dry=True)
    entity = ENTITIES[kind].load(entity_id)
    if entity is None:
        return False
    record = SyncRecord.objects.filter(connection=connection, key=ENTITIES[kind].wish(entity).key).first()
    if record is None:
        return True
    record.connection = connection
    verdict = verdict_on(entity, connection=connection)
    if verdict is not None and (not verdict.syncs or record.status == SyncStatus.NO_SYNC_REQUIRED):
        return verdict.syncs or record.status != SyncStatus.NO_SYNC_REQUIRED
    try:
        PUSH[kind](far, entity, record)
    except Difference:
        return True
    except (Refused, Mismatch, Waits):
        return record.status == SyncStatus.SUCCESS
    return record.status == SyncStatus.PENDING


def _enqueue(connection: Connection, wishes: list[Wish], now: datetime) -> None:
    if wishes:
        outbox.wish(connection=connection, wishes=wishes, now=now, priority=Priority.BACKFILL, settle=timedelta())
