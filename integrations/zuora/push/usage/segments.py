"""Charges by usage as subscriptions show them in Zuora, segment by segment: their numbers, and the days that it bills.

Many subscriptions to a call. What Zuora does not show in a list, such as a charge whose history is long, is read of one
subscription by itself.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from integrations.zuora.client import PAGE_SIZE, Client, equal, field, one_of
from integrations.zuora.errors import NotFound

_EXPANDED = "rateplans.rateplancharges"
#: What stands in a list of a filter without being taken for its end.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Segment:
    """A charge from `starts_on` up to, and without, `ends_on`; without a first day Zuora does not bill it yet."""

    catalog_id: str
    number: str
    unit: str
    starts_on: date | None
    ends_on: date | None
    segment: int

    def bills(self, day: date) -> bool:
        """Whether usage of that day comes on an invoice."""
        return self.starts_on is not None and self.starts_on <= day and (self.ends_on is None or day < self.ends_on)


def nearest(segments: Iterable[Segment], day: date) -> Segment | None:
    """Return the segment whose days come nearest to that day, the later one of two; None where no day is billed."""
    billed = [one for one in segments if one.starts_on and (one.ends_on is None or one.starts_on < one.ends_on)]
    begun = [one for one in billed if one.starts_on and one.starts_on <= day]
    if begun:
        return max(begun, key=lambda one: one.starts_on or date.min)
    return min(billed, key=lambda one: one.starts_on or date.max, default=None)


def shown_together(client: Client, numbers: Iterable[str]) -> dict[str, list[Segment]]:
    """Return by one call what these subscriptions show, fifty at the most; those that it cannot name are left out.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/querySubscriptions/
    """
    plain = {one for one in numbers if _PLAIN.fullmatch(one)}
    if not plain:
        return {}
    filters = [one_of("name", sorted(plain)), equal("islatestversion", "true")]
    rows = client.query("subscriptions", filters=filters, expand=[_EXPANDED])
    # Zuora's pages disagree on whether letter case matters.
    return {name: list(_listed(row)) for row in rows if (name := str(field(row, "name"))) in plain}


def shown_alone(client: Client, number: str) -> list[Segment]:
    """Return what one subscription shows.

    Raises:
        NotFound: there is none.
    """
    return list(_shown(client.get_subscription(number, all_segments=True)))


def charges_of(client: Client, wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, list[Segment]]]:
    """Return the segments by subscription and charge number; `wanted` are the charges that have to be among them.

    A subscription, or a charge, that Zuora does not show anywhere is left out.
    """
    numbers = sorted(wanted)
    found: dict[str, list[Segment]] = {}
    for start in range(0, len(numbers), PAGE_SIZE):
        found |= shown_together(client, numbers[start : start + PAGE_SIZE])
    for number in numbers:
        if not {one.number for one in found.get(number, ())} >= set(wanted[number]):
            try:
                found[number] = [*found.get(number, ()), *shown_alone(client, number)]
            except NotFound:
                continue
    by_charge: dict[str, dict[str, list[Segment]]] = {}
    for number, segments in found.items():
        by_charge[number] = defaultdict(list)
        for one in segments:
            by_charge[number][one.number].append(one)
    return by_charge


def _shown(answer: Mapping[str, Any]) -> Iterator[Segment]:
    """Yield the segments of the usage charges that a subscription shows."""
    for plan in answer.get("ratePlans") or ():
        for charge in plan.get("ratePlanCharges") or ():
            if charge.get("type") == "Usage" and charge.get("number"):
                yield Segment(
                    catalog_id=str(charge["productRatePlanChargeId"]),
                    number=str(charge["number"]),
                    unit=str(charge.get("uom") or ""),
                    starts_on=_day(charge.get("effectiveStartDate")),
                    ends_on=_day(charge.get("effectiveEndDate")),
                    segment=int(charge.get("segment") or 1),
                )


def _listed(row: Mapping[str, Any]) -> Iterator[Segment]:
    """Yield the same of a subscription as Object Query shows it."""
    for plan in field(row, "ratePlans") or ():
        for charge in field(plan, "ratePlanCharges") or ():
            number = field(charge, "chargeNumber")
            if field(charge, "chargeType") == "Usage" and number:
                yield Segment(
                    catalog_id=str(field(charge, "productRatePlanChargeId")),
                    number=str(number),
                    unit=str(field(charge, "uOM") or ""),
                    starts_on=_day(field(charge, "effectiveStartDate")),
                    ends_on=_day(field(charge, "effectiveEndDate")),
                    segment=int(field(charge, "segment") or 1),
                )


def _day(told: str | None) -> date | None:
    return date.fromisoformat(told[:10]) if told else None
