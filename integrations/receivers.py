"""Every save that Zuora should hear of: the only place where signals are received.

The job is written in the same transaction as the change, so both are stored or neither; the worker is woken after the
commit. `update()` and `bulk_create()` send no signal: who uses them may say so (`collecting.collect_stored`), and the
nightly reconcile finds the rest.
"""

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import models, transaction
from django.db.models import ProtectedError, Q
from django.db.models.signals import post_delete, post_save, pre_delete
from django.utils import timezone

from integrations import operating, timeline, wishing
from integrations.behind import ENTITIES_BEHIND, behind
from integrations.collecting import collect
from integrations.entities import ENTITIES, entity_of
from integrations.models import Connection, Happening, Priority, SyncRecord
from integrations.tasks import ring


def wish_for_saved(
    instance: models.Model,
    *,
    raw: bool = False,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """Store the wish to push whatever this row belongs to, and who saved it."""
    if raw:  # a fixture is loaded: its rows may not be whole yet
        return
    _wish(behind([instance]), cause=instance, what=Happening.SAVED, fields=update_fields or ())


def wish_for_deleted(instance: models.Model, **_: Any) -> None:
    """Store the wish to push whatever lost this row, unless that is deleted with it."""
    try:
        rows = behind([instance])
    except models.ObjectDoesNotExist:
        return
    left = [row for row in rows if row.pk is not None and type(row)._default_manager.filter(pk=row.pk).exists()]  # noqa: SLF001
    _wish(left, cause=instance, what=Happening.DELETED)
    entity = entity_of(instance)
    if entity is not None:
        # It was never in Zuora: nothing is known of it, and it must not be counted.
        SyncRecord.objects.filter(kind=entity.kind, root_id=instance.pk).delete()


def refuse_to_delete(sender: type[models.Model], instance: models.Model, **_: Any) -> None:
    """Refuse to delete what Zuora knows.

    Raises:
        ProtectedError: it is in Zuora, where it would stay for ever without anybody looking after it.
    """
    entity = entity_of(instance)
    if entity is None:
        return
    known = SyncRecord.objects.filter(kind=entity.kind, root_id=instance.pk).filter(
        ~Q(zuora_id="") | Q(pending_since__isnull=False)
    )
    if known.exists():
        name = sender._meta.verbose_name  # noqa: SLF001 - Django's public name for it
        raise ProtectedError(f"This {name} is in Zuora, which keeps it: archive or cancel it instead.", {instance})


def _wish(rows: Iterable[models.Model], *, cause: models.Model, what: Happening, fields: Collection[str] = ()) -> None:
    touched = [(row, entity.wish(row)) for row in rows if (entity := entity_of(row)) is not None]
    wishes = [wish for row, wish in touched if getattr(row, "status", "") != "DRAFT"]
    if collect(wishes):
        return
    now = timezone.now()
    entities = [(wish.kind, wish.entity_id) for _, wish in touched]
    timeline.note(what=what, entities=entities, now=now, subject=_name(cause), fields=set(fields) - {"updated_at"})
    connection = Connection.objects.active().first() if wishes else None
    if connection is None:
        return
    jobs = wishing.wish(connection=connection, wishes=wishes, now=now, priority=Priority.CHANGE)
    bell = partial(ring, jobs, priority=Priority.CHANGE, delay=settings.SYNC_SETTLE_SECONDS)
    transaction.on_commit(bell, robust=True)


def _name(row: models.Model) -> str:
    """Return what a row is called, without a query: `subscription first`, `price`."""
    return f"{row._meta.verbose_name} {getattr(row, 'ref_id', '')}".strip()  # noqa: SLF001 - Django's public name for it


def note_raw_change(instance: LogEntry, created: bool, **_: Any) -> None:  # noqa: FBT001 - Django's signature
    """Write what somebody does in Django admin into the audit log, too; our own rows' verbs have done so already."""
    if not created or (instance.content_type and instance.content_type.app_label == "integrations"):
        return
    operating.note(
        actor=instance.user,
        action=_RAW[instance.action_flag],
        subject=f"{instance.content_type}: {instance.object_repr}"[:300],
        now=timezone.now(),
        changed=instance.get_change_message(),
    )


_RAW = {ADDITION: "add in raw rows", CHANGE: "change in raw rows", DELETION: "delete in raw rows"}
post_save.connect(note_raw_change, sender=LogEntry, dispatch_uid="audit")
for _model in ENTITIES_BEHIND:
    post_save.connect(wish_for_saved, sender=_model, dispatch_uid="sync")
    post_delete.connect(wish_for_deleted, sender=_model, dispatch_uid="sync")
for _entity in ENTITIES.values():
    pre_delete.connect(refuse_to_delete, sender=_entity.model, dispatch_uid="sync")
