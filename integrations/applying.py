"""What a person does with previews: see what would be sent, and have it sent, which is noted in the audit log."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from integrations import operations, previewing
from integrations.bulk import applying, previews
from integrations.models import Connection, EntityKind, Operation, OperationState
from integrations.operating import Impossible, connection_in_use, note, sync_now
from integrations.tasks import ring_operation
from integrations.words import in_words_of_a_read
from integrations.zuora import leases
from integrations.zuora.client import Client
from integrations.zuora.errors import ZuoraError
from integrations.zuora.tenant import client_for


def apply_preview(
    *,
    kind: EntityKind,
    entity_id: int,
    digest: str,
    actor: User | None,
    now: datetime,
    open_client: Callable[[Connection], Client] = client_for,
) -> None:
    """Push what a preview with this digest showed, before anything else. Outside a transaction: it asks Zuora.

    Raises:
        Impossible: either side has moved since, there is nothing to send, or Zuora cannot be asked.
    """
    seen = preview_entity(kind=kind, entity_id=entity_id, now=now, open_client=open_client)
    if moved := previewing.moved_since(digest, seen):
        raise Impossible(moved)
    if seen.outcome not in previewing.SENDS:
        raise Impossible("There is nothing to send.")
    with transaction.atomic():
        note(actor=actor, action="apply preview", subject=seen.key, now=now, requests=len(seen.requests))
        sync_now(kind=kind, entity_ids=[entity_id], actor=actor, now=now)


def preview_entity(
    *, kind: EntityKind, entity_id: int, now: datetime, open_client: Callable[[Connection], Client] = client_for
) -> previewing.Preview:
    """Return what a push of the entity would send now. Outside a transaction: it asks Zuora.

    Raises:
        Impossible: Zuora is not connected, or cannot be asked.
    """
    try:
        return previewing.preview_logged(
            connection=connection_in_use(),
            kind=kind,
            entity_id=entity_id,
            now=now,
            open_client=open_client,
            priority=leases.Priority.CLICK,
        )
    except ZuoraError as error:
        raise Impossible(f"Zuora cannot be asked. {in_words_of_a_read(error)}") from error


@transaction.atomic
def preview_many(
    *, kind: EntityKind, entity_ids: Sequence[int], what: str, actor: User | None, now: datetime
) -> Operation:
    """Begin to preview these entities in the background; `what` names them for a person.

    Raises:
        Impossible: there are none, or too many, or Zuora is not connected.
    """
    connection = connection_in_use()
    if not entity_ids:
        raise Impossible("The list is empty: there is nothing to preview.")
    if len(entity_ids) > previews.MOST:
        raise Impossible(
            f"A preview reads each of them from Zuora, at most {previews.MOST:,}: filter the list further."
        )
    operation = previews.begin(connection=connection, kind=kind, entity_ids=entity_ids, what=what, actor=actor, now=now)
    note(actor=actor, action="preview", subject=operation.title, now=now, entities=operation.total)
    transaction.on_commit(partial(ring_operation, operation.pk), robust=True)
    return operation


@transaction.atomic
def apply_many(*, operation: Operation, actor: User | None, now: datetime) -> Operation:
    """Begin to push what the preview of a list showed; each entity that has moved since is left out, and named.

    Raises:
        Impossible: it is no preview that has ended, it showed nothing to send, or it is being applied.
    """
    connection = connection_in_use()
    if operation.kind != previews.NAME or operation.state != OperationState.DONE:
        raise Impossible("Only a preview that has ended can be applied.")
    try:
        begun = applying.begin(connection=connection, preview=operation, actor=actor, now=now)
    except operations.AlreadyUnderWay as answer:
        raise Impossible(str(answer)) from answer
    if not begun.total:
        raise Impossible("It showed nothing to send.")  # and nothing is begun: the transaction is given up
    note(actor=actor, action="apply previews", subject=operation.title, now=now, entities=begun.total)
    transaction.on_commit(partial(ring_operation, begun.pk), robust=True)
    return begun
