"""From a catalog charge and an order's overrides to the charge segment of a subscription.

Orders spell what the catalog has in other words (`PerUnit`, `Semi_Annual`, `FlatFee`); rows keep the catalog's.
Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_Order/ (chargeOverrides, chargeUpdates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.charges import DISCOUNTS, TIERED, tiers_of
from integrations.zuora.standin.errors import invalid, missing, rule

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

MODEL_WORDS = {
    "Flat Fee Pricing": "FlatFee",
    "Per Unit Pricing": "PerUnit",
    "Tiered Pricing": "Tiered",
    "Volume Pricing": "Volume",
    "Overage Pricing": "Overage",
    "Tiered with Overage Pricing": "TieredWithOverage",
}
TYPE_WORDS = {"Recurring": "recurring", "OneTime": "oneTime", "Usage": "usage"}
CARRIED = [
    "Name",
    "ChargeModel",
    "ChargeType",
    "UOM",
    "BillingPeriod",
    "SpecificBillingPeriod",
    "BillCycleType",
    "BillCycleDay",
    "BillingTiming",
    "BillingPeriodAlignment",
    "ListPriceBase",
    "EndDateCondition",
    "UpToPeriods",
    "UpToPeriodsType",
    "ApplyDiscountTo",
    "DiscountLevel",
    "RatingGroup",
    "Description",
    "TriggerEvent",
    "ProductRatePlanChargeNumber",
    "IncludedUnits",
]
FROM_ORDER_WORDS = {"FlatFee": "Flat Fee", "PerUnit": "Per Unit"}


def new_segments(tenant: Tenant, plan: Row, currency: str, overrides: list[dict[str, Any]]) -> list[Row]:
    """One first segment for each charge of the plan, priced in the currency, with the order's overrides."""
    charges = tenant.store.where("ProductRatePlanCharge", "ProductRatePlanId", plan["Id"])
    by_key = _overrides_by_charge(charges, overrides)
    return [_segment(tenant, charge, currency, by_key.get(charge["Id"], {})) for charge in charges]


def _overrides_by_charge(charges: list[Row], overrides: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    ids = {charge["Id"]: charge["Id"] for charge in charges}
    ids.update({charge["ProductRatePlanChargeNumber"]: charge["Id"] for charge in charges})
    for override in overrides:
        key = override.get("productRatePlanChargeId") or override.get("productRatePlanChargeNumber")
        if not key:
            raise missing("productRatePlanChargeId of a charge override")
        if key not in ids:
            raise invalid(f"The charge '{key}' is not in the rate plan.")
        found[ids[key]] = override
    return found


def _segment(tenant: Tenant, charge: Row, currency: str, override: dict[str, Any]) -> Row:
    tiers = [tier for tier in tiers_of(tenant, charge["Id"]) if tier["Currency"] == currency]
    if not tiers and charge["ChargeModel"] != "Discount-Percentage":
        raise rule(f"The charge '{charge['Name']}' has no price in {currency}.")
    tiers = tiers or tiers_of(tenant, charge["Id"])[:1]
    new_id = tenant.store.new_id()
    segment: Row = {
        "Id": new_id,
        "OriginalId": new_id,
        "ChargeNumber": override.get("chargeNumber") or tenant.number("C-"),
        "ProductRatePlanChargeId": charge["Id"],
        "Segment": 1,
        "Version": 1,
        **{name: charge[name] for name in CARRIED if name in charge},
        "Tiers": [_tier(tier) for tier in tiers] if charge["ChargeModel"] not in DISCOUNTS else [],
    }
    for name in ("DiscountAmount", "DiscountPercentage"):
        if name in tiers[0]:
            segment[name] = tiers[0][name]
    if charge["ChargeType"] != "Usage":
        segment["Quantity"] = charge.get("DefaultQuantity", 1)
    if override:
        _apply_terms(segment, override)
        reprice(segment, override.get("pricing") or {})
        segment["UniqueToken"] = override.get("uniqueToken")
        segment.update({n: v for n, v in (override.get("customFields") or {}).items() if n.endswith("__c")})
    return segment


def _tier(row: Row) -> Row:
    names = ("Tier", "StartingUnit", "EndingUnit", "Price", "PriceFormat")
    return {name: row[name] for name in names if name in row}


def _apply_terms(segment: Row, override: dict[str, Any]) -> None:
    if override.get("description"):
        segment["Description"] = override["description"]
    _apply_billing(segment, override.get("billing") or {})
    start, end = (override.get(name) or {} for name in ("startDate", "endDate"))
    if start.get("triggerEvent"):
        segment["TriggerEvent"] = start["triggerEvent"]
    if start.get("specificTriggerDate"):
        segment["TriggerDate"] = start["specificTriggerDate"]
    if end.get("endDateCondition"):
        words = {
            "Fixed_Period": "FixedPeriod",
            "Subscription_End": "SubscriptionEnd",
            "Specific_End_Date": "SpecificEndDate",
        }
        segment["EndDateCondition"] = words.get(end["endDateCondition"], end["endDateCondition"])
    for name, column in (
        ("specificEndDate", "SpecificEndDate"),
        ("upToPeriods", "UpToPeriods"),
        ("upToPeriodsType", "UpToPeriodsType"),
    ):
        if end.get(name):
            segment[column] = str(end[name]).replace("_", " ") if name == "upToPeriodsType" else end[name]


def _apply_billing(segment: Row, billing: dict[str, Any]) -> None:
    if billing.get("billingPeriod"):
        segment["BillingPeriod"] = billing["billingPeriod"].replace("Semi_Annual", "Semi-Annual").replace("_", " ")
    if billing.get("billingTiming"):
        segment["BillingTiming"] = {"IN_ADVANCE": "In Advance", "IN_ARREARS": "In Arrears"}.get(
            billing["billingTiming"]
        )
    for name in ("billCycleType", "billCycleDay", "specificBillingPeriod"):
        if billing.get(name):
            segment[name[0].upper() + name[1:]] = billing[name]


def pricing_member(segment: Row) -> str:
    """The one member of `pricing` that fits the charge."""
    if segment["ChargeModel"] in DISCOUNTS:
        return "discount"
    return TYPE_WORDS[segment["ChargeType"]] + MODEL_WORDS[segment["ChargeModel"]]


def reprice(segment: Row, pricing: dict[str, Any]) -> None:
    """Take quantity and price of an override or update.

    Raises:
        Refusal: the pricing member does not fit the charge.
    """
    if not pricing:
        return
    expected = pricing_member(segment)
    if set(pricing) != {expected}:
        given_as = ", ".join(sorted(pricing))
        raise invalid(f"The pricing of charge '{segment['Name']}' must be given as '{expected}', not '{given_as}'.")
    given = pricing[expected] or {}
    if given.get("quantity") is not None:
        if given["quantity"] < 0:
            raise invalid("quantity must not be negative.")
        segment["Quantity"] = given["quantity"]
    if given.get("listPrice") is not None:
        segment["Tiers"] = [{**segment["Tiers"][0], "Price": given["listPrice"]}]
    if given.get("tiers"):
        _retier(segment, given["tiers"])
    for name in ("discountAmount", "discountPercentage", "applyDiscountTo", "discountLevel"):
        if given.get(name) is not None:
            segment[name[0].upper() + name[1:]] = given[name]


def _retier(segment: Row, tiers: list[dict[str, Any]]) -> None:
    if segment["ChargeModel"] not in TIERED:
        raise invalid(f"The charge '{segment['Name']}' has no tiers.")
    fresh = []
    for index, tier in enumerate(tiers, start=1):
        if tier.get("price") is None or tier.get("startingUnit") is None:
            raise missing("price and startingUnit of a tier")
        fresh.append(
            {
                "Tier": tier.get("tier", index),
                "StartingUnit": tier["startingUnit"],
                **({"EndingUnit": tier["endingUnit"]} if tier.get("endingUnit") is not None else {}),
                "Price": tier["price"],
                "PriceFormat": FROM_ORDER_WORDS.get(tier.get("priceFormat", "PerUnit"), "Per Unit"),
            }
        )
    segment["Tiers"] = fresh
