"""Event triggers and notification definitions: who is told what.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_EventTrigger/ and
https://developer.zuora.com/v1-api-reference/api/operation/POST_Create_Notification_Definition/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing
from integrations.zuora.standin.fields import Rules, check
from integrations.zuora.standin.store import DuplicateKey
from integrations.zuora.standin.tenant import USER_ID
from integrations.zuora.standin.wire import Answer

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

RULES = Rules(unknown="ignore", custom_fields=frozenset(), unknown_custom="ignore")
BASE_OBJECTS = frozenset(
    {
        "Account", "Product", "ProductRatePlan", "ProductRatePlanCharge", "ProductRatePlanChargeTier", "Subscription",
        "RatePlan", "RatePlanCharge", "Order", "OrderAction", "Usage", "Invoice", "Payment", "InvoiceItem", "Contact",
    }
)  # fmt: skip
STANDARD_EVENTS = frozenset(
    {"Order Processed", "Order Action Processed", "Invoice Posted", "Async Request Succeeded", "Async Request Failed"}
)
DEFAULT_PROFILE = "8ad00000000000000000000000profile"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
AUDIT = ("Id", "CreatedById", "CreatedDate", "UpdatedById", "UpdatedDate")


def _shown(row: Row) -> dict[str, Any]:
    return {"id": row["Id"], **{name: value for name, value in row.items() if name not in AUDIT}}


def _taken(what: str, name: str) -> Refusal:
    return Refusal(Kind.DUPLICATE, f"The {what} '{name}' exists already.")


def create_trigger(tenant: Tenant, request: Request) -> Any:
    body = check(request.json, "EventTrigger.create", RULES)
    if body["baseObject"] not in BASE_OBJECTS and not body["baseObject"].endswith("__c"):
        raise invalid(f"The base object '{body['baseObject']}' is unknown.")
    try:
        return _shown(tenant.store.put("EventTrigger", tenant.created(**body)))
    except DuplicateKey as taken:
        raise _taken("event type", body["eventType"]["name"]) from taken


def list_triggers(tenant: Tenant, request: Request) -> Any:
    wanted = request.parameter("eventTypeName")
    rows = [row for row in tenant.store.all("EventTrigger") if not wanted or row["eventType"]["name"] == wanted]
    return _page(request, [_shown(row) for row in rows])


def _page(request: Request, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`start` and `limit`, and `next` as a path while there is more."""
    numbers = {"start": 0, "limit": 10}
    for name in numbers:
        text = request.parameter(name)
        if text:
            if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - far past any page
                raise invalid(f"The value of '{name}' must be a whole number.")
            numbers[name] = int(text)
    start, limit = numbers["start"], max(numbers["limit"], 1)
    more = start + limit < len(rows)
    following = f"{request.path}?start={start + limit}&limit={limit}" if more else None
    return {"data": rows[start : start + limit], "next": following}


def read_trigger(tenant: Tenant, request: Request) -> Any:
    return _shown(tenant.require("EventTrigger", request.params["id"]))


def update_trigger(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("EventTrigger", request.params["id"])
    body = check(request.json, "EventTrigger.update", RULES)
    if "eventType" in body:
        body["eventType"] = {**row["eventType"], **body["eventType"]}
    return _shown(tenant.update("EventTrigger", row, **body))


def delete_trigger(tenant: Tenant, request: Request) -> Answer:
    tenant.store.delete("EventTrigger", tenant.require("EventTrigger", request.params["id"])["Id"])
    return Answer(status=204)


def create_definition(tenant: Tenant, request: Request) -> Any:
    body = check(request.json, "NotificationDefinition.create", RULES)
    body.setdefault("communicationProfileId", DEFAULT_PROFILE)
    _check_definition(tenant, body)
    row = tenant.created(**{"active": True, "calloutActive": False, "emailActive": False, **body})
    try:
        return definition_view(tenant.store.put("NotificationDefinition", row))
    except DuplicateKey as taken:
        raise _taken("notification", body["name"]) from taken


def _check_definition(tenant: Tenant, body: dict[str, Any]) -> None:
    known = STANDARD_EVENTS | {row["eventType"]["name"] for row in tenant.store.all("EventTrigger")}
    if body["eventTypeName"] not in known:
        raise invalid(f"The event type '{body['eventTypeName']}' is unknown.")
    callout = body.get("callout")
    if body.get("calloutActive") and not callout:
        raise missing("callout")
    if callout:
        _check_callout(tenant, callout)


def _check_callout(tenant: Tenant, callout: dict[str, Any]) -> None:
    parts = urlsplit(callout["calloutBaseurl"])
    plain = parts.scheme == "http" and parts.hostname in LOCAL_HOSTS and tenant.switches.plain_callouts
    if not parts.hostname or not (parts.scheme == "https" or plain):
        raise invalid("calloutBaseurl must be an https:// address.")
    if callout.get("requiredAuth") and not (callout.get("calloutAuth") or {}).get("username"):
        raise missing("callout.calloutAuth.username")


def definition_view(row: Row) -> dict[str, Any]:
    shown = _shown(row)
    if row.get("callout"):
        auth = row["callout"].get("calloutAuth")
        hidden = {"calloutAuth": {**auth, "password": "********"}} if auth else {}
        shown["callout"] = {"id": row["Id"], **row["callout"], **hidden}
    return {**shown, "createdBy": USER_ID, "createdOn": row["CreatedDate"], "updatedOn": row["UpdatedDate"]}


def list_definitions(tenant: Tenant, request: Request) -> Any:
    wanted = request.parameter("eventTypeName")
    rows = [row for row in tenant.store.all("NotificationDefinition") if not wanted or row["eventTypeName"] == wanted]
    return _page(request, [definition_view(row) for row in rows])


def read_definition(tenant: Tenant, request: Request) -> Any:
    return definition_view(tenant.require("NotificationDefinition", request.params["id"]))


def update_definition(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("NotificationDefinition", request.params["id"])
    body = check(request.json, "NotificationDefinition.update", RULES)
    if "callout" in body:
        body["callout"] = {**row.get("callout", {}), **body["callout"]}
    _check_definition(tenant, {**row, **body})
    try:
        return definition_view(tenant.update("NotificationDefinition", row, **body))
    except DuplicateKey as taken:
        raise _taken("notification", str(body.get("name"))) from taken


def delete_definition(tenant: Tenant, request: Request) -> Answer:
    row = tenant.require("NotificationDefinition", request.params["id"])
    tenant.store.delete("NotificationDefinition", row["Id"])
    return Answer(status=204)
