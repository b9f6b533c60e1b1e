"""The numbers under which usage is filed: a subscription's own charges, read from Zuora once and kept."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

from catalog.models import BillingModel, Price
from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus, UsageCharge
from integrations.zuora.client import PAGE_SIZE
from integrations.zuora.errors import NotFound
from integrations.zuora.mapping import keys
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.segments import Segment, shown_alone, shown_together
from usage.models import Slice
from usage.spans import among

#: What the key of a charge by usage holds.
USAGE = f"/{BillingModel.USAGE_BASED}/"
#: The records of the subscriptions that may send usage, by the subscription's id.
Linked = Mapping[int, SyncRecord]


def linked_records(connection: Connection, subscription_ids: Collection[int]) -> dict[int, SyncRecord]:
    """Return the records of those subscriptions whose usage may be sent: in Zuora, and not stopped by a rule."""
    rows = SyncRecord.objects.filter(
        connection=connection, kind=EntityKind.SUBSCRIPTION, root_id__in=among(subscription_ids)
    ).exclude(zuora_id="")
    rows = rows.exclude(status=SyncStatus.NO_SYNC_REQUIRED)
    return {row.root_id: row for row in rows.only("root_id", "zuora_number", "sent")}


def placed_charges(record: SyncRecord) -> dict[str, str]:
    """Return the catalog ids of the charges that the subscription was sold in Zuora, by record key."""
    return {charge["key"]: charge["id"] for plan in record.sent.get("ratePlans", ()) for charge in plan["charges"]}


def prices_by_key(price_ids: Iterable[int]) -> dict[int, tuple[Price, str]]:
    """Return prices with the record keys of their charges, by the id of the price."""
    rows = Price.objects.filter(pk__in=set(price_ids)).select_related("plan", "addon", "feature")
    return {row.pk: (row, keys.charge_key(keys.package_key(row.package), row)) for row in rows}


def as_noted(charge: UsageCharge, number: str) -> list[Segment]:
    """Return the days of a charge that an order of ours has taken away, as we know them: Zuora may show it no more."""
    if number not in charge.numbers:
        return []
    starts_on, ends_on = charge.time_of(number)
    if ends_on is None:
        return []
    return [Segment(charge.catalog_id, number, charge.unit, starts_on or date.min, ends_on, segment=1)]


def read_missing_numbers(far: Far, subscription_ids: Collection[int]) -> Linked:
    """Read the charge numbers that the waiting slices of these subscriptions need and that are not known.

    Returns the records of the subscriptions with such slices.

    Once, and fifty subscriptions to a call; one by one only those whose history Zuora does not show in a list. A
    subscription that Zuora does not show is left to wait.
    """
    waiting = (
        Slice.objects.untaken()
        .filter(subscription__in=among(subscription_ids), quantity__gt=0)
        .order_by()
        .values_list("subscription_id", "price_id")
        .distinct()
    )
    needed = list(waiting)
    named = {pk: key for pk, (_, key) in prices_by_key(price for _, price in needed).items()}
    records = linked_records(far.connection, {subscription for subscription, _ in needed})
    charges = UsageCharge.objects.filter(connection=far.connection, subscription__in=among(records))
    known = {
        (subscription_id, key): catalog_id
        for subscription_id, key, catalog_id in charges.values_list("subscription_id", "key", "catalog_id")
    }
    missing = set()
    for subscription_id, price_id in needed:
        record = records.get(subscription_id)
        wanted = placed_charges(record).get(named[price_id]) if record else None
        if wanted is not None and known.get((subscription_id, named[price_id])) != wanted:
            missing.add(subscription_id)
    left = [records[one] for one in sorted(missing)]
    for start in range(0, len(left), PAGE_SIZE):
        for record in _read_together(far, left[start : start + PAGE_SIZE]):
            read_numbers(far, record)
    return records


def _read_together(far: Far, records: Sequence[SyncRecord]) -> list[SyncRecord]:
    """Read and keep the numbers of several subscriptions by one call; return those that have to be read one by one."""
    numbers = [one.zuora_number for one in records]
    shown = shown_together(far.client, numbers) if len(numbers) > 1 else {}
    left = []
    for record in records:
        segments = shown.get(record.zuora_number, [])
        if _is_whole(segments, placed_charges(record)):
            _keep(far, record, segments)
        else:
            left.append(record)
    return left


def _is_whole(shown: Iterable[Segment], placed: Mapping[str, str]) -> bool:
    """Whether every charge by usage is there from its first day on."""
    begun = {one.catalog_id for one in shown if one.segment == 1 and one.starts_on}
    return begun >= {catalog_id for key, catalog_id in placed.items() if USAGE in key}


def read_numbers(far: Far, record: SyncRecord) -> None:
    """Read and keep the numbers of a subscription's charges, and their first days.

    Raises:
        ZuoraError: it may go better another time.
    """
    try:
        segments = shown_alone(far.client, record.zuora_number)
    except NotFound:
        return
    _keep(far, record, segments)


def _keep(far: Far, record: SyncRecord, segments: Iterable[Segment]) -> None:
    shown: dict[str, list[Segment]] = {}
    for one in segments:
        shown.setdefault(one.catalog_id, []).append(one)
    known = UsageCharge.objects.filter(connection=far.connection, subscription=record.root_id)
    before = {one.key: one for one in known}
    for key, catalog_id in placed_charges(record).items():
        if catalog_id in shown:
            found = _in_force(shown[catalog_id])
            UsageCharge.objects.update_or_create(
                connection=far.connection,
                subscription_id=record.root_id,
                key=key,
                defaults={
                    "catalog_id": catalog_id,
                    "number": found.number,
                    "unit": found.unit,
                    "starts_on": found.starts_on,
                    "ends_on": None,
                    "former": _former(before.get(key), found.number, shown[catalog_id]),
                },
            )


def _former(charge: UsageCharge | None, number: str, segments: Iterable[Segment]) -> list[tuple[str, str, str]]:
    """Return the numbers that a charge had before this one, with their days; of what never ran a day there is none."""
    days: dict[str, tuple[date | None, date | None]] = {}
    if charge is not None:
        days = {one: charge.time_of(one) for one in charge.numbers}
    for one in segments:
        starts_on, _ = days.get(one.number, (None, None))
        first = min((day for day in (starts_on, one.starts_on) if day), default=None)
        last = max((other.ends_on or date.max for other in segments if other.number == one.number), default=date.max)
        days[one.number] = first, None if last == date.max else last
    ended = [(one, *span) for one, span in days.items() if one != number and all(span)]
    rows = [
        (one, starts_on, ends_on) for one, starts_on, ends_on in ended if starts_on and ends_on and starts_on < ends_on
    ]
    return [(one, str(starts_on), str(ends_on)) for one, starts_on, ends_on in sorted(rows, key=lambda row: row[1:])]


def _in_force(segments: Sequence[Segment]) -> Segment:
    """Return the first segment of the charge that ends last: what was taken away and sold again has two numbers."""
    by_number: dict[str, list[Segment]] = {}
    for one in segments:
        by_number.setdefault(one.number, []).append(one)
    firsts = [
        (max(one.ends_on or date.max for one in of_it), min(of_it, key=lambda one: one.starts_on or date.max))
        for of_it in by_number.values()
    ]
    last = max(end for end, _ in firsts)
    return min((first for end, first in firsts if end == last), key=lambda one: one.starts_on or date.max)
