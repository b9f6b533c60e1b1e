"""Reads back what was accepted: only what Zuora shows is confirmed.

What was confirmed before is read again because a person asked for it. Then it is looked at, too, whether Zuora bills
its charge on its day.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from integrations.models import UsageCharge, UsageRecord, UsageState
from integrations.zuora.errors import ZuoraError
from integrations.zuora.mapping.usage import moment_that_is_billed
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.charges import as_noted, linked_records
from integrations.zuora.push.usage.outcomes import OUTCOME, learn, stop, thaw
from integrations.zuora.push.usage.segments import Segment, charges_of, nearest
from integrations.zuora.push.usage.settling import MOST_CONDITIONS, Row, show

_PAUSE = timedelta(minutes=1)
#: Longer than the calls last that read a chunk: a worker that dies keeps the others from its records for so long.
_CLAIM = timedelta(minutes=5)
_MISSING = "Zuora took the usage record {id} and does not show it."
_NEVER_BILLED = "Zuora bills the charge {charge} on no day, and so none of its usage."
_NEVER_BILLED_CURE = "Bill it by hand, or have the charge run for a day at least."
_MISSING_CURE = "Look for it in Zuora; when it is not there, retry to make it anew."


def confirm(far: Far, *, subscription_ids: Collection[int] | None = None) -> int:
    """Read back what was accepted, two hundred records to a call; return how many are confirmed.

    Raises:
        ZuoraError: what is left is read back next time.
    """
    confirmed, done = 0, 0
    while chunk := _claim(far, subscription_ids, after=done):
        try:
            shown, charges = show(far.client, chunk), _charges_of(far, chunk)
        except ZuoraError:
            _give_back(far, chunk)
            raise
        confirmed += _store(far, chunk, shown, charges)
        done = chunk[-1].pk
    return confirmed


def _claim(far: Far, subscription_ids: Collection[int] | None, *, after: int) -> list[UsageRecord]:
    """Take the next records, so that of two sweeps at once each reads others; who dies has them for a while only."""
    now = far.clock()
    rows = UsageRecord.objects.to_confirm(now=now).filter(connection=far.connection, pk__gt=after)
    if subscription_ids is not None:
        rows = rows.filter(charge__subscription__in=subscription_ids)
    locked = rows.select_related("charge").select_for_update(skip_locked=True, of=("self",), no_key=True)
    with transaction.atomic():
        chunk = list(locked.order_by("pk")[:MOST_CONDITIONS])
        until = now + min(_CLAIM, timedelta(seconds=settings.SYNC_CLAIM_SECONDS))
        UsageRecord.objects.filter(pk__in=[one.pk for one in chunk]).update(not_before=until)
    for one in chunk:
        one.not_before = until
    return chunk


def _give_back(far: Far, chunk: Sequence[UsageRecord]) -> None:
    mine = UsageRecord.objects.filter(pk__in=[one.pk for one in chunk], not_before=chunk[0].not_before)
    mine.filter(state=UsageState.ACCEPTED).update(not_before=far.clock())


def _charges_of(far: Far, chunk: Sequence[UsageRecord]) -> dict[int, Sequence[Segment]]:
    """Return the segments of the charges of those records that were confirmed before."""
    again = [one for one in chunk if one.confirmed_at]
    linked = linked_records(far.connection, {one.charge.subscription_id for one in again})
    numbers = {
        one.pk: linked[one.charge.subscription_id].zuora_number for one in again if one.charge.subscription_id in linked
    }
    wanted: dict[str, set[str]] = defaultdict(set)
    for one in again:
        if one.pk in numbers:
            wanted[numbers[one.pk]].add(one.charge_number)
    shown = charges_of(far.client, wanted)
    return {
        one.pk: shown.get(numbers[one.pk], {}).get(one.charge_number) or as_noted(one.charge, one.charge_number)
        for one in again
        if one.pk in numbers
    }


def _store(
    far: Far, seen: list[UsageRecord], shown: dict[int, list[Row]], charges_shown: Mapping[int, Sequence[Segment]]
) -> int:
    """Compare and store; a record that was sent again, or claimed by another, is left alone."""
    claimed = {one.pk: (one.zuora_id, one.held, one.not_before) for one in seen}
    with transaction.atomic():
        mine = UsageRecord.objects.filter(pk__in=claimed, state=UsageState.ACCEPTED)
        charges = UsageCharge.objects.select_for_update().filter(pk__in=mine.values("charge")).order_by("pk").in_bulk()
        records = [
            one
            for one in mine.select_for_update(of=("self",)).order_by("pk")
            if (one.zuora_id, one.held, one.not_before) == claimed[one.pk]
        ]
        for record in records:
            record.charge = charges[record.charge_id]
            _compare(far, record, shown[record.pk], charges_shown.get(record.pk))
        UsageRecord.objects.change(records, OUTCOME)
        to_plan = [pk for pk, charge in charges.items() if charge.must_plan]
        UsageCharge.objects.filter(pk__in=to_plan).update(must_plan=True)
    return sum(one.state == UsageState.CONFIRMED for one in records)


def _compare(far: Far, record: UsageRecord, rows: list[Row], segments: Sequence[Segment] | None) -> None:
    now = far.clock()
    if rows:
        learn(record, rows[0], now=now)
        if not record.differs:
            record.state, record.confirmed_at = UsageState.CONFIRMED, now
            record.not_before, record.attempts = now, 0
            if segments is not None and record.wanted and not record.is_billed:
                _file_where_it_is_billed(far, record, segments)
            return
        missing = f"Zuora shows {record.held} where {record.wanted} was sent."
        cure = "Somebody changed it there: retry to set it right."
    else:
        missing, cure = _MISSING.format(id=record.zuora_id), _MISSING_CURE
    record.attempts += 1
    record.not_before = now + _PAUSE
    if record.attempts >= settings.SYNC_MAX_ATTEMPTS:
        if record.is_billed:
            thaw(record)  # billed usage cannot be deleted: first its invoice was
        stop(record, missing, cure)
        if not rows:
            record.zuora_id, record.held, record.held_starts_at = "", None, None


def _file_where_it_is_billed(far: Far, record: UsageRecord, segments: Sequence[Segment]) -> None:
    """Move what Zuora holds on a day on which it does not bill the charge to the nearest one."""
    day = far.tenant.day(record.starts_at)
    if any(one.bills(day) for one in segments):
        return
    segment = nearest(segments, day)
    if segment is None or segment.starts_on is None:
        stop(record, _NEVER_BILLED.format(charge=record.charge_number), _NEVER_BILLED_CURE)
        return
    placed = moment_that_is_billed(record.starts_at, first=segment.starts_on, end=segment.ends_on, tenant=far.tenant)
    record.starts_at, record.not_before = placed or record.starts_at, far.clock()
    record.settle()
