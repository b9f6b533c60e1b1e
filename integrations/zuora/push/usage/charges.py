"""The numbers under which usage is filed: a subscription's own charges, read from Zuora once and kept."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalog.models import BillingModel, Price
from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus, UsageCharge
from integrations.zuora.client import PAGE_SIZE, equal, field, one_of
from integrations.zuora.errors import NotFound
from integrations.zuora.mapping import keys
from integrations.zuora.push.far import Far
from usage.models import Slice

#: What the key of a charge by usage holds.
USAGE = f"/{BillingModel.USAGE_BASED}/"
_EXPANDED = "rateplans.rateplancharges"
#: What stands in a list of a filter without being taken for its end.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


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

    Once, and fifty subscriptions to a call; one by one only those whose history Zuora does not show in a list. A
    subscription that Zuora does not show is left to wait.
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
    left = [records[one] for one in sorted(missing)]
    for start in range(0, len(left), PAGE_SIZE):
        for record in _read_together(far, left[start : start + PAGE_SIZE]):
            read_numbers(far, record)


def _read_together(far: Far, records: Sequence[SyncRecord]) -> list[SyncRecord]:
    """Read and keep the numbers of several subscriptions by one call; return those that have to be read one by one.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/querySubscriptions/
    """
    by_number = {one.zuora_number: one for one in records if _PLAIN.fullmatch(one.zuora_number)}
    filters = [one_of("name", by_number), equal("islatestversion", "true")]
    rows = far.client.query("subscriptions", filters=filters, expand=[_EXPANDED]) if len(by_number) > 1 else ()
    read = set()
    for row in rows:
        record = by_number.get(str(field(row, "name")))
        shown = list(_listed(row))
        if record is not None and _is_whole(shown, placed_charges(record)):
            _keep(far, record, shown)
            read.add(record.pk)
    return [one for one in records if one.pk not in read]


def _is_whole(shown: Iterable["_Shown"], placed: Mapping[str, str]) -> bool:
    """Whether every charge by usage is there from its first day on."""
    begun = {one.catalog_id for one in shown if one.segment == 1 and one.starts_on}
    return begun >= {catalog_id for key, catalog_id in placed.items() if USAGE in key}


def read_numbers(far: Far, record: SyncRecord) -> None:
    """Read and keep the numbers of a subscription's charges, and their first days.

    Raises:
        ZuoraError: it may go better another time.
    """
    try:
        answer = far.client.get_subscription(record.zuora_number, all_segments=True)
    except NotFound:
        return
    _keep(far, record, _shown(answer))


def _keep(far: Far, record: SyncRecord, segments: Iterable["_Shown"]) -> None:
    shown: dict[str, list[_Shown]] = {}
    for one in segments:
        shown.setdefault(one.catalog_id, []).append(one)
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
                },
            )


def _in_force(segments: Sequence["_Shown"]) -> "_Shown":
    """Return the first segment of the charge that ends last: what was taken away and sold again has two numbers."""
    by_number: dict[str, list[_Shown]] = {}
    for one in segments:
        by_number.setdefault(one.number, []).append(one)
    firsts = [
        (max(one.ends_on or date.max for one in of_it), min(of_it, key=lambda one: one.starts_on or date.max))
        for of_it in by_number.values()
    ]
    last = max(end for end, _ in firsts)
    return min((first for end, first in firsts if end == last), key=lambda one: one.starts_on or date.max)


@dataclass(frozen=True)
class _Shown:
    catalog_id: str
    number: str
    unit: str
    starts_on: date | None
    ends_on: date | None
    segment: int


def _shown(answer: Mapping[str, Any]) -> Iterable[_Shown]:
    """Yield the segments of the usage charges that a subscription shows."""
    for plan in answer.get("ratePlans") or ():
        for charge in plan.get("ratePlanCharges") or ():
            if charge.get("type") == "Usage" and charge.get("number"):
                yield _Shown(
                    catalog_id=str(charge["productRatePlanChargeId"]),
                    number=str(charge["number"]),
                    unit=str(charge.get("uom") or ""),
                    starts_on=_day(charge.get("effectiveStartDate")),
                    ends_on=_day(charge.get("effectiveEndDate")),
                    segment=int(charge.get("segment") or 1),
                )


def _listed(row: Mapping[str, Any]) -> Iterable[_Shown]:
    """Yield the same of a subscription as Object Query shows it."""
    for plan in field(row, "ratePlans") or ():
        for charge in field(plan, "ratePlanCharges") or ():
            number = field(charge, "chargeNumber")
            if field(charge, "chargeType") == "Usage" and number:
                yield _Shown(
                    catalog_id=str(field(charge, "productRatePlanChargeId")),
                    number=str(number),
                    unit=str(field(charge, "uOM") or ""),
                    starts_on=_day(field(charge, "effectiveStartDate")),
                    ends_on=_day(field(charge, "effectiveEndDate")),
                    segment=int(field(charge, "segment") or 1),
                )


def _day(told: str | None) -> date | None:
    return date.fromisoformat(told[:10]) if told else None
