"""Contacts, inline and on their own.

Accounts and contacts say `zipCode`, contacts inside orders `postalCode`, the CRUD object `PostalCode`.
Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_CreateContact/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.crud import v1_rules
from integrations.zuora.standin.errors import missing, rule
from integrations.zuora.standin.fields import check

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

SPECIAL = {
    "zipCode": "PostalCode",
    "postalCode": "PostalCode",
    "nickname": "NickName",
    "contactDescription": "Description",
}
NAMES = [
    "address1",
    "address2",
    "city",
    "contactDescription",
    "country",
    "county",
    "fax",
    "firstName",
    "homePhone",
    "lastName",
    "mobilePhone",
    "nickname",
    "otherPhone",
    "otherPhoneType",
    "personalEmail",
    "state",
    "taxRegion",
    "workEmail",
    "workPhone",
    "zipCode",
]
ROLES = ("asBillTo", "asSoldTo", "asShipTo")


def column(name: str) -> str:
    return SPECIAL.get(name) or name[0].upper() + name[1:]


def new_contact(tenant: Tenant, account_id: str, body: dict[str, Any]) -> Row:
    values = {
        name if name.endswith("__c") else column(name): value for name, value in body.items() if name not in ROLES
    }
    return tenant.store.put("Contact", tenant.created(**{**values, "AccountId": account_id}))


def contact_view(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    shown = {name: row.get(column(name)) for name in NAMES}
    custom = {name: value for name, value in row.items() if name.endswith("__c")}
    return {"id": row["Id"], **shown, **custom}


def create_contact(tenant: Tenant, request: Request) -> Any:
    body = check(request.json, "Contact.create", v1_rules(tenant, "Contact"))
    key = body.pop("accountId", None) or body.pop("accountNumber", None)
    body.pop("accountNumber", None)
    if not key:
        raise missing("accountId or accountNumber")
    account = tenant.account(key)
    row = new_contact(tenant, account["Id"], body)
    _take_roles(tenant, account, row, body)
    return {**_whole(tenant, row), "success": True}


def _take_roles(tenant: Tenant, account: Row, row: Row, body: dict[str, Any]) -> None:
    places = {"asBillTo": "BillToId", "asSoldTo": "SoldToId", "asShipTo": "ShipToId"}
    taken = {column_name: row["Id"] for role, column_name in places.items() if body.get(role)}
    if taken:
        tenant.update("Account", account, **taken)


def _whole(tenant: Tenant, row: Row) -> dict[str, Any]:
    account = tenant.require("Account", row["AccountId"])
    return {**(contact_view(row) or {}), "accountId": account["Id"], "accountNumber": account["AccountNumber"]}


def read_contact(tenant: Tenant, request: Request) -> Any:
    return {**_whole(tenant, tenant.require("Contact", request.params["id"])), "success": True}


def update_contact(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("Contact", request.params["id"])
    body = check(request.json, "Contact.update", v1_rules(tenant, "Contact"))
    row = change_contact(tenant, row, body)
    _take_roles(tenant, tenant.require("Account", row["AccountId"]), row, body)
    return {**_whole(tenant, row), "success": True}


def change_contact(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    values = {
        name if name.endswith("__c") else column(name): value for name, value in body.items() if name not in ROLES
    }
    return tenant.update("Contact", row, **values)


def delete_contact(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("Contact", request.params["id"])
    account = tenant.require("Account", row["AccountId"])
    if row["Id"] in {account.get(name) for name in ("BillToId", "SoldToId", "ShipToId")}:
        raise rule("The contact is in use as bill-to, sold-to or ship-to contact and cannot be deleted.")
    tenant.store.delete("Contact", row["Id"])
    return {"success": True}
