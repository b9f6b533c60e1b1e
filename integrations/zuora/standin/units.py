"""Units of measure, by the Settings API and by the older CRUD path.

Source: https://docs.zuora.com/en/zuora-platform/system-management/settings-api/unit-of-measure-settings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.crud import unique_keys
from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing, not_found, rule
from integrations.zuora.standin.fields import Rules, check

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

LONGEST_NAME = 50
LARGEST_PRECISION = 9
SETTINGS_NAMES = {
    "name": "UomName",
    "displayAs": "DisplayedAs",
    "precision": "DecimalPlaces",
    "roundingMode": "RoundingMode",
    "active": "Active",
    "usageLogFileLabel": "UsageLogFileLabel",
}


def settings_view(row: Row) -> dict[str, Any]:
    shown = {name: row.get(column) for name, column in SETTINGS_NAMES.items()}
    return {"id": row["Id"], **shown}


def _allowed(tenant: Tenant) -> None:
    if not tenant.switches.settings_api:
        raise Refusal(Kind.PERMISSION, "The user has no permission for Settings.")


def list_units(tenant: Tenant, _request: Request) -> Any:
    _allowed(tenant)
    return {"unitsOfMeasure": [settings_view(row) for row in tenant.store.all("UnitOfMeasure")]}


def read_unit(tenant: Tenant, request: Request) -> Any:
    _allowed(tenant)
    return settings_view(tenant.require("UnitOfMeasure", request.params["id"]))


def create_unit(tenant: Tenant, request: Request) -> Any:
    _allowed(tenant)
    return settings_view(new_unit(tenant, _from_settings(request.json)))


def update_unit(tenant: Tenant, request: Request) -> Any:
    _allowed(tenant)
    row = tenant.require("UnitOfMeasure", request.params["id"])
    return settings_view(change_unit(tenant, row, _from_settings(request.json)))


def _from_settings(body: dict[str, Any]) -> Row:
    clean = check(body, "UnitOfMeasure.settings", Rules(unknown="ignore"))
    return {SETTINGS_NAMES[name]: value for name, value in clean.items() if name in SETTINGS_NAMES}


def new_unit(tenant: Tenant, values: Row) -> Row:
    if not values.get("UomName"):
        raise missing("name")
    row = tenant.created(
        **{"DisplayedAs": values["UomName"], "DecimalPlaces": 2, "RoundingMode": "Up", "Active": True, **values}
    )
    _check(row)
    with unique_keys():
        return tenant.store.put("UnitOfMeasure", row)


def change_unit(tenant: Tenant, row: Row, values: Row) -> Row:
    used = bool(tenant.store.where("ProductRatePlanCharge", "UOM", row["UomName"]))
    if used and values.get("DecimalPlaces", row["DecimalPlaces"]) != row["DecimalPlaces"]:
        raise rule("The precision of a unit of measure cannot be changed once it is used.")
    if used and values.get("UomName", row["UomName"]) != row["UomName"]:
        raise rule("The name of a unit of measure cannot be changed once it is used.")
    _check({**row, **values})
    with unique_keys():
        return tenant.update("UnitOfMeasure", row, **values)


def remove_unit(tenant: Tenant, row: Row) -> dict[str, Any]:
    if tenant.store.where("ProductRatePlanCharge", "UOM", row["UomName"]):
        raise Refusal(Kind.CANNOT_DELETE, "The unit of measure is used by a charge.")
    tenant.store.delete("UnitOfMeasure", row["Id"])
    return {"success": True, "id": row["Id"]}


def _check(row: Row) -> None:
    if len(row["UomName"]) > LONGEST_NAME or len(row["DisplayedAs"]) > LONGEST_NAME:
        raise invalid("The name of a unit of measure has at most 50 characters.")
    places = row["DecimalPlaces"]
    if not isinstance(places, int) or not 0 <= places <= LARGEST_PRECISION:
        raise invalid("The precision of a unit of measure is a whole number from 0 to 9.")


def batch(tenant: Tenant, request: Request) -> Any:
    """Several Settings requests in one; each has its own answer."""
    _allowed(tenant)
    return {"responses": [_answered(tenant, one) for one in request.json.get("requests", [])]}


def _answered(tenant: Tenant, one: dict[str, Any]) -> dict[str, Any]:
    asked = {name: one.get(name) for name in ("id", "method", "url")}
    return {**asked, "response": _one(tenant, one)}


def _one(tenant: Tenant, one: dict[str, Any]) -> dict[str, Any]:
    try:
        if one.get("url") != "/units-of-measure":
            raise not_found("setting", one.get("url"))
        if one.get("method") == "GET":
            body: Any = {"unitsOfMeasure": [settings_view(row) for row in tenant.store.all("UnitOfMeasure")]}
        else:
            body = settings_view(new_unit(tenant, _from_settings(one.get("body") or {})))
    except Refusal as refusal:
        return {"status": f"{refusal.kind.status}", "body": {"message": refusal.message}}
    return {"status": "200 OK", "body": body}
