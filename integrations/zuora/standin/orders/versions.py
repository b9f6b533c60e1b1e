"""Versions: every change of a subscription makes a new row with a new id; the number stays.

Source: https://docs.zuora.com/en/zuora-billing/manage-accounts-subscriptions-and-non-subscription-transactions/subscription-management
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant


def draft_of(subscription: Row) -> Row:
    """A copy that can be changed freely, down to plans, charges and tiers."""
    copy = dict(subscription)
    copy["RatePlans"] = [
        {
            **plan,
            "Charges": [{**charge, "Tiers": [dict(tier) for tier in charge["Tiers"]]} for charge in plan["Charges"]],
        }
        for plan in subscription["RatePlans"]
    ]
    return copy


def save_next_version(tenant: Tenant, old: Row, draft: Row) -> Row:
    """Keep the draft as the version after `old`, which expires; plans and charges get new ids, originals stay."""
    tenant.update("Subscription", old, IsLatestVersion=False, Status="Expired", StatusBefore=old["Status"])
    fresh = tenant.created()
    fresh = {
        **draft,
        "Id": fresh["Id"],
        "CreatedDate": old["CreatedDate"],
        "UpdatedDate": fresh["UpdatedDate"],
        "Version": old["Version"] + 1,
        "PreviousSubscriptionId": old["Id"],
        "IsLatestVersion": True,
    }
    fresh.pop("StatusBefore", None)
    known = {charge["Id"] for plan in old["RatePlans"] for charge in plan["Charges"]}
    for plan in fresh["RatePlans"]:
        if any(plan["Id"] == before["Id"] for before in old["RatePlans"]):
            plan["Id"] = tenant.store.new_id()
        for charge in plan["Charges"]:
            if charge["Id"] in known:
                charge["Id"] = tenant.store.new_id()
    return tenant.store.put("Subscription", _without_none(fresh))


def _without_none(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def find_plan(tenant: Tenant, subscription: Row, keys: dict[str, str | None]) -> Row | None:
    """The rate plan that any of an order action's keys names: a rate plan id of any version, its number, a token."""
    original = _original_plan_id(tenant, subscription, keys.get("ratePlanId"))
    wanted = {
        "OriginalRatePlanId": original,
        "SubscriptionRatePlanNumber": keys.get("subscriptionRatePlanNumber"),
        "UniqueToken": keys.get("uniqueToken"),
        "ProductRatePlanNumber": keys.get("productRatePlanNumber"),
        "ProductRatePlanId": keys.get("productRatePlanId"),
    }
    for column, value in wanted.items():
        if value:
            found = [
                plan
                for plan in subscription["RatePlans"]
                if plan.get(column) == value and plan["LastChangeType"] != "Remove"
            ]
            return found[-1] if found else None
    return None


def _original_plan_id(tenant: Tenant, subscription: Row, plan_id: str | None) -> str | None:
    if not plan_id:
        return None
    for plan in subscription["RatePlans"]:
        if plan_id in (plan["Id"], plan["OriginalRatePlanId"]):
            return str(plan["OriginalRatePlanId"])
    for version in tenant.store.where("Subscription", "Name", subscription["Name"]):
        for plan in version["RatePlans"]:
            if plan["Id"] == plan_id:
                return str(plan["OriginalRatePlanId"])
    return plan_id
