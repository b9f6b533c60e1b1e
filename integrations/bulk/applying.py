"""Applies the preview of a list: what has moved since, on either side, is left out and named."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet

from integrations.bulk.following import CHUNK, WINDOW, Found, connection_of, follow
from integrations.bulk.previews import previewed
from integrations.entities import ENTITIES, Wish
from integrations.models import Connection, EntityKind, Operation, OperationLine, Priority
from integrations.operations import Kind, Line, Step, start
from integrations.previewing import SENDS, moved_since

NAME = "apply"
MOVED = "Changed since the preview"
_CHUNK = 10


def _shown(preview_id: int) -> QuerySet[OperationLine]:
    return OperationLine.objects.filter(operation=preview_id, outcome__in=SENDS).order_by("pk")


def _fetch(operation: Operation, checkpoint: dict[str, Any], now: datetime) -> Found | None:
    """Look again at the next ones, unless all were, or enough are on their way."""
    if checkpoint.get("ended") or len(checkpoint.get("open", ())) > WINDOW - CHUNK:
        return None
    connection_of(operation)
    asked, place = operation.parameters, checkpoint.get("place") or 0
    kind = EntityKind(asked["kind"])
    lines = list(_shown(asked["preview"]).filter(pk__gt=place)[:_CHUNK])
    wishes: list[Wish] = []
    left_out: list[Line] = []
    for line in lines:
        seen = previewed(operation, kind, line.detail["id"], now)
        if moved := moved_since(line.detail["digest"], seen):
            left_out.append(Line(line.key, MOVED, moved))
        else:
            wishes += ENTITIES[kind].wishes_of([line.detail["id"]])
    return Found(wishes, lines[-1].pk if len(lines) == _CHUNK else None, tuple(left_out))


def _step(operation: Operation, checkpoint: dict[str, Any], fetched: Found | None, now: datetime) -> Step:
    found = fetched or Found([], checkpoint.get("place"))
    return follow(operation, checkpoint, source=lambda *_: found, priority=Priority.CHANGE, now=now)


KIND = Kind(NAME, _step, _fetch)


def begin(*, connection: Connection, preview: Operation, actor: User | None, now: datetime) -> Operation:
    """Begin to apply it.

    Raises:
        AlreadyUnderWay: it is being applied.
    """
    return start(
        kind=NAME,
        title=f"Apply: {preview.title}",
        connection=connection,
        parameters={"preview": preview.pk, "kind": preview.parameters["kind"]},
        total=_shown(preview.pk).count(),
        exclusive=f"{NAME}-{preview.pk}",
        actor=actor,
        now=now,
    )
