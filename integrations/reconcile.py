"""The net under what saved no signal: compares what is with what was sent, and enqueues the differences."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations import outbox
from integrations.delivery import would_send
from integrations.entities import ENTITIES, Wish
from integrations.models import Connection, Priority
from integrations.zuora.client import Client

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


def _enqueue(connection: Connection, wishes: list[Wish], now: datetime) -> None:
    if wishes:
        outbox.wish(connection=connection, wishes=wishes, now=now, priority=Priority.BACKFILL, settle=timedelta())
