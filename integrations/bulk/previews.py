"""The preview of a list: each entity's preview is a line of the report."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from integrations.bulk.following import connection_of
from integrations.models import Connection, EntityKind, Operation
from integrations.operations import Kind, Later, Line, Step, start
from integrations.previewing import UNREADABLE, Preview, preview_logged
from integrations.words import in_words_of_a_read
from integrations.zuora import leases
from integrations.zuora.errors import ZuoraError
from integrations.zuora.tenant import client_for

NAME = "preview"
#: Each is read from Zuora by several calls, and keeps its difference.
MOST = 5000
_CHUNK = 10
_TENANT_PAUSE = timedelta(seconds=30)


def previewed(operation: Operation, kind: EntityKind, entity_id: int, now: datetime) -> Preview:
    """Preview one entity, after everything else that wants to talk to Zuora.

    Raises:
        Later: the tenant cannot be asked now.
    """
    try:
        return preview_logged(
            connection=connection_of(operation),
            kind=kind,
            entity_id=entity_id,
            now=now,
            open_client=client_for,
            priority=leases.Priority.BACKFILL,
        )
    except ZuoraError as error:
        raise Later(in_words_of_a_read(error), at=now + _TENANT_PAUSE) from error


def _fetch(operation: Operation, checkpoint: dict[str, Any], now: datetime) -> list[tuple[int, Preview]]:
    asked, at = operation.parameters, checkpoint.get("at", 0)
    ids = asked["ids"][at : at + _CHUNK]
    return [(pk, previewed(operation, EntityKind(asked["kind"]), pk, now)) for pk in ids]


def _step(operation: Operation, checkpoint: dict[str, Any], fetched: list[tuple[int, Preview]], _now: datetime) -> Step:
    at = checkpoint.get("at", 0) + len(fetched)
    tally = Counter(seen.outcome for _, seen in fetched)
    return Step(
        checkpoint={"at": at} if at < len(operation.parameters["ids"]) else None,
        done=len(fetched),
        failed=tally[UNREADABLE],
        lines=tuple(Line(seen.key, seen.outcome, seen.text, {**seen.as_json(), "id": pk}) for pk, seen in fetched),
        tally=tally,
    )


KIND = Kind(NAME, _step, _fetch)


def begin(
    *,
    connection: Connection,
    kind: EntityKind,
    entity_ids: Sequence[int],
    what: str,
    actor: User | None,
    now: datetime,
) -> Operation:
    """Begin to preview these entities."""
    return start(
        kind=NAME,
        title=f"Preview of {what}",
        connection=connection,
        parameters={"kind": kind.value, "ids": list(entity_ids)},
        total=len(entity_ids),
        actor=actor,
        now=now,
    )
