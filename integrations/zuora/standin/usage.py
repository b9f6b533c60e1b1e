"""Usage records: no de-duplication, and frozen once they are on an invoice.

Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTUsage/ and
https://docs.zuora.com/en/zuora-billing/bill-your-customers/usage-billing
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.crud import crud_rules, saved
from integrations.zuora.standin.errors import invalid, missing, rule
from integrations.zuora.standin.fields import check
from integrations.zuora.standin.moments import to_tenant_zone
from integrations.zuora.standin.objects import usage_row
from integrations.zuora.standin.paging import page_of
from integrations.zuora.standin.tenant import charges_of

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

PENDING, PROCESSED = "Pending", "Processed"
LARGEST_QUANTITY = 10**13


def create_usage(tenant: Tenant, request: Request) -> Any:
    return saved(new_usage(tenant, check(request.json, "Usage.create", crud_rules(tenant, request, "Usage"))))


def new_usage(tenant: Tenant, body: dict[str, Any]) -> Row:
    """File a usage record under its account, subscription and charge, as far as they are given.

    Raises:
        Refusal: one of them is unknown or does not fit the others.
    """
    account = _account(tenant, body)
    unit = tenant.store.find("UnitOfMeasure", "UomName", body["UOM"])
    if unit is None or not unit["Active"]:
        raise invalid(f"The unit of measure '{body['UOM']}' does not exist or is not active.")
    _check_quantity(body["Quantity"])
    subscription = _subscription(tenant, account, body)
    charge_number = _charge(tenant, subscription, body)
    if body.get("UniqueKey") and not tenant.switches.usage_unique_key:
        raise invalid("UniqueKey is not available in this tenant.")
    row: Row = {"Id": tenant.store.new_id(), "AccountId": account["Id"], "UOM": unit["UomName"]}
    if subscription:
        row["SubscriptionNumber"] = subscription["Name"]
    if charge_number:
        row["ChargeNumber"] = sys.intern(charge_number)
    for name in ("StartDateTime", "EndDateTime"):
        if body.get(name):
            row[name] = to_tenant_zone(body[name], tenant.switches.time_zone, name)
    row.update(
        {name: value for name, value in body.items() if name in ("Description", "UniqueKey") or name.endswith("__c")}
    )
    row.update(Quantity=body["Quantity"], RbeStatus=PENDING, CreatedDate=tenant.stamp())
    return tenant.store.put("Usage", row)


def _check_quantity(quantity: Any) -> None:
    if not 0 <= quantity < LARGEST_QUANTITY:
        raise invalid("Quantity must be equal to or greater than 0, with at most 13 digits before the point.")


def _account(tenant: Tenant, body: dict[str, Any]) -> Row:
    account_id, number = body.get("AccountId"), body.get("AccountNumber")
    if not account_id and not number:
        raise missing("AccountId or AccountNumber")
    found = (
        tenant.store.get("Account", account_id) if account_id else tenant.store.find("Account", "AccountNumber", number)
    )
    if found is None or (number and found["AccountNumber"] != number):
        raise invalid(f"The account '{account_id or number}' does not exist.")
    return found


def _subscription(tenant: Tenant, account: Row, body: dict[str, Any]) -> Row | None:
    number, version_id = body.get("SubscriptionNumber"), body.get("SubscriptionId")
    if not number and version_id:
        version = tenant.store.get("Subscription", version_id)
        number = version["Name"] if version else version_id
    if not number:
        return None
    found = tenant.store.find("Subscription", "Latest", number)
    if found is None:
        raise invalid(f"The subscription '{number}' does not exist.")
    if account["Id"] not in (found["AccountId"], found["InvoiceOwnerId"]):
        raise invalid(f"The subscription '{number}' does not belong to account '{account['AccountNumber']}'.")
    return found


def _charge(tenant: Tenant, subscription: Row | None, body: dict[str, Any]) -> str | None:
    number, original = body.get("ChargeNumber"), body.get("ChargeId")
    if not number and not original:
        return None
    lookup, key = ("Charge", number) if number else ("OriginalCharge", original)
    holders = tenant.store.where("Subscription", lookup, key)
    if not holders or (subscription and subscription["Id"] != holders[0]["Id"]):
        raise invalid(f"The charge '{key}' does not exist on the subscription.")
    charge = next(one for one in charges_of(holders[0]) if key in (one["ChargeNumber"], one["OriginalId"]))
    if charge["ChargeType"] != "Usage":
        raise invalid(f"The charge '{key}' is not a usage charge.")
    if charge.get("UOM") not in (None, body["UOM"]):
        raise invalid(f"The unit of measure '{body['UOM']}' is not that of charge '{key}', '{charge['UOM']}'.")
    return str(charge["ChargeNumber"])


def read_usage(tenant: Tenant, request: Request) -> Any:
    return whole_usage(tenant, tenant.require("Usage", request.params["id"]))


def whole_usage(tenant: Tenant, row: Row) -> Row:
    """The record with what its charge number stands for."""
    shown = usage_row(tenant, row)
    holders = tenant.store.where("Subscription", "Charge", row.get("ChargeNumber"))
    if holders:
        charge = next(one for one in charges_of(holders[0]) if one["ChargeNumber"] == row["ChargeNumber"])
        shown["ChargeId"] = charge["OriginalId"]
    return {name: value for name, value in shown.items() if value is not None}


def update_usage(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("Usage", request.params["id"])
    body = check(request.json, "Usage.update", crud_rules(tenant, request, "Usage"))
    return saved(change_usage(tenant, row, body))


def change_usage(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    """Change what may change: once billed, custom fields only."""
    body = {name: value for name, value in body.items() if name not in ("Id", "RbeStatus")}
    if row["RbeStatus"] == PROCESSED and any(not name.endswith("__c") for name in body):
        raise rule("The usage record is billed already and cannot be updated.")
    if "Quantity" in body:
        _check_quantity(body["Quantity"])
    if body.get("UOM", row["UOM"]) != row["UOM"]:
        raise rule("The unit of measure of a usage record cannot be changed here.")
    for name in ("StartDateTime", "EndDateTime"):
        if body.get(name):
            body[name] = to_tenant_zone(body[name], tenant.switches.time_zone, name)
    return tenant.update("Usage", row, **body)


def delete_usage(tenant: Tenant, request: Request) -> Any:
    return remove_usage(tenant, tenant.require("Usage", request.params["id"]))


def remove_usage(tenant: Tenant, row: Row) -> dict[str, Any]:
    if row["RbeStatus"] == PROCESSED:
        raise rule("The usage record is billed already and cannot be deleted.")
    tenant.store.delete("Usage", row["Id"])
    return {"success": True, "id": row["Id"]}


def usage_of_account(tenant: Tenant, request: Request) -> Any:
    """Newest first; times are in the tenant's zone and carry no offset."""
    account = tenant.account(request.params["key"])
    rows = tenant.store.where("Usage", "AccountId", account["Id"])
    rows.reverse()
    shown, following = page_of(rows, request)
    answer: dict[str, Any] = {"usage": [_item(account, row) for row in shown], "success": True}
    if following:
        answer["nextPage"] = following
    return answer


def _item(account: Row, row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "accountId": account["Id"],
        "accountName": account["Name"],
        "accountNumber": account["AccountNumber"],
        "subscriptionNumber": row.get("SubscriptionNumber"),
        "chargeNumber": row.get("ChargeNumber"),
        "startDateTime": row["StartDateTime"][:19].replace("T", " "),
        "unitOfMeasure": row["UOM"],
        "quantity": f"{row['Quantity']}",
        "sourceName": row.get("FileName", "API"),
        "status": row["RbeStatus"],
        "submissionDateTime": row["CreatedDate"][:19].replace("T", " "),
        "uniqueKey": row.get("UniqueKey"),
    }
