"""CancelSubscription, Suspend and Resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.dates import add_term, read
from integrations.zuora.standin.errors import invalid, missing, rule
from integrations.zuora.standin.orders.segments import close_segment, end_plan
from integrations.zuora.standin.tenant import Tenant, charges_of

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row


def billed_through(tenant: Tenant, subscription: Row) -> str | None:
    """The end of the last period that an invoice covers."""
    ends: list[str] = []
    for number in {charge["ChargeNumber"] for charge in charges_of(subscription)}:
        ends += [
            item["ServiceEndBefore"]
            for item in tenant.store.where("InvoiceItem", "ChargeNumber", number)
            if not item.get("Usage")
        ]
    return max(ends, default=None)


def cancel(tenant: Tenant, draft: Row, action: dict[str, Any]) -> None:
    """End the subscription by policy; its status says Cancelled at once, its charges run until the date."""
    day = _cancel_day(tenant, draft, action)
    for plan in draft["RatePlans"]:
        end_plan(plan, day)
    draft.update(Status="Cancelled", CancelledDate=day, SubscriptionEndDate=day)
    if draft["TermType"] == "TERMED":
        draft["TermEndDate"] = day


def _cancel_day(tenant: Tenant, draft: Row, action: dict[str, Any]) -> str:
    policy = action["cancellationPolicy"]
    start: str = draft["ContractEffectiveDate"]
    if policy == "EndOfCurrentTerm":
        if draft["TermType"] != "TERMED":
            raise rule("EndOfCurrentTerm needs a termed subscription.")
        return str(draft["TermEndDate"])
    if policy == "EndOfLastInvoicePeriod":
        return max(billed_through(tenant, draft) or start, start)
    if policy != "SpecificDate":
        raise invalid("cancellationPolicy must be EndOfCurrentTerm, EndOfLastInvoicePeriod or SpecificDate.")
    day = action.get("cancellationEffectiveDate")
    if not day:
        raise missing("cancelSubscription.cancellationEffectiveDate")
    if day < start:
        raise invalid(f"The cancellation date must not be before the contract effective date, {start}.")
    if draft["TermType"] == "TERMED" and day > draft["TermEndDate"]:
        raise invalid(f"The cancellation date must not be after the end of the term, {draft['TermEndDate']}.")
    return str(day)


def suspend(tenant: Tenant, draft: Row, action: dict[str, Any]) -> None:
    if draft["Status"] == "Suspended":
        raise rule("The subscription is already suspended.")
    day = _day(tenant, draft, action, "suspend")
    draft["SuspendedCharges"] = []
    for plan in draft["RatePlans"]:
        for segment in plan["Charges"]:
            end = segment.get("EffectiveEndDate")
            if segment["ChargeType"] != "OneTime" and "EffectiveStartDate" in segment and (end is None or end > day):
                draft["SuspendedCharges"].append(segment["Id"])
                segment["Suspended"] = True
        end_plan(plan, day)
    draft.update(Status="Suspended", SuspendDate=day)


def resume(tenant: Tenant, draft: Row, action: dict[str, Any]) -> None:
    """Each charge that was stopped goes on as a further segment from the resume date."""
    if draft["Status"] != "Suspended":
        raise rule("The subscription is not suspended.")
    day = _day(tenant, draft, action, "resume")
    if day < draft["SuspendDate"]:
        raise invalid("A subscription cannot resume before it was suspended.")
    if action.get("extendsTerm") and draft["TermType"] == "TERMED":
        gap = (read(day) - read(draft["SuspendDate"])).days
        end = add_term(read(draft["TermEndDate"]), gap, "Day").isoformat()
        draft.update(TermEndDate=end, SubscriptionEndDate=end)
    for plan in draft["RatePlans"]:
        for segment in [one for one in plan["Charges"] if one.pop("Suspended", None)]:
            fresh = {
                **segment,
                "Id": tenant.store.new_id(),
                "Segment": segment["Segment"] + 1,
                "EffectiveStartDate": day,
            }
            close_segment(draft, fresh)
            if fresh["EffectiveEndDate"] is None or fresh["EffectiveEndDate"] > day:
                plan["Charges"].append(fresh)
    draft.update(Status="Active", SuspendedCharges=None, SuspendDate=None, ResumeDate=day)


def _day(tenant: Tenant, draft: Row, action: dict[str, Any], word: str) -> str:
    policy, today = action[f"{word}Policy"], tenant.today().isoformat()
    if policy == "Today":
        return today
    if policy == "SuspendDate":
        return str(draft["SuspendDate"])
    if policy == "EndOfLastInvoicePeriod":
        return billed_through(tenant, draft) or today
    if policy == "SpecificDate":
        day = action.get(f"{word}SpecificDate")
        if not day:
            raise missing(f"{word}.{word}SpecificDate")
        return str(day)
    if policy not in ("FixedPeriodsFromToday", "FixedPeriodsFromSuspendDate"):
        raise invalid(f"{word}Policy has no value '{policy}'.")
    count, unit = action.get(f"{word}Periods"), action.get(f"{word}PeriodsType", "Day")
    if not count:
        raise missing(f"{word}.{word}Periods")
    base = today if policy == "FixedPeriodsFromToday" else draft["SuspendDate"]
    return add_term(read(base), count, unit).isoformat()
