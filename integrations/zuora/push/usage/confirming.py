"""Reads back what was accepted: only what Zuora shows is confirmed."""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from integrations.models import UsageCharge, UsageRecord, UsageState
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.outcomes import OUTCOME, learn, stop
from integrations.zuora.push.usage.settling import MOST_CONDITIONS, Row, show

_PAUSE = timedelta(minutes=1)
_MISSING = "Zuora took the usage record {id} and does not show it."
_MISSING_CURE = "Look for it in Zuora; when it is not there, retry to make it anew."


def confirm(far: Far, *, subscription_ids: Collection[int] | None = None) -> int:
    """Read back what was accepted, two hundred records to a call; return how many are confirmed.

    Raises:
        ZuoraError: what is left is read back next time.
    """
    confirmed, done = 0, 0
    while True:
        rows = UsageRecord.objects.to_confirm(now=far.clock()).filter(connection=far.connection, pk__gt=done)
        if subscription_ids is not None:
            rows = rows.filter(charge__subscription__in=subscription_ids)
        chunk = list(rows.order_by("pk")[:MOST_CONDITIONS])
        if not chunk:
            return confirmed
        confirmed += _store(far, chunk, show(far.client, chunk))
        done = chunk[-1].pk


def _store(far: Far, seen: list[UsageRecord], shown: dict[int, list[Row]]) -> int:
    """Compare and store; a record that was sent again meanwhile is left alone."""
    held = {one.pk: (one.zuora_id, one.held) for one in seen}
    with transaction.atomic():
        mine = UsageRecord.objects.filter(pk__in=held, state=UsageState.ACCEPTED)
        charges = UsageCharge.objects.select_for_update().filter(pk__in=mine.values("charge")).order_by("pk").in_bulk()
        records = [
            one
            for one in mine.select_for_update(of=("self",)).order_by("pk")
            if (one.zuora_id, one.held) == held[one.pk]
        ]
        for record in records:
            record.charge = charges[record.charge_id]
            _compare(far, record, shown[record.pk])
        UsageRecord.objects.change(records, OUTCOME)
        to_plan = [pk for pk, charge in charges.items() if charge.must_plan]
        UsageCharge.objects.filter(pk__in=to_plan).update(must_plan=True)
    return sum(one.state == UsageState.CONFIRMED for one in records)


def _compare(far: Far, record: UsageRecord, rows: list[Row]) -> None:
    now = far.clock()
    if rows:
        learn(record, rows[0], now=now)
        if not record.differs:
            record.state, record.confirmed_at, record.attempts = UsageState.CONFIRMED, now, 0
            return
        missing = f"Zuora shows {record.held} where {record.wanted} was sent."
        cure = "Somebody changed it there: retry to set it right."
    else:
        missing, cure = _MISSING.format(id=record.zuora_id), _MISSING_CURE
    record.attempts += 1
    record.not_before = now + _PAUSE
    if record.attempts >= settings.SYNC_MAX_ATTEMPTS:
        stop(record, missing, cure)
        if not rows:
            record.zuora_id, record.held, record.held_starts_at = "", None, None
