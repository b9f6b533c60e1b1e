"""The dates of charge segments: when they start, when they end, and how one becomes two.

A segment covers the days from EffectiveStartDate up to, and not including, EffectiveEndDate; no end is open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrations.zuora.standin.dates import MONTHS_OF, add_months, add_term, read

if TYPE_CHECKING:
    from datetime import date

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

TRIGGERS = {"ServiceActivation": "ServiceActivationDate", "CustomerAcceptance": "ContractAcceptanceDate"}


def start_segments(subscription: Row, segments: list[Row], dates: dict[str, str]) -> bool:
    """Give each segment its days from the action's trigger dates; whether all of them have a start."""
    complete = True
    for segment in segments:
        event = segment.get("TriggerEvent", "ContractEffective")
        start = segment.get("TriggerDate") if event == "SpecificDate" else dates.get(event)
        if start is None:
            complete = False
            continue
        segment["EffectiveStartDate"] = start
        close_segment(subscription, segment)
    return complete


def close_segment(subscription: Row, segment: Row) -> None:
    """Set the end that the charge's end condition says; the subscription's end is never passed."""
    end = _own_end(segment)
    last = subscription.get("SubscriptionEndDate")
    if end is None or (last is not None and end > last):
        end = last
    if segment["ChargeType"] == "OneTime":
        end = (read(segment["EffectiveStartDate"])).isoformat()
    segment["EffectiveEndDate"] = end


def _own_end(segment: Row) -> str | None:
    start = read(segment["EffectiveStartDate"])
    condition = segment.get("EndDateCondition", "SubscriptionEnd")
    if condition == "SpecificEndDate":
        return str(segment["SpecificEndDate"])
    if condition == "FixedPeriod":
        return _after_periods(segment, start).isoformat()
    return None


def _after_periods(segment: Row, start: date) -> date:
    count, unit = int(segment["UpToPeriods"]), segment.get("UpToPeriodsType", "Billing Periods")
    if unit == "Billing Periods":
        return add_months(start, count * MONTHS_OF.get(segment.get("BillingPeriod", "Month"), 1))
    return add_term(start, count, unit.removesuffix("s"))


def live_segment(plan: Row, charge_number: str, day: str) -> Row | None:
    """The charge's segment in force on a day, or its last one before it, or its first."""
    own = sorted(
        (one for one in plan["Charges"] if one["ChargeNumber"] == charge_number), key=lambda one: one["Segment"]
    )
    started = [one for one in own if one.get("EffectiveStartDate", "9999-12-31") <= day]
    return started[-1] if started else own[0] if own else None


def split(tenant: Tenant, plan: Row, segment: Row, day: str) -> Row:
    """A fresh segment from `day` on that follows `segment`; later segments of the charge are dropped.

    A segment that starts on that very day is changed in place, as its days are the same.
    """
    number = segment["ChargeNumber"]
    own = [one for one in plan["Charges"] if one["ChargeNumber"] == number]
    end = max(own, key=lambda one: one["Segment"]).get("EffectiveEndDate")
    later = [one for one in own if one.get("EffectiveStartDate", "") > day and one is not segment]
    plan["Charges"] = [one for one in plan["Charges"] if not any(one is gone for gone in later)]
    if segment.get("EffectiveStartDate", day) >= day:
        if later:
            segment["EffectiveEndDate"] = end
        return segment
    fresh = {**segment, "Id": tenant.store.new_id(), "Segment": segment["Segment"] + 1}
    fresh.update(EffectiveStartDate=day, EffectiveEndDate=end)
    segment["EffectiveEndDate"] = day
    plan["Charges"].append(fresh)
    return fresh


def end_plan(plan: Row, day: str) -> None:
    """End all of the plan's charges on a day; what had not begun by then never runs."""
    for segment in plan["Charges"]:
        start = segment.get("EffectiveStartDate")
        end = segment.get("EffectiveEndDate")
        if start is None:
            segment["EffectiveStartDate"] = segment["EffectiveEndDate"] = day
        elif segment["ChargeType"] == "OneTime":
            if start >= day:
                segment["Cancelled"] = True
        elif end is None or end > day:
            segment["EffectiveEndDate"] = max(day, start)


def extend(subscription: Row, old_end: str | None) -> None:
    """After a renewal: segments that ended with the subscription go on to its new end."""
    for plan in subscription["RatePlans"]:
        if plan["LastChangeType"] == "Remove":
            continue
        last: dict[str, Row] = {}
        for segment in plan["Charges"]:
            kept = last.get(segment["ChargeNumber"])
            if kept is None or segment["Segment"] > kept["Segment"]:
                last[segment["ChargeNumber"]] = segment
        for segment in last.values():
            if "EffectiveStartDate" in segment and segment.get("EffectiveEndDate") == old_end:
                close_segment(subscription, segment)
