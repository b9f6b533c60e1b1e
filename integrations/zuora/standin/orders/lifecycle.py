"""Orders that wait: drafts, scheduled and pending ones, and those taken back.

Source: https://docs.zuora.com/en/zuora-billing/manage-accounts-subscriptions-and-non-subscription-transactions (orders)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.crud import v1_rules
from integrations.zuora.standin.errors import rule
from integrations.zuora.standin.fields import check
from integrations.zuora.standin.jobs import WORKS
from integrations.zuora.standin.orders.create import status_of
from integrations.zuora.standin.orders.intake import NOT_RUN, carry_out, checked_order, order_answer
from integrations.zuora.standin.orders.segments import TRIGGERS, start_segments
from integrations.zuora.standin.orders.versions import draft_of
from integrations.zuora.standin.orders.views import required_order
from integrations.zuora.standin.tenant import Tenant, charges_of

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.wire import Request


def update_order(tenant: Tenant, request: Request) -> Any:
    """The whole order anew: what the body leaves out is gone."""
    row = required_order(tenant, request)
    if row["Status"] not in NOT_RUN:
        raise rule(f"An order that is {row['Status']} cannot be updated.")
    body = checked_order(tenant, request)
    row = tenant.update(
        "Order",
        row,
        OrderDate=body["orderDate"],
        Description=body.get("description"),
        CustomFields=body.get("customFields"),
        Entries=body.get("subscriptions") or [],
        ProcessingOptions=body.get("processingOptions"),
        ScheduledDate=(body.get("schedulingOptions") or {}).get("scheduledDate"),
    )
    return order_answer(tenant, row, request.version)


def activate_order(tenant: Tenant, request: Request) -> Any:
    row = required_order(tenant, request)
    if row["Status"] != "Draft":
        raise rule(f"Only a draft order can be activated; this one is {row['Status']}.")
    return order_answer(tenant, carry_out(tenant, row), request.version)


def _run_scheduled(tenant: Tenant, job: Row) -> dict[str, Any]:
    order = tenant.store.get("Order", job["OrderId"])
    if order is not None and order["Status"] == "Scheduled":
        carry_out(tenant, order)
    return {}


WORKS["scheduled"] = _run_scheduled


def cancel_order(tenant: Tenant, request: Request) -> Any:
    row = required_order(tenant, request)
    if row["Status"] not in NOT_RUN:
        raise rule(f"Only a draft or scheduled order can be cancelled; this one is {row['Status']}.")
    reason = check(request.json if request.body else {}, "Order.cancel", v1_rules(tenant, "Order")).get("cancelReason")
    tenant.update("Order", row, Status="Cancelled", CancelReason=reason)
    account = tenant.require("Account", row["AccountId"])
    answer = {"success": True, "orderNumber": row["OrderNumber"], "accountNumber": account["AccountNumber"]}
    return {**answer, "status": "Cancelled", "cancelReason": reason}


def delete_order(tenant: Tenant, request: Request) -> Any:
    take_back(tenant, required_order(tenant, request))
    return {"success": True}


def take_back(tenant: Tenant, row: Row) -> None:
    """Roll the subscriptions back to what they were before the order.

    Raises:
        Refusal: a later order changed one of them, or a charge is invoiced.
    """
    for one in row["Done"]:
        latest = tenant.store.find("Subscription", "Latest", one["SubscriptionNumber"])
        if latest is None or latest["Version"] != one["NewVersion"]:
            raise rule(f"Subscription {one['SubscriptionNumber']} was changed by a later order.")
        if any(
            tenant.store.where("InvoiceItem", "ChargeNumber", charge["ChargeNumber"]) for charge in charges_of(latest)
        ):
            raise rule(f"Subscription {one['SubscriptionNumber']} has invoiced charges; the order cannot be deleted.")
        versions = tenant.store.where("Subscription", "Name", one["SubscriptionNumber"])
        base = one.get("BaseVersion") or 0
        for version in [version for version in versions if version["Version"] > base]:
            tenant.store.delete("Subscription", version["Id"])
        for version in versions:
            if version["Version"] == base:
                tenant.update(
                    "Subscription", version, IsLatestVersion=True, Status=version.get("StatusBefore", "Active")
                )
    tenant.store.delete("Order", row["Id"])


def update_order_custom_fields(tenant: Tenant, request: Request) -> Any:
    row = required_order(tenant, request)
    values = request.json.get("customFields") or {}
    if not isinstance(values, dict):
        raise rule("customFields must be an object.")
    tenant.update("Order", row, CustomFields={**(row.get("CustomFields") or {}), **values})
    return {"success": True}


def update_trigger_dates(tenant: Tenant, request: Request) -> Any:
    """Give the dates that a pending order waits for; with all of them the subscription becomes active."""
    row = required_order(tenant, request)
    body = check(request.json, "Order.triggerDates", v1_rules(tenant, "Order"))
    if row["Status"] != "Pending":
        raise rule(f"Only a pending order waits for trigger dates; this one is {row['Status']}.")
    states = {one["SubscriptionNumber"]: one for one in row["Done"]}
    for entry in body.get("subscriptions") or []:
        number = entry["subscriptionNumber"]
        if number not in states:
            raise rule(f"Subscription {number} is not in the order.")
        states[number] = {**states[number], "Status": _give_dates(tenant, row, number, entry)}
    done = list(states.values())
    pending = any(one["Status"].startswith("Pending") for one in done)
    row = tenant.update("Order", row, Done=done, Status="Pending" if pending else "Completed")
    account = tenant.require("Account", row["AccountId"])
    return {
        "success": True,
        "accountNumber": account["AccountNumber"],
        "orderNumber": row["OrderNumber"],
        "status": row["Status"],
        "subscriptions": [{"subscriptionNumber": one["SubscriptionNumber"], "status": one["Status"]} for one in done],
    }


def _give_dates(tenant: Tenant, order: Row, number: str, entry: dict[str, Any]) -> str:
    old = tenant.store.find("Subscription", "Latest", number)
    if old is None:
        raise rule(f"Subscription {number} does not exist.")
    draft = draft_of(old)
    dates = {"ContractEffective": draft["ContractEffectiveDate"]}
    for action in entry.get("orderActions") or []:
        dates.update(
            {one["name"]: one["triggerDate"] for one in action.get("triggerDates") or [] if one.get("triggerDate")}
        )
        for given in action.get("charges") or []:
            for charge in charges_of(draft):
                if charge["ChargeNumber"] == given.get("chargeNumber") and given.get("specificTriggerDate"):
                    charge["TriggerDate"] = given["specificTriggerDate"]
    for event, column in TRIGGERS.items():
        if event in dates:
            draft[column] = dates[event]
        elif column in draft:
            dates[event] = draft[column]
    waiting = [charge for charge in charges_of(draft) if "EffectiveStartDate" not in charge]
    complete = start_segments(draft, waiting, dates)
    draft["Status"] = status_of(tenant, draft, complete=complete)
    draft["OrderId"] = order["Id"]
    tenant.update("Subscription", draft)
    return str(draft["Status"])


def revert_order(tenant: Tenant, request: Request) -> Any:
    """Behind a feature of its own, which no tenant of ours has."""
    required_order(tenant, request)
    raise rule("Order reversion is not enabled for this tenant.")
