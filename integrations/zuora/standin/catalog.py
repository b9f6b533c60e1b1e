"""Products and rate plans of the CRUD family.

Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProduct/ and
https://docs.zuora.com/en/zuora-billing/set-up-zuora-billing/build-product-and-prices (expiry and deletion).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.crud import crud_rules, saved, unique_keys
from integrations.zuora.standin.errors import Kind, Refusal, invalid, rule
from integrations.zuora.standin.fields import check

if TYPE_CHECKING:
    from datetime import date

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

OTHER_CURRENCIES_MAXIMUM = 4


def check_dates(row: Row) -> None:
    if row["EffectiveEndDate"] < row["EffectiveStartDate"]:
        raise invalid("EffectiveEndDate must not be before EffectiveStartDate.")


def used_by_subscription(tenant: Tenant, plan_id: str) -> bool:
    """A plan that any version of any subscription ever held."""
    return bool(tenant.store.tables["Subscription"].lookups["Plan"].get(plan_id))


def create_product(tenant: Tenant, request: Request) -> Any:
    return saved(new_product(tenant, check(request.json, "Product.create", crud_rules(tenant, request, "Product"))))


def new_product(tenant: Tenant, body: dict[str, Any]) -> Row:
    row = tenant.created(**body)
    row.setdefault("SKU", tenant.number("SKU-"))
    row.setdefault("ProductNumber", tenant.number("PC-"))
    check_dates(row)
    with unique_keys():
        return tenant.store.put("Product", row)


def update_product(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("Product", request.params["id"])
    body = check(request.json, "Product.update", crud_rules(tenant, request, "Product"))
    return saved(change_product(tenant, row, body))


def change_product(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    check_dates({**row, **body})
    if "EffectiveEndDate" in body or "EffectiveStartDate" in body:
        for plan in tenant.store.where("ProductRatePlan", "ProductId", row["Id"]):
            _inside_product(plan, {**row, **body})
    with unique_keys():
        return tenant.update("Product", row, **body)


def read_object(tenant: Tenant, request: Request, table: str) -> Any:
    return tenant.require(table, request.params["id"])


def read_product(tenant: Tenant, request: Request) -> Any:
    return read_object(tenant, request, "Product")


def read_rate_plan(tenant: Tenant, request: Request) -> Any:
    return read_object(tenant, request, "ProductRatePlan")


def delete_product(tenant: Tenant, request: Request) -> Any:
    return remove_product(tenant, tenant.require("Product", request.params["id"]))


def remove_product(tenant: Tenant, row: Row) -> dict[str, Any]:
    if tenant.store.where("ProductRatePlan", "ProductId", row["Id"]):
        raise Refusal(Kind.CANNOT_DELETE, "The product has rate plans; delete them first, or expire the product.")
    tenant.store.delete("Product", row["Id"])
    return {"success": True, "id": row["Id"]}


def create_rate_plan(tenant: Tenant, request: Request) -> Any:
    body = check(request.json, "ProductRatePlan.create", crud_rules(tenant, request, "ProductRatePlan"))
    return saved(new_rate_plan(tenant, body))


def new_rate_plan(tenant: Tenant, body: dict[str, Any]) -> Row:
    product = tenant.store.get("Product", body["ProductId"])
    if product is None:
        raise Refusal(Kind.INVALID_VALUE, f"Invalid value for field ProductId: {body['ProductId']}")
    row = tenant.created(**body)
    row.setdefault("EffectiveStartDate", product["EffectiveStartDate"])
    row.setdefault("EffectiveEndDate", product["EffectiveEndDate"])
    row.setdefault("ProductRatePlanNumber", tenant.number("PRP-"))
    row["ActiveCurrencies"] = _currencies(
        tenant, body.get("ActiveCurrencies"), present=[tenant.switches.default_currency]
    )
    check_dates(row)
    _inside_product(row, product)
    with unique_keys():
        return tenant.store.put("ProductRatePlan", row)


def update_rate_plan(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("ProductRatePlan", request.params["id"])
    body = check(request.json, "ProductRatePlan.update", crud_rules(tenant, request, "ProductRatePlan"))
    return saved(change_rate_plan(tenant, row, body))


def change_rate_plan(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    if body.get("ProductId", row["ProductId"]) != row["ProductId"]:
        raise rule("A rate plan cannot move to another product.")
    if "ActiveCurrencies" in body:
        body = {
            **body,
            "ActiveCurrencies": _currencies(tenant, body["ActiveCurrencies"], present=row["ActiveCurrencies"]),
        }
    changed = {**row, **body}
    check_dates(changed)
    _inside_product(changed, tenant.require("Product", row["ProductId"]))
    with unique_keys():
        return tenant.update("ProductRatePlan", row, **body)


def delete_rate_plan(tenant: Tenant, request: Request) -> Any:
    return remove_rate_plan(tenant, tenant.require("ProductRatePlan", request.params["id"]))


def remove_rate_plan(tenant: Tenant, row: Row) -> dict[str, Any]:
    if used_by_subscription(tenant, row["Id"]):
        raise Refusal(Kind.CANNOT_DELETE, "The rate plan is used by a subscription; it can expire but not be deleted.")
    if tenant.store.where("ProductRatePlanCharge", "ProductRatePlanId", row["Id"]):
        raise Refusal(Kind.CANNOT_DELETE, "The rate plan has charges; delete them first, or expire the rate plan.")
    tenant.store.delete("ProductRatePlan", row["Id"])
    return {"success": True, "id": row["Id"]}


def _inside_product(plan: Row, product: Row) -> None:
    if (
        plan["EffectiveEndDate"] > product["EffectiveEndDate"]
        or plan["EffectiveStartDate"] < product["EffectiveStartDate"]
    ):
        raise rule(
            f"The effective dates of rate plan '{plan['Name']}' must lie within those of its product; "
            "expire the rate plan on or before the product's end date first."
        )


def _currencies(tenant: Tenant, wanted: list[str] | None, *, present: list[str]) -> list[str]:
    """The active currencies: the default one always, and the full list on update, at most four changes at once.

    The official samples send one text with commas where the specification has an array; both are taken.
    """
    if wanted is None:
        return present
    named = [one.strip() for text in wanted for one in str(text).split(",") if one.strip()]
    for currency in named:
        if currency not in tenant.switches.currencies:
            raise invalid(f"The currency '{currency}' is not active in this tenant.")
    full = list(dict.fromkeys([tenant.switches.default_currency, *named]))
    if len(set(full) ^ set(present)) > OTHER_CURRENCIES_MAXIMUM:
        raise rule("At most four currencies can be changed in one request.")
    return full


def effective(row: Row, day: date) -> bool:
    """Whether a plan can be subscribed to on this day; the end date is the first day without it."""
    return bool(row["EffectiveStartDate"] <= day.isoformat() < row["EffectiveEndDate"])
