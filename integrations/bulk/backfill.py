"""Sync everything: every entity is looked at again, parents first."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from integrations.bulk.following import Found, follow
from integrations.entities import ENTITIES, Wish
from integrations.models import Connection, EntityKind, Operation, Priority
from integrations.operations import Kind, Step, start

NAME = "backfill"
_ORDER = list(ENTITIES)


def count() -> int:
    """Return how many entities there are to look at."""
    return sum(entity.rows().count() for entity in ENTITIES.values())


def _found(_operation: Operation, place: Any, most: int) -> Found:
    wishes, after = next_wishes(place, most=most)
    return Found(wishes, after)


def next_wishes(place: Any, *, most: int) -> tuple[list[Wish], Any]:
    """Return the wishes for the next entities by kind and key, at most so many, and the place after them.

    A place is `[kind, key of the last row]`, or None at both ends.
    """
    kind, after = (EntityKind(place[0]), place[1]) if place else (_ORDER[0], 0)
    wishes = ENTITIES[kind].wishes_after(after, most=most)
    if len(wishes) == most:
        return wishes, [kind, wishes[-1].entity_id]
    later = _ORDER[_ORDER.index(kind) + 1 :]
    return wishes, [later[0], 0] if later else None


def _step(operation: Operation, checkpoint: dict[str, Any], _fetched: Any, now: datetime) -> Step:
    return follow(operation, checkpoint, source=_found, priority=Priority.BACKFILL, now=now)


KIND = Kind(NAME, _step)


def begin(*, connection: Connection, actor: User | None, now: datetime) -> Operation:
    """Begin to sync everything.

    Raises:
        AlreadyUnderWay: one is not finished yet.
    """
    return start(
        kind=NAME,
        title="Sync everything",
        connection=connection,
        total=count(),
        exclusive=NAME,
        actor=actor,
        now=now,
    )
