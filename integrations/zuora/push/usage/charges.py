"""The numbers under which usage is filed: a subscription's own charges, read from Zuora once and kept."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalog.models import Price
from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus, UsageCharge
from integrations.zuora.errors import NotFound
from integrations.zuora.mapping import keys
from integrations.zuora.push.far import Far
from usage.models import Slice


def linked_records(connection: Connection, subscription_ids: Collection[int]) -> dict[int, SyncRecord]:
    """Return the records of those subscriptions whose usage may be sent: in Zuora, and not stopped by a rule."""
    rows = SyncRecord.objects.filter(
        connection=connection, kind=EntityKind.SUBSCRIPTION, root_id__in=subscription_ids
    ).exclude(zuora_id="")
    return {row.root_id: row for row in rows.exclude(status=SyncStatus.NO_SYNC_REQUIRED)}


def placed_charges(record: SyncRecord) -> dict[str, str]:
    """Return the catalog ids of the charges that the subscription was sold in Zuora, by record key."""
    return {charge["key"]: charge["id"] for plan in record.sent.get("ratePlans", ()) for charge in plan["charges"]}


def keys_of_prices(price_ids: Iterable[int]) -> dict[int, str]:
    """Return the record keys of charges by the id of the price."""
    rows = Price.objects.filter(pk__in=set(price_ids)).select_related("plan", "addon", "feature")
    return {row.pk: keys.charge_key(keys.package_key(row.package), row) for row in rows}


def read_missing_numbers(far: Far, subscription_ids: Collection[int]) -> None:
    """Read the charge numbers that the waiting slices of these subscriptions need and that are not known.

    One GET per subscription, once; a subscription that Zuora does not show is left to wait.
    """
    waiting = (
        Slice.objects.untaken()
        .filter(subscription__in=subscription_ids, quantity__gt=0)
        .order_by()
        .values_list("subscription_id", "price_id")
        .distinct()
    )
    needed = list(waiting)
    named = keys_of_prices(price for _, price in needed)
    records = linked_records(far.connection, {subscription for subscription, _ in needed})
    known = {
        (one.subscription_id, one.key): one.catalog_id
        for one in UsageCharge.objects.filter(connection=far.connection, subscription__in=records)
    }
    missing = set()
    for subscription_id, price_id in needed:
        record = records.get(subscription_id)
        wanted = placed_charges(record).get(named[price_id]) if record else None
        if wanted is not None and known.get((subscription_id, named[price_id])) != wanted:
            missing.add(subscription_id)
    for subscription_id in sorted(missing):
        read_numbers(far, records[subscription_id])


def read_numbers(far: Far, record: SyncRecord) -> None:
    """Read and keep the numbers of a subscription's charges, and their first days.

    Raises:
        ZuoraError: it may go better another time.
    """
    try:
        answer = far.client.get_subscription(record.zuora_number, all_segments=True)
    except NotFound:
        return
    shown: dict[str, _Shown] = {}
    for found in _shown(answer):
        earlier = shown.setdefault(found.catalog_id, found)
        if found.starts_on and earlier.starts_on and found.starts_on < earlier.starts_on:
            shown[found.catalog_id] = found
    for key, catalog_id in placed_charges(record).items():
        if catalog_id in shown:
            found = shown[catalog_id]
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
                },
            )


@dataclass(frozen=True)
class _Shown:
    catalog_id: str
    number: str
    unit: str
    starts_on: date | None


def _shown(answer: Mapping[str, Any]) -> Iterable[_Shown]:
    """Yield the segments of the usage charges that a subscription shows."""
    for plan in answer.get("ratePlans") or ():
        for charge in plan.get("ratePlanCharges") or ():
            if charge.get("type") == "Usage" and charge.get("number"):
                start = charge.get("effectiveStartDate")
                yield _Shown(
                    catalog_id=str(charge["productRatePlanChargeId"]),
                    number=str(charge["number"]),
                    unit=str(charge.get("uom") or ""),
                    starts_on=date.fromisoformat(start) if start else None,
                )
