"""The reconcile as work in the background: what differs is found chunk by chunk, and enqueued with the checkpoint."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from integrations import wishing
from integrations.bulk.backfill import count, next_wishes
from integrations.bulk.following import connection_of
from integrations.entities import Wish
from integrations.models import Connection, Operation, Priority
from integrations.operations import Kind, Line, Step, start
from integrations.reconcile import differing
from integrations.zuora.tenant import client_for

NAME = "reconcile"
EQUAL, ENQUEUED = "Equal", "Differs: looked at again"
_CHUNK = 200


def _fetch(operation: Operation, checkpoint: dict[str, Any], now: datetime) -> tuple[list[Wish], int, Any]:
    connection = connection_of(operation)
    wishes, place = next_wishes(checkpoint.get("place"), most=_CHUNK)
    found = differing(connection=connection, wishes=wishes, client=client_for(connection), now=now)
    return found, len(wishes), place


def _step(
    operation: Operation, _checkpoint: Mapping[str, Any], fetched: tuple[list[Wish], int, Any], now: datetime
) -> Step:
    found, looked_at, place = fetched
    wishing.wish(
        connection=connection_of(operation), wishes=found, now=now, priority=Priority.BACKFILL, settle=timedelta()
    )
    return Step(
        checkpoint=None if place is None else {"place": place},
        done=looked_at,
        lines=tuple(Line(wish.key, ENQUEUED) for wish in found),
        tally={EQUAL: looked_at - len(found), ENQUEUED: len(found)},
        ring=bool(found),
    )


KIND = Kind(NAME, _step, _fetch)


def begin(*, connection: Connection, actor: User | None, now: datetime) -> Operation:
    """Begin a reconcile.

    Raises:
        AlreadyUnderWay: one is not finished yet.
    """
    return start(
        kind=NAME,
        title="Compare everything with what was sent",
        connection=connection,
        total=count(),
        exclusive=NAME,
        actor=actor,
        now=now,
    )
