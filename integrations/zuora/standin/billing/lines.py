"""What a subscription owes through a day: every line it ever gives, each with a key that stays the same.

A bill run sets these against what is invoiced already and bills the difference, so a change in a billed period
becomes a reversal and a new line, and usage that comes late becomes one more line.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from integrations.zuora.standin.billing.periods import Period, periods
from integrations.zuora.standin.billing.rating import ZERO, for_period, rate, rounded, rounded_quantity
from integrations.zuora.standin.charges import DISCOUNTS
from integrations.zuora.standin.dates import read
from integrations.zuora.standin.tenant import charges_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

BILLABLE = ("Active", "Cancelled", "Suspended")
#: What is on invoices of some lines, by their keys: amount, quantity, and one item of each.
Invoiced = dict[str, tuple[Decimal, Decimal, "Row"]]


@dataclass(frozen=True)
class Line:
    """One invoice line to be; `end` is the first day it does not cover."""

    key: str
    subscription: Row
    plan: Row
    charge: Row
    start: date
    end: date
    quantity: Decimal
    amount: Decimal
    usage_ids: tuple[str, ...] = field(default=())
    applied_to: str = ""


def lines(tenant: Tenant, subscription: Row, until: date, invoiced: Invoiced) -> list[Line]:
    """All lines of a subscription that are due by `until`, discounts last.

    `invoiced` are the lines billed before. Usage that is billed already counts for its own line only.
    """
    if subscription["Status"] not in BILLABLE:
        return []
    payer = tenant.require("Account", subscription["InvoiceOwnerId"])
    cycle_day = int(payer.get("BillCycleDay", 0))
    found: list[Line] = []
    discounts: list[tuple[Row, Row, date]] = []
    for plan in subscription["RatePlans"]:
        starts = _first_starts(plan["Charges"])
        for charge in plan["Charges"]:
            if "EffectiveStartDate" not in charge or charge.get("Cancelled"):
                continue
            if charge["ChargeModel"] in DISCOUNTS:
                discounts.append((plan, charge, starts[charge["ChargeNumber"]]))
                continue
            first = starts[charge["ChargeNumber"]]
            found += _charge_lines(tenant, subscription, plan, charge, grid=(first, cycle_day), until=until)
    found = [_without_billed_elsewhere(tenant, one) if one.usage_ids else one for one in found]
    found = [one for one in found if one.usage_ids or one.charge["ChargeType"] != "Usage"]
    for plan, charge, first in discounts:
        applied = [one for one in found if not one.applied_to and _applies(plan, charge, one)]
        if charge["ChargeModel"] == "Discount-Percentage":
            found += _percentages(subscription, plan, charge, applied)
            continue
        spans = list(periods(subscription, charge, first, cycle_day, until))
        found += _fixed_amounts(subscription, plan, charge, applied, spans=spans, invoiced=invoiced)
    return found


def _first_starts(charges: Iterable[Row]) -> dict[str, date]:
    starts: dict[str, date] = {}
    for charge in charges:
        if "EffectiveStartDate" in charge:
            day = read(charge["EffectiveStartDate"])
            number = charge["ChargeNumber"]
            starts[number] = min(day, starts.get(number, day))
    return starts


def _charge_lines(
    tenant: Tenant, subscription: Row, plan: Row, charge: Row, *, grid: tuple[date, int], until: date
) -> Iterator[Line]:
    kind = charge["ChargeType"]
    if kind == "OneTime":
        start = read(charge["EffectiveStartDate"])
        if start <= until:
            quantity = Decimal(charge.get("Quantity", 1))
            amount = rounded(rate(charge, quantity), subscription["Currency"])
            key = f"{charge['ChargeNumber']}|{start}|once|{quantity}|{amount}"
            yield Line(key, subscription, plan, charge, start, start + timedelta(days=1), quantity, amount)
        return
    for period in periods(subscription, charge, grid[0], grid[1], until):
        if kind == "Usage":
            if period.covered_to <= until:
                yield from _usage_line(tenant, subscription, plan, charge, period)
        elif (period.covered_to if charge.get("BillingTiming") == "In Arrears" else period.covered_from) <= until:
            yield _recurring_line(subscription, plan, charge, period)


def _recurring_line(subscription: Row, plan: Row, charge: Row, period: Period) -> Line:
    quantity = Decimal(charge.get("Quantity", 1))
    full = for_period(charge, rate(charge, quantity), period)
    amount = full if period.whole else full * period.covered_days / period.days
    amount = rounded(amount, subscription["Currency"])
    key = f"{charge['ChargeNumber']}|{period.covered_from}|{period.covered_to}|{quantity}|{amount}"
    return Line(key, subscription, plan, charge, period.covered_from, period.covered_to, quantity, amount)


def _usage_line(tenant: Tenant, subscription: Row, plan: Row, charge: Row, period: Period) -> Iterator[Line]:
    records = usage_of(tenant, subscription, charge, period.covered_from, period.covered_to)
    if records:
        key = f"{charge['ChargeNumber']}|{period.covered_from}|{period.covered_to}|usage"
        bare = Line(key, subscription, plan, charge, period.covered_from, period.covered_to, ZERO, ZERO)
        yield _rated(tenant, bare, records)


def _rated(tenant: Tenant, line: Line, records: list[Row]) -> Line:
    unit = tenant.store.find("UnitOfMeasure", "UomName", line.charge.get("UOM"))
    total = rounded_quantity(sum((Decimal(one["Quantity"]) for one in records), ZERO), unit)
    amount = rounded(rate(line.charge, total), line.subscription["Currency"])
    return replace(line, quantity=total, amount=amount, usage_ids=tuple(one["Id"] for one in records))


def _without_billed_elsewhere(tenant: Tenant, line: Line) -> Line:
    """Leave out what an invoice holds on another line: that of the period before it was cut short, say."""
    items = tenant.store.where("InvoiceItem", "ChargeNumber", line.charge["ChargeNumber"])
    own = {item["InvoiceId"] for item in items if item["LineKey"] == line.key}
    records = [tenant.require("Usage", usage_id) for usage_id in line.usage_ids]
    kept = [one for one in records if one["RbeStatus"] != "Processed" or one.get("InvoiceId") in own]
    return line if len(kept) == len(records) else _rated(tenant, line, kept)


def usage_of(tenant: Tenant, subscription: Row, charge: Row, start: date, end: date) -> list[Row]:
    """The records that land on a charge in a time: by its number, or by unit where no charge is given.

    Usage with a subscription only lands on all of its charges with that unit, usage with an account only on every
    charge of the account: https://docs.zuora.com/en/zuora-billing/bill-your-customers/usage-billing
    """
    low, high = start.isoformat(), end.isoformat()
    found = []
    accounts = {subscription["AccountId"], subscription["InvoiceOwnerId"]}
    records = [*tenant.store.where("Usage", "SubscriptionNumber", subscription["Name"])]
    for account in sorted(accounts):
        records += [one for one in tenant.store.where("Usage", "AccountId", account) if "SubscriptionNumber" not in one]
    for one in records:
        if not low <= one["StartDateTime"][:10] < high:
            continue
        number = one.get("ChargeNumber")
        if number == charge["ChargeNumber"] or (number is None and one["UOM"] == charge.get("UOM")):
            found.append(one)
    return found


def _percentages(subscription: Row, plan: Row, discount: Row, others: Iterable[Line]) -> Iterator[Line]:
    """A percentage takes from each line: of a recurring one, from those of its days on which the discount runs."""
    start = read(discount["EffectiveStartDate"])
    end = read(discount["EffectiveEndDate"]) if discount.get("EffectiveEndDate") else date.max
    for line in others:
        share = line.amount if start <= line.start < end else ZERO
        if line.charge["ChargeType"] == "Recurring":
            days = max((min(line.end, end) - max(line.start, start)).days, 0)
            share = line.amount * days / max((line.end - line.start).days, 1)
        cut = rounded(share * Decimal(discount["DiscountPercentage"]) / 100, subscription["Currency"])
        if cut > 0:
            yield _taken(line, plan, discount, cut)


def _fixed_amounts(
    subscription: Row, plan: Row, discount: Row, others: Iterable[Line], *, spans: Sequence[Period], invoiced: Invoiced
) -> list[Line]:
    """A fixed amount is one balance for each of its own periods, however many lines begin in it; by days in a part.

    What it was taken from before goes on having it. Then come the lines in Zuora's order.
    Source: https://knowledgecenter.zuora.com/Billing/Billing_and_Payments/IC_Invoice_Item_Adjustments/
    """
    number = discount["ChargeNumber"]
    ours = {f"{number}|{line.key}": line for line in others}
    left: dict[date, Decimal] = {}
    for span in spans:
        share = Decimal(discount["DiscountAmount"]) * span.covered_days / span.days
        left[span.covered_from] = rounded(share, subscription["Currency"])
    for key, (amount, _, item) in invoiced.items():
        # Usage that is billed stays billed, and with it what was taken off, whatever its line would be now.
        if item["ChargeNumber"] == number and key not in ours and item["AppliedTo"].endswith("|usage"):
            begin = _begin(spans, read(item["ServiceStartDate"]))
            if begin is not None:
                left[begin] += amount
    begins = {key: begin for key, line in ours.items() if (begin := _begin(spans, line.start)) is not None}
    cuts: dict[str, Decimal] = {}
    for key, begin in begins.items():
        before = -invoiced[key][0] if key in invoiced else ZERO
        cuts[key] = max(min(before, ours[key].amount), ZERO)
        left[begin] -= cuts[key]
    for key in sorted(begins, key=lambda one: _rank(ours[one].charge)):
        more = max(min(left[begins[key]], ours[key].amount - cuts[key]), ZERO)
        cuts[key] += more
        left[begins[key]] -= more
    return [_taken(ours[key], plan, discount, cut) for key, cut in cuts.items() if cut > 0]


def _begin(spans: Iterable[Period], day: date) -> date | None:
    return next((one.covered_from for one in spans if one.covered_from <= day < one.covered_to), None)


def _rank(charge: Row) -> tuple[int, int, str, str]:
    return charge["Version"], charge["Segment"], charge["EffectiveStartDate"], charge["ChargeNumber"]


def _taken(line: Line, plan: Row, discount: Row, cut: Decimal) -> Line:
    return replace(
        line,
        key=f"{discount['ChargeNumber']}|{line.key}",
        plan=plan,
        charge=discount,
        amount=-cut,
        quantity=Decimal(1),
        usage_ids=(),
        applied_to=line.key,
    )


def _applies(plan: Row, discount: Row, line: Line) -> bool:
    if discount.get("DiscountLevel") == "rateplan" and line.plan["OriginalRatePlanId"] != plan["OriginalRatePlanId"]:
        return False
    word = {"OneTime": "ONETIME", "Recurring": "RECURRING", "Usage": "USAGE"}[line.charge["ChargeType"]]
    return word in str(discount.get("ApplyDiscountTo", ""))


def charge_numbers(subscription: Row) -> set[str]:
    return {str(charge["ChargeNumber"]) for charge in charges_of(subscription)}
