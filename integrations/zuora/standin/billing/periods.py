"""Billing periods of a charge: a grid of whole periods, cut by the charge's own days.

Source: https://docs.zuora.com/en/zuora-billing/set-up-zuora-billing/build-product-and-prices (billing period,
bill cycle type and alignment; proration by day).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from integrations.zuora.standin.dates import MONTHS_OF, add_months, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integrations.zuora.standin.store import Row

FAR = date(9999, 12, 31)


@dataclass(frozen=True)
class Period:
    """A whole period and the part of it that the charge covers; ends are the first day after."""

    start: date
    end: date
    covered_from: date
    covered_to: date

    @property
    def whole(self) -> bool:
        return (self.start, self.end) == (self.covered_from, self.covered_to)

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def covered_days(self) -> int:
        return (self.covered_to - self.covered_from).days


def periods(subscription: Row, charge: Row, first_start: date, cycle_day: int, until: date) -> Iterator[Period]:
    """The periods of one segment that begin on or before `until`, in order.

    Args:
        subscription: the version whose terms hold.
        charge: the segment.
        first_start: the day the charge began with its first segment; the grid hangs on it.
        cycle_day: the account's bill cycle day, 0 for none.
        until: no period starts later.
    """
    start = read(charge["EffectiveStartDate"])
    end = read(charge["EffectiveEndDate"]) if charge.get("EffectiveEndDate") else FAR
    for low, high in _grid(subscription, charge, first_start, cycle_day, start):
        if low >= end or low > until:
            return
        if high > start:
            yield Period(low, high, max(low, start), min(high, end))


def _grid(
    subscription: Row, charge: Row, first_start: date, cycle_day: int, start: date
) -> Iterator[tuple[date, date]]:
    name = charge.get("BillingPeriod", "Month")
    if name == "Subscription Term":
        low = read(subscription["TermStartDate"])
        high = read(subscription["TermEndDate"]) if subscription.get("TermEndDate") else FAR
        yield min(low, start), high
        return
    if name in ("Week", "Specific Weeks", "Specific Days"):
        width = int(charge.get("SpecificBillingPeriod", 1)) * (1 if name == "Specific Days" else 7)
        yield from _by_days(first_start, width, start)
        return
    months = int(charge["SpecificBillingPeriod"]) if name == "Specific Months" else MONTHS_OF.get(name, 1)
    yield from _by_months(_anchor(subscription, charge, first_start, cycle_day), months, start)


def _by_days(origin: date, width: int, start: date) -> Iterator[tuple[date, date]]:
    low = origin + timedelta(days=(start - origin).days // width * width)
    while True:
        yield low, low + timedelta(days=width)
        low += timedelta(days=width)


def _by_months(anchor: tuple[date, int], months: int, start: date) -> Iterator[tuple[date, date]]:
    origin, day = anchor
    index = ((start.year - origin.year) * 12 + start.month - origin.month) // months - 1
    while True:
        yield add_months(origin, index * months, anchor=day), add_months(origin, (index + 1) * months, anchor=day)
        index += 1


def _anchor(subscription: Row, charge: Row, first_start: date, cycle_day: int) -> tuple[date, int]:
    """The first bill cycle day from the charge's, the subscription's or the term's start on."""
    alignment = charge.get("BillingPeriodAlignment", "AlignToCharge")
    origin = first_start
    if alignment == "AlignToSubscriptionStart":
        origin = read(subscription["SubscriptionStartDate"])
    elif alignment == "AlignToTermStart":
        origin = read(subscription["TermStartDate"])
    day = _cycle_day(subscription, charge, first_start, cycle_day)
    here = add_months(origin.replace(day=1), 0, anchor=day)
    return (here if here >= origin else add_months(here, 1, anchor=day)), day


def _cycle_day(subscription: Row, charge: Row, first_start: date, cycle_day: int) -> int:
    kind = charge.get("BillCycleType", "DefaultFromCustomer")
    if kind == "SpecificDayofMonth":
        return int(charge["BillCycleDay"])
    if kind == "ChargeTriggerDay":
        return first_start.day
    if kind == "DefaultFromCustomer" and cycle_day:
        return cycle_day
    return read(subscription["SubscriptionStartDate"]).day
