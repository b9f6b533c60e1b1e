"""Fifty records to a call of an Action: the key and the bytes are stored before anything leaves."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from integrations.models import (
    BatchState,
    Connection,
    SyncRecord,
    UsageAction,
    UsageBatch,
    UsageCharge,
    UsageRecord,
    UsageState,
)
from integrations.outbox import is_dead
from integrations.zuora.body import encode
from integrations.zuora.client.actions import MOST_OBJECTS
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.usage import Filed, usage_change, usage_object
from integrations.zuora.push.usage.charges import Linked, linked_records
from usage.inserting import insert
from usage.spans import among

_CHUNK = 20 * MOST_OBJECTS
_CLAIMED = ["state", "claimed_at", "claimed_by", "attempts", "sent_at"]


def form(
    *,
    connection: Connection,
    now: datetime,
    subscription_ids: Collection[int] | None = None,
    planned_before: datetime | None = None,
) -> list[int]:
    """Put what is due into batches, everybody's or some subscriptions', and return the batches' ids.

    Of what was never sent only that is taken which was planned before that moment.

    New records and changed ones go apart, because an Action does one thing. Usage of a subscription that has left the
    sync meanwhile stays planned.
    """
    batches: list[int] = []
    for action in (UsageAction.CREATE, UsageAction.UPDATE):
        done = 0
        while True:
            with transaction.atomic():
                rows = _due(connection, action, subscription_ids, now).filter(pk__gt=done)
                if planned_before is not None:
                    rows = rows.exclude(revision=0, not_before__gt=planned_before)
                locked = rows.select_related("charge").select_for_update(skip_locked=True, of=("self",), no_key=True)
                chunk = list(locked.order_by("pk")[:_CHUNK])
                batches += _form(connection, action, chunk, now) if chunk else ()
            if len(chunk) < _CHUNK:
                break
            done = chunk[-1].pk
    return batches


def form_full(
    connection: Connection, records: Sequence[UsageRecord], linked: Linked, *, now: datetime
) -> list[UsageBatch]:
    """Insert new records in full calls of their own, and return the batches; what fills none is only inserted.

    Nobody else has seen the records yet. `linked` are the records of the subscriptions that may send usage.
    """
    ready = [one for one in records if one.state == UsageState.PLANNED and one.charge.subscription_id in linked]
    parts = [ready[start : start + MOST_OBJECTS] for start in range(0, len(ready), MOST_OBJECTS)]
    full = [part for part in parts if len(part) == MOST_OBJECTS]
    batches = [_batch(connection, UsageAction.CREATE, part, linked, now) for part in full]
    insert(batches, into=UsageBatch.objects)
    for batch, part in zip(batches, full, strict=True):
        for one in part:
            one.state, one.batch_id, one.revision = UsageState.SENDING, batch.pk, 1
            one.sent, one.sent_starts_at = one.wanted, one.starts_at
    insert(records, into=UsageRecord.objects)
    for batch, part in zip(batches, full, strict=True):
        batch.record_ids = [one.pk for one in part]
    UsageBatch.objects.bulk_update(batches, ["record_ids"])
    return batches


def must_plan(*, connection: Connection, subscription_ids: Collection[int]) -> bool:
    """Whether what became of these subscriptions' last calls has to be made up for."""
    charges = UsageCharge.objects.filter(connection=connection, must_plan=True)
    return charges.filter(subscription__in=among(subscription_ids)).exists()


def has_due(*, connection: Connection, subscription_ids: Collection[int], now: datetime) -> bool:
    """Whether usage of these subscriptions is due that is in no call yet."""
    records = UsageRecord.objects.due(now=now).filter(connection=connection)
    return records.filter(charge__subscription__in=among(subscription_ids)).exists()


def due(*, connection: Connection, now: datetime) -> list[int]:
    """Return the ids of the batches that can go now, the oldest first."""
    rows = UsageBatch.objects.filter(connection=connection, not_before__lte=now)
    ready = rows.filter(state__in=[BatchState.READY, BatchState.UNKNOWN, BatchState.LOOK_UP])
    return list(ready.order_by("pk").values_list("pk", flat=True))


def claim(*, batch: UsageBatch | int, worker: str, now: datetime) -> tuple[UsageBatch, BatchState] | None:
    """Take a batch for sending; return it with the state it was in, or None when somebody else has it or it is done.

    It is given as it was formed, or by its id. From now on its outcome is unknown, which is one statement with the
    claim, because every call makes it.
    """
    if isinstance(batch, int):
        open_ones = UsageBatch.objects.exclude(state__in=[BatchState.SENDING, BatchState.DONE])
        found = open_ones.filter(pk=batch).first()
        if found is None:
            return None
        batch = found
    before = BatchState(batch.state)
    # Each claim counts, so of two who have read the same the second finds nothing.
    mine = UsageBatch.objects.filter(pk=batch.pk, state=before, attempts=batch.attempts)
    batch.state, batch.claimed_at, batch.claimed_by = BatchState.SENDING, now, worker
    batch.attempts, batch.sent_at = batch.attempts + 1, batch.sent_at or now
    claimed = mine.update(**{name: getattr(batch, name) for name in _CLAIMED})
    return (batch, before) if claimed else None


def release_stuck(*, connection: Connection, now: datetime) -> int:
    """Give back the batches whose worker died; what became of the call is unknown."""
    old = now - timedelta(seconds=settings.SYNC_CLAIM_SECONDS)
    freed = 0
    for batch in UsageBatch.objects.filter(connection=connection, state=BatchState.SENDING):
        if is_dead(batch.claimed_by) or (batch.claimed_at and batch.claimed_at < old):
            mine = UsageBatch.objects.filter(
                pk=batch.pk, state=BatchState.SENDING, claimed_at=batch.claimed_at, claimed_by=batch.claimed_by
            )
            if mine.update(state=BatchState.UNKNOWN, claimed_at=None, claimed_by="", not_before=now):
                freed += 1
    return freed


def new_records(
    connection: Connection, subscription_ids: Collection[int] | None, now: datetime
) -> QuerySet[UsageRecord]:
    """Return the records that are due and not in Zuora yet."""
    return _due(connection, UsageAction.CREATE, subscription_ids, now)


def filed_under(record: UsageRecord, subscription: SyncRecord) -> Filed:
    """Return under what a record is filed in Zuora; `subscription` is its subscription's record there."""
    return Filed(
        account=subscription.sent["owner"],
        subscription=subscription.zuora_number,
        charge=record.charge_number,
        unit=record.charge.unit,
    )


def _due(
    connection: Connection, action: UsageAction, subscription_ids: Collection[int] | None, now: datetime
) -> QuerySet[UsageRecord]:
    rows = UsageRecord.objects.due(now=now).filter(connection=connection)
    is_new = Q(zuora_id="")
    rows = rows.filter(is_new, wanted__gt=0) if action == UsageAction.CREATE else rows.exclude(is_new)
    if subscription_ids is not None:
        rows = rows.filter(charge__subscription__in=among(subscription_ids))
    return rows


def _form(connection: Connection, action: UsageAction, records: Sequence[UsageRecord], now: datetime) -> Iterable[int]:
    linked = linked_records(connection, {one.charge.subscription_id for one in records})
    ready = [one for one in records if one.charge.subscription_id in linked]
    made = []
    for start in range(0, len(ready), MOST_OBJECTS):
        part = ready[start : start + MOST_OBJECTS]
        batch = _batch(connection, action, part, linked, now)
        batch.record_ids = [one.pk for one in part]
        batch.save()
        UsageRecord.objects.filter(pk__in=batch.record_ids).update(
            state=UsageState.SENDING,
            batch=batch,
            sent=F("wanted"),
            sent_starts_at=F("starts_at"),
            revision=F("revision") + 1,
        )
        made.append(batch.pk)
    return made


def _batch(
    connection: Connection, action: UsageAction, records: Sequence[UsageRecord], linked: Linked, now: datetime
) -> UsageBatch:
    """Return a call with these records: neither it nor its records' ids are stored."""
    objects = [_object(action, one, linked[one.charge.subscription_id]) for one in records]
    return UsageBatch(
        connection=connection,
        action=action,
        idempotency_key=uuid.uuid4().hex,
        body=encode({"type": "Usage", "objects": objects}).decode(),
        record_ids=[],
        not_before=now,
    )


def _object(action: UsageAction, record: UsageRecord, subscription: SyncRecord) -> Body:
    if action == UsageAction.UPDATE:
        return usage_change(record.zuora_id, starts_at=record.starts_at, quantity=record.wanted)
    filed = filed_under(record, subscription)
    return usage_object(filed, key=record.external_key, starts_at=record.starts_at, quantity=record.wanted)
