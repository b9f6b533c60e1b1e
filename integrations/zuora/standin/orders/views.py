"""How orders are read back.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_Order/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.account_views import basic_info
from integrations.zuora.standin.errors import not_found
from integrations.zuora.standin.orders.run import MEMBERS
from integrations.zuora.standin.paging import page_of
from integrations.zuora.standin.tenant import USER_ID, Tenant

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.wire import Request

DATE_COLUMNS = {"orderDate": "OrderDate", "updatedDate": "UpdatedDate"}


def required_order(tenant: Tenant, request: Request) -> Row:
    """The order of the path, by number or id.

    Raises:
        Refusal: there is none.
    """
    key = request.params["number"]
    row = tenant.store.find("Order", "OrderNumber", key) or tenant.store.get("Order", key)
    if row is None:
        raise not_found("order", key)
    return row


def order_view(tenant: Tenant, row: Row) -> dict[str, Any]:
    account = tenant.require("Account", row["AccountId"])
    view = {
        "orderNumber": row["OrderNumber"],
        "orderDate": row["OrderDate"],
        "status": row["Status"],
        "state": {"Draft": "Draft", "Scheduled": "Executing", "Cancelled": "Canceled"}.get(row["Status"], "Complete"),
        "category": row["Category"],
        "description": row.get("Description"),
        "reasonCode": row.get("ReasonCode"),
        "cancelReason": row.get("CancelReason"),
        "currency": row.get("Currency") or account["Currency"],
        "createdBy": USER_ID,
        "createdDate": row["CreatedDate"][:19].replace("T", " "),
        "updatedBy": USER_ID,
        "updatedDate": row["UpdatedDate"][:19].replace("T", " "),
        "existingAccountNumber": account["AccountNumber"],
        "existingAccountDetails": {"basicInfo": basic_info(account)},
        "orderLineItems": [],
        "customFields": row.get("CustomFields") or {},
        "subscriptions": [_entry_view(tenant, one) for one in row["Done"]]
        or [_draft_view(one) for one in row["Entries"]],
    }
    if row.get("ScheduledDate"):
        view["schedulingOptions"] = {"scheduledDatePolicy": "SpecificDate", "scheduledDate": row["ScheduledDate"]}
    return view


def _draft_view(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        name: entry[name] for name in ("subscriptionNumber", "orderActions", "customFields", "notes") if name in entry
    }


def _entry_view(tenant: Tenant, one: Row) -> dict[str, Any]:
    owner = tenant.store.get("Account", one["OwnerId"])
    return {
        "sequence": one["Sequence"],
        "subscriptionNumber": one["SubscriptionNumber"],
        "subscriptionOwnerAccountNumber": owner["AccountNumber"] if owner else None,
        "baseVersion": one.get("BaseVersion"),
        "newVersion": one["NewVersion"],
        "customFields": one["CustomFields"],
        "orderActions": [_action_view(tenant, action) for action in one["Actions"]],
    }


def _action_view(tenant: Tenant, action: Row) -> dict[str, Any]:
    body = action["Body"]
    name = MEMBERS[body["type"]]
    member = dict(body.get(name) or {})
    fresh = iter(action["NewRatePlanIds"])
    if body["type"] == "AddProduct":
        member = _plan_view(tenant, member, next(fresh, None))
    for many in ("subscribeToRatePlans", "subscribeToProducts"):
        if many in member:
            member[many] = [_plan_view(tenant, item, next(fresh, None)) for item in member[many]]
    if "newProductRatePlan" in member:
        member["newProductRatePlan"] = _plan_view(tenant, member["newProductRatePlan"], next(fresh, None))
    view = {
        "id": action["Id"],
        "sequence": action["Sequence"],
        "type": body["type"],
        "triggerDates": body.get("triggerDates", []),
    }
    for extra in ("customFields", "changeReason"):
        if extra in body:
            view[extra] = body[extra]
    if member:
        view[name] = member
    return {**view, "orderItems": [], "orderMetrics": []}


def _plan_view(tenant: Tenant, item: dict[str, Any], new_id: str | None) -> dict[str, Any]:
    """What was subscribed to, with the ids that it stood for."""
    plan = tenant.store.find("ProductRatePlan", "ProductRatePlanNumber", item.get("productRatePlanNumber"))
    ids = {"productRatePlanId": plan["Id"]} if plan else {}
    return {**ids, **item, "newRatePlanId": new_id}


def read_order(tenant: Tenant, request: Request) -> Any:
    return {"order": order_view(tenant, required_order(tenant, request)), "success": True}


def _listed(tenant: Tenant, request: Request, rows: list[Row]) -> Any:
    wanted = request.parameter("status")
    column = DATE_COLUMNS.get(request.parameter("dateFilterOption"), "OrderDate")
    first, last = request.parameter("startDate"), request.parameter("endDate")
    kept = [
        row
        for row in rows
        if (not wanted or row["Status"] == wanted)
        and (not first or row[column][:10] >= first)
        and (not last or row[column][:10] <= last)
    ]
    kept.reverse()
    shown, following = page_of(kept, request)
    answer: dict[str, Any] = {"orders": [order_view(tenant, row) for row in shown], "success": True}
    if following:
        answer["nextPage"] = following
    return answer


def list_orders(tenant: Tenant, request: Request) -> Any:
    return _listed(tenant, request, list(tenant.store.all("Order")))


def orders_by_invoice_owner(tenant: Tenant, request: Request) -> Any:
    account = tenant.account(request.params["key"])
    return _listed(tenant, request, tenant.store.where("Order", "AccountId", account["Id"]))


def orders_by_owner(tenant: Tenant, request: Request) -> Any:
    account = tenant.account(request.params["key"])
    rows = [row for row in tenant.store.all("Order") if any(one["OwnerId"] == account["Id"] for one in row["Done"])]
    return _listed(tenant, request, rows)


def _of_subscription(tenant: Tenant, key: str) -> list[Row]:
    return tenant.store.where("Order", "Subscription", key)


def orders_by_subscription(tenant: Tenant, request: Request) -> Any:
    return _listed(tenant, request, _of_subscription(tenant, request.params["number"]))


def pending_orders(tenant: Tenant, request: Request) -> Any:
    rows = [
        row
        for row in _of_subscription(tenant, request.params["number"])
        if row["Status"] in ("Draft", "Pending", "Scheduled")
    ]
    return _listed(tenant, request, rows)
