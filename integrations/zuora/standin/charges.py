"""Charges and their tiers.

Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProductRatePlanCharge/; tiers can
only change their price: https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProductRatePlanChargeTier/
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.catalog import used_by_subscription
from integrations.zuora.standin.crud import crud_rules, saved, unique_keys
from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing, rule
from integrations.zuora.standin.fields import check

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

TIERED = frozenset({"Tiered Pricing", "Volume Pricing", "Tiered with Overage Pricing"})
WITH_UNIT = TIERED | {"Per Unit Pricing", "Overage Pricing"}
DISCOUNTS = {"Discount-Fixed Amount": "DiscountAmount", "Discount-Percentage": "DiscountPercentage"}
ONCE_USED_FIXED = ("UOM", "BillingPeriod", "SpecificBillingPeriod", "BillCycleType", "ListPriceBase")
NAMED_BY = {
    "SpecificDayofMonth": "BillCycleDay",
    "SpecificDayofWeek": "WeeklyBillCycleDay",
}
LAST_BILL_CYCLE_DAY = 31
LARGEST_PERCENTAGE = 100


def create_charge(tenant: Tenant, request: Request) -> Any:
    body = _without_needless_demands(tenant, request.json)
    return saved(
        new_charge(
            tenant, check(body, "ProductRatePlanCharge.create", crud_rules(tenant, request, "ProductRatePlanCharge"))
        )
    )


def _without_needless_demands(tenant: Tenant, body: dict[str, Any]) -> dict[str, Any]:
    """Two members are "required" by the specification only: the official samples leave them out."""
    relaxed = dict(body)
    if not tenant.switches.discount_accounting_flag_required:
        relaxed.setdefault("UseDiscountSpecificAccountingCode", False)
    if body.get("ChargeType") == "OneTime":
        if body.get("BillingPeriod") is not None:
            raise rule("BillingPeriod must not be set for a one-time charge.")
        relaxed["BillingPeriod"] = "Month"
    return relaxed


def new_charge(tenant: Tenant, body: dict[str, Any]) -> Row:
    plan = tenant.store.get("ProductRatePlan", body["ProductRatePlanId"])
    if plan is None:
        raise invalid(f"Invalid value for field ProductRatePlanId: {body['ProductRatePlanId']}")
    tiers = (body.pop("ProductRatePlanChargeTierData", None) or {}).get("ProductRatePlanChargeTier") or []
    if body["ChargeType"] == "OneTime":
        del body["BillingPeriod"]
    _check_charge(tenant, body)
    row = tenant.created(**body)
    row.setdefault("ProductRatePlanChargeNumber", tenant.number("PRPC-"))
    row.setdefault("EndDateCondition", "SubscriptionEnd")
    if body["ChargeType"] != "Usage" and body["ChargeModel"] in TIERED:
        row.setdefault("DefaultQuantity", 0)
    with unique_keys():
        tenant.store.put("ProductRatePlanCharge", row)
    for tier in _new_tiers(tenant, row, tiers, plan["ActiveCurrencies"]):
        tenant.store.put("ProductRatePlanChargeTier", tier)
    return row


def _check_charge(tenant: Tenant, body: dict[str, Any]) -> None:
    model, kind = body["ChargeModel"], body["ChargeType"]
    if model not in tenant.switches.charge_models:
        raise rule(f"The charge model '{model}' is not activated in this tenant.")
    if model in WITH_UNIT:
        _check_unit(tenant, body.get("UOM"))
    if model == "Per Unit Pricing" and kind != "Usage" and body.get("DefaultQuantity") is None:
        raise missing("DefaultQuantity")
    if model in DISCOUNTS:
        if kind != "Recurring":
            raise rule("A discount charge must have the charge type Recurring.")
        if body.get("ApplyDiscountTo") is None:
            raise missing("ApplyDiscountTo")
    _check_cycle(body)
    _check_accounting(tenant, body)


def _check_accounting(tenant: Tenant, body: dict[str, Any]) -> None:
    if not tenant.switches.allow_blank_accounting_codes:
        for name in ("AccountingCode", "DeferredRevenueAccount", "RecognizedRevenueAccount"):
            if not body.get(name):
                raise missing(name)
    if body.get("Taxable") and not (body.get("TaxMode") and body.get("TaxCode")):
        raise missing("TaxMode and TaxCode of a taxable charge")


def _check_cycle(body: dict[str, Any]) -> None:
    demanded = NAMED_BY.get(body["BillCycleType"])
    if demanded and body.get(demanded) is None:
        raise missing(demanded)
    if not 1 <= body.get("BillCycleDay", 1) <= LAST_BILL_CYCLE_DAY:
        raise invalid("BillCycleDay must be between 1 and 31.")
    if str(body.get("BillingPeriod", "")).startswith("Specific") and not body.get("SpecificBillingPeriod"):
        raise missing("SpecificBillingPeriod")
    if body.get("EndDateCondition") == "FixedPeriod" and not body.get("UpToPeriods"):
        raise missing("UpToPeriods")
    if body.get("BillingTiming") == "In Arrears" and body["ChargeType"] != "Recurring":
        raise rule("BillingTiming applies to recurring charges only; usage is always billed in arrears.")


def _check_unit(tenant: Tenant, name: str | None) -> None:
    if not name:
        raise missing("UOM")
    unit = tenant.store.find("UnitOfMeasure", "UomName", name)
    if unit is None or not unit["Active"]:
        raise invalid(f"The unit of measure '{name}' does not exist or is not active.")


def _new_tiers(tenant: Tenant, charge: Row, given: list[dict[str, Any]], currencies: list[str]) -> list[Row]:
    if not given:
        raise missing("ProductRatePlanChargeTierData")
    by_currency: dict[str, list[dict[str, Any]]] = {}
    for tier in given:
        currency = tier.get("Currency", tenant.switches.default_currency)
        if currency not in currencies:
            raise invalid(f"The currency '{currency}' is not active on the rate plan.")
        by_currency.setdefault(currency, []).append(tier)
    rows = []
    for currency, tiers in by_currency.items():
        _check_tiers(charge["ChargeModel"], currency, tiers)
        for index, tier in enumerate(tiers, start=1):
            row = tenant.created(**tier)
            row.update(Currency=currency, Tier=index, ProductRatePlanChargeId=charge["Id"], Active=True)
            row.setdefault("PriceFormat", "Flat Fee" if charge["ChargeModel"] == "Flat Fee Pricing" else "Per Unit")
            rows.append(row)
    return rows


def _check_tiers(model: str, currency: str, tiers: list[dict[str, Any]]) -> None:
    if model in DISCOUNTS:
        _check_discount(DISCOUNTS[model], currency, tiers)
        return
    for tier in tiers:
        if tier.get("Price") is None:
            raise missing("Price")
        if tier["Price"] < 0:
            raise invalid("Price must not be negative.")
    if model in TIERED:
        _check_contiguous(currency, tiers)
    elif len(tiers) > 1:
        raise invalid(f"A charge of model '{model}' has one tier for each currency; {currency} has {len(tiers)}.")


def _check_discount(name: str, currency: str, tiers: list[dict[str, Any]]) -> None:
    if len(tiers) > 1:
        raise invalid(f"A discount has one tier for each currency; {currency} has {len(tiers)}.")
    value = tiers[0].get(name)
    if value is None:
        raise missing(name)
    if value < 0 or (name == "DiscountPercentage" and value > LARGEST_PERCENTAGE):
        raise invalid(f"{name} is out of range: {value}.")


def _check_contiguous(currency: str, tiers: list[dict[str, Any]]) -> None:
    for tier in tiers:
        if tier.get("StartingUnit") is None:
            raise missing("StartingUnit")
    if tiers[0]["StartingUnit"] not in (0, 1):
        raise invalid(f"The first tier of {currency} must start at 0 or 1.")
    for lower, upper in pairwise(tiers):
        end = lower.get("EndingUnit")
        if end is None or end < lower["StartingUnit"] or upper["StartingUnit"] != end + 1:
            raise invalid(f"The tiers of {currency} must follow without gap or overlap, each from the former end + 1.")
    last = tiers[-1]
    if last.get("EndingUnit") is not None and last["EndingUnit"] < last["StartingUnit"]:
        raise invalid(f"The last tier of {currency} ends before it starts.")


def tiers_of(tenant: Tenant, charge_id: str) -> list[Row]:
    """The tier rows of a charge by currency, then tier."""
    rows = tenant.store.where("ProductRatePlanChargeTier", "ProductRatePlanChargeId", charge_id)
    return sorted(rows, key=lambda row: (row["Currency"], row["Tier"]))


def read_charge(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("ProductRatePlanCharge", request.params["id"])
    return {**row, "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": tiers_of(tenant, row["Id"])}}


def update_charge(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("ProductRatePlanCharge", request.params["id"])
    relaxed = _whole_enough(tenant, row, request.json)
    body = check(relaxed, "ProductRatePlanCharge.update", crud_rules(tenant, request, "ProductRatePlanCharge"))
    if "BillingPeriod" not in request.json:
        body.pop("BillingPeriod", None)
    return saved(change_charge(tenant, row, body))


def _whole_enough(tenant: Tenant, row: Row, body: dict[str, Any]) -> dict[str, Any]:
    """The specification wants the whole charge on an update; a tenant may be set to take a part of it."""
    relaxed = dict(body)
    if not tenant.switches.discount_accounting_flag_required:
        relaxed.setdefault("UseDiscountSpecificAccountingCode", False)
    if row["ChargeType"] == "OneTime":
        relaxed.setdefault("BillingPeriod", "Month")
    if tenant.switches.charge_update == "partial":
        for name in ("ProductRatePlanId", "BillCycleType", "BillingPeriod", "ChargeModel", "TriggerEvent"):
            relaxed.setdefault(name, row.get(name))
        relaxed.setdefault("ProductRatePlanChargeTierData", {})
    return relaxed


def change_charge(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    tiers = (body.pop("ProductRatePlanChargeTierData", None) or {}).get("ProductRatePlanChargeTier") or []
    for name in ("ProductRatePlanId", "ChargeModel", "ChargeType"):
        if body.get(name, row.get(name)) != row.get(name):
            raise rule(f"{name} of a charge cannot be changed.")
    if used_by_subscription(tenant, row["ProductRatePlanId"]):
        for name in ONCE_USED_FIXED:
            if body.get(name, row.get(name)) != row.get(name):
                raise rule(f"{name} cannot be changed: a subscription uses the charge.")
    if row["ChargeType"] == "OneTime" and body.get("BillingPeriod"):
        raise rule("BillingPeriod must not be set for a one-time charge.")
    _check_charge(tenant, {**row, **body})
    if tiers:
        _change_tiers(tenant, row, tiers)
    with unique_keys():
        return tenant.update("ProductRatePlanCharge", row, **body)


def _change_tiers(tenant: Tenant, charge: Row, given: list[dict[str, Any]]) -> None:
    """Set prices only; rows are matched by currency and place."""
    present: dict[str, list[Row]] = {}
    for row in tiers_of(tenant, charge["Id"]):
        present.setdefault(row["Currency"], []).append(row)
    seen: dict[str, int] = {}
    for tier in given:
        currency = tier.get("Currency", tenant.switches.default_currency)
        index = seen[currency] = seen.get(currency, -1) + 1
        rows = present.get(currency, [])
        if index >= len(rows):
            raise rule("Tiers cannot be added to a charge; only their price can change.")
        for name in ("StartingUnit", "EndingUnit"):
            if name in tier and tier[name] != rows[index].get(name):
                raise rule(f"{name} of a tier cannot be changed; only its price can.")
        values = {name: tier[name] for name in ("Price", "DiscountAmount", "DiscountPercentage") if name in tier}
        tenant.update("ProductRatePlanChargeTier", rows[index], **values)


def delete_charge(tenant: Tenant, request: Request) -> Any:
    return remove_charge(tenant, tenant.require("ProductRatePlanCharge", request.params["id"]))


def remove_charge(tenant: Tenant, row: Row) -> dict[str, Any]:
    if used_by_subscription(tenant, row["ProductRatePlanId"]):
        raise Refusal(Kind.CANNOT_DELETE, "The charge is used by a subscription; it can expire but not be deleted.")
    for tier in tiers_of(tenant, row["Id"]):
        tenant.store.delete("ProductRatePlanChargeTier", tier["Id"])
    tenant.store.delete("ProductRatePlanCharge", row["Id"])
    return {"success": True, "id": row["Id"]}


def read_tier(tenant: Tenant, request: Request) -> Any:
    return tenant.require("ProductRatePlanChargeTier", request.params["id"])


def update_tier(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("ProductRatePlanChargeTier", request.params["id"])
    body = check(
        request.json, "ProductRatePlanChargeTier.update", crud_rules(tenant, request, "ProductRatePlanChargeTier")
    )
    if body.get("Price", 0) < 0:
        raise invalid("Price must not be negative.")
    return saved(tenant.update("ProductRatePlanChargeTier", row, **body))
