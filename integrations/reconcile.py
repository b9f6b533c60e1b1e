"""The net under what saved no signal: compares what is with what was sent, and names the differences."""

from collections.abc import Iterable
from datetime import datetime

from integrations.entities import ENTITIES, Wish
from integrations.facts import verdict_on
from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus
from integrations.zuora.client import Client
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.push import PUSH, Difference, Far, Mismatch, Waits
from integrations.zuora.tenant import tenant_of


def differing(*, connection: Connection, wishes: Iterable[Wish], client: Client, now: datetime) -> list[Wish]:
    """Return the wishes whose push would send or change anything."""
    return [
        wish
        for wish in wishes
        if would_send(connection=connection, kind=wish.kind, entity_id=wish.entity_id, client=client, now=now)
    ]


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
    verdict = verdict_on(entity, connection=connection, record=record)
    if verdict is not None and (not verdict.syncs or record.status == SyncStatus.NO_SYNC_REQUIRED):
        return verdict.syncs or record.status != SyncStatus.NO_SYNC_REQUIRED
    try:
        PUSH[kind](far, entity, record)
    except Difference:
        return True
    except (Refused, Mismatch, Waits):
        return record.status == SyncStatus.SUCCESS
    return record.status == SyncStatus.PENDING
