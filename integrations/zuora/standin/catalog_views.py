"""The catalog read back by the v1 family.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_Catalog/ and .../GET_ProductRatePlans/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.charges import tiers_of
from integrations.zuora.standin.errors import not_found
from integrations.zuora.standin.paging import page_of

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

PLANS_AS_URL_SINCE = 230.0
INLINE_MAXIMUM = 300


def _custom(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.endswith(("__c", "__NS"))}


def _text(value: Any) -> str | None:
    return None if value is None else f"{value}"


def product_view(tenant: Tenant, row: Row, request: Request) -> dict[str, Any]:
    if request.version >= PLANS_AS_URL_SINCE:
        plans: Any = f"{request.origin}/v1/rateplan/{row['Id']}/productRatePlan"
    else:
        found = tenant.store.where("ProductRatePlan", "ProductId", row["Id"])[:INLINE_MAXIMUM]
        plans = [plan_view(tenant, plan) for plan in found]
    return {
        "id": row["Id"],
        "sku": row["SKU"],
        "productNumber": row["ProductNumber"],
        "name": row["Name"],
        "description": row.get("Description"),
        "category": row.get("Category"),
        "effectiveStartDate": row["EffectiveStartDate"],
        "effectiveEndDate": row["EffectiveEndDate"],
        "productFeatures": [],
        "productRatePlans": plans,
        **_custom(row),
    }


def plan_status(tenant: Tenant, row: Row) -> str:
    today = tenant.today().isoformat()
    if row["EffectiveEndDate"] <= today:
        return "Expired"
    return "NotStarted" if row["EffectiveStartDate"] > today else "Active"


def _plan_head(tenant: Tenant, row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "productRatePlanNumber": row["ProductRatePlanNumber"],
        "name": row["Name"],
        "description": row.get("Description"),
        "status": plan_status(tenant, row),
        "grade": row.get("Grade"),
        "effectiveStartDate": row["EffectiveStartDate"],
        "effectiveEndDate": row["EffectiveEndDate"],
        **_custom(row),
    }


def plan_view(tenant: Tenant, row: Row) -> dict[str, Any]:
    charges = tenant.store.where("ProductRatePlanCharge", "ProductRatePlanId", row["Id"])[:INLINE_MAXIMUM]
    return {**_plan_head(tenant, row), "productRatePlanCharges": [charge_view(tenant, one) for one in charges]}


def charge_view(tenant: Tenant, row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "name": row["Name"],
        "productRatePlanChargeNumber": row["ProductRatePlanChargeNumber"],
        "type": row["ChargeType"],
        "model": row["ChargeModel"].removesuffix(" Pricing").replace(" ", "").replace("-", ""),
        "uom": row.get("UOM"),
        "pricing": _pricing(tenant, row),
        "defaultQuantity": _text(row.get("DefaultQuantity")),
        "applyDiscountTo": row.get("ApplyDiscountTo"),
        "discountLevel": row.get("DiscountLevel"),
        "endDateCondition": row["EndDateCondition"],
        "upToPeriods": row.get("UpToPeriods"),
        "upToPeriodsType": row.get("UpToPeriodsType"),
        "billingDay": row["BillCycleType"],
        "listPriceBase": row.get("ListPriceBase"),
        "billingTiming": row.get("BillingTiming"),
        "billingPeriod": row.get("BillingPeriod"),
        "billingPeriodAlignment": row.get("BillingPeriodAlignment"),
        "specificBillingPeriod": row.get("SpecificBillingPeriod"),
        "ratingGroup": row.get("RatingGroup"),
        "taxable": bool(row.get("Taxable")),
        "taxCode": row.get("TaxCode"),
        "taxMode": row.get("TaxMode"),
        "triggerEvent": row["TriggerEvent"],
        "description": row.get("Description"),
        **_custom(row),
    }


def _pricing(tenant: Tenant, charge: Row) -> list[dict[str, Any]]:
    by_currency: dict[str, list[Row]] = {}
    for tier in tiers_of(tenant, charge["Id"]):
        by_currency.setdefault(tier["Currency"], []).append(tier)
    shown = []
    for currency, tiers in by_currency.items():
        first = tiers[0]
        tiered = "StartingUnit" in first
        shown.append(
            {
                "currency": currency,
                "price": None if tiered else _text(first.get("Price")),
                "discountAmount": _text(first.get("DiscountAmount")),
                "discountPercentage": _text(first.get("DiscountPercentage")),
                "includedUnits": None,
                "overagePrice": None,
                "tiers": [_tier(tier) for tier in tiers] if tiered else None,
            }
        )
    return shown


def _tier(row: Row) -> dict[str, Any]:
    return {
        "tier": row["Tier"],
        "startingUnit": _text(row.get("StartingUnit")),
        "endingUnit": _text(row.get("EndingUnit")),
        "price": _text(row["Price"]),
        "priceFormat": row["PriceFormat"],
    }


def list_products(tenant: Tenant, request: Request) -> Any:
    shown, following = page_of(list(tenant.store.all("Product")), request)
    answer: dict[str, Any] = {"products": [product_view(tenant, row, request) for row in shown], "success": True}
    if following:
        answer["nextPage"] = following
    return answer


def _product(tenant: Tenant, key: str) -> Row:
    store = tenant.store
    row = store.get("Product", key) or store.find("Product", "SKU", key) or store.find("Product", "ProductNumber", key)
    if row is None:
        raise not_found("product", key)
    return row


def read_product(tenant: Tenant, request: Request) -> Any:
    return {**product_view(tenant, _product(tenant, request.params["key"]), request), "success": True}


def plans_of_product(tenant: Tenant, request: Request) -> Any:
    row = _product(tenant, request.params["key"])
    shown, following = page_of(tenant.store.where("ProductRatePlan", "ProductId", row["Id"]), request)
    answer: dict[str, Any] = {"productRatePlans": [plan_view(tenant, plan) for plan in shown], "success": True}
    if following:
        answer["nextPage"] = following
    return answer


def read_plan(tenant: Tenant, request: Request) -> Any:
    key = request.params["id"]
    row = tenant.store.get("ProductRatePlan", key) or tenant.store.find("ProductRatePlan", "ProductRatePlanNumber", key)
    if row is None:
        raise not_found("product rate plan", key)
    head = _plan_head(tenant, row)
    return {**head, "externallyManagedPlanIds": row.get("ExternalRatePlanIds", []), "success": True}


def plans_by_external_id(tenant: Tenant, request: Request) -> Any:
    wanted = request.params["id"]
    found = [row for row in tenant.store.all("ProductRatePlan") if wanted in row.get("ExternalRatePlanIds", [])]
    plans = [{**_plan_head(tenant, row), "externallyManagedPlanIds": row["ExternalRatePlanIds"]} for row in found]
    return {"productRatePlans": plans, "success": True}
