"""Subscriptions read back, by number or by the id of any version, and their custom fields.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_SubscriptionsByKey/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.crud import v1_rules
from integrations.zuora.standin.errors import Kind, Refusal, not_found
from integrations.zuora.standin.fields import check
from integrations.zuora.standin.orders.pricing import MODEL_WORDS
from integrations.zuora.standin.paging import page_of

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

MODELS = {**MODEL_WORDS, "Discount-Fixed Amount": "DiscountFixedAmount", "Discount-Percentage": "DiscountPercentage"}
DETAILS = ("last-segment", "current-segment", "all-segments", "specific-segment")


def find_subscription(tenant: Tenant, key: str) -> Row:
    """The latest version for a number, that very version for an id.

    Raises:
        Refusal: there is none.
    """
    row = tenant.store.get("Subscription", key) or tenant.store.find("Subscription", "Latest", key)
    if row is None:
        raise not_found("subscription", key)
    return row


def read_subscription(tenant: Tenant, request: Request) -> Any:
    row = find_subscription(tenant, request.params["key"])
    return {"success": True, **subscription_view(tenant, row, request)}


def read_version(tenant: Tenant, request: Request) -> Any:
    row = _version(tenant, find_subscription(tenant, request.params["key"])["Name"], request.params["version"])
    return {"success": True, **subscription_view(tenant, row, request)}


def _version(tenant: Tenant, name: str, version: str) -> Row:
    number = int(version) if version.isascii() and version.isdigit() else 0
    row = tenant.store.find("Subscription", "Version", (name, number))
    if row is None:
        raise not_found("subscription version", f"{name} version {version}")
    return row


def list_by_account(tenant: Tenant, request: Request) -> Any:
    account = tenant.account(request.params["key"])
    rows = [one for one in tenant.store.where("Subscription", "AccountId", account["Id"]) if one["IsLatestVersion"]]
    rows.sort(key=lambda one: (one["UpdatedDate"], one["Name"]), reverse=True)
    shown, following = page_of(rows, request)
    answer: dict[str, Any] = {
        "success": True,
        "subscriptions": [subscription_view(tenant, one, request) for one in shown],
    }
    if following:
        answer["nextPage"] = following
    return answer


def subscription_view(tenant: Tenant, row: Row, request: Request) -> dict[str, Any]:
    owner = tenant.require("Account", row["AccountId"])
    payer = tenant.require("Account", row["InvoiceOwnerId"])
    return {
        "id": row["Id"],
        "subscriptionNumber": row["Name"],
        "version": row["Version"],
        "revision": f"{row['Version']}.0",
        "isLatestVersion": row["IsLatestVersion"],
        "status": row["Status"],
        "accountId": owner["Id"],
        "accountNumber": owner["AccountNumber"],
        "accountName": owner["Name"],
        "invoiceOwnerAccountId": payer["Id"],
        "invoiceOwnerAccountNumber": payer["AccountNumber"],
        "invoiceOwnerAccountName": payer["Name"],
        "invoiceSeparately": row["InvoiceSeparately"],
        "termType": row["TermType"],
        "initialTerm": row.get("InitialTerm"),
        "initialTermPeriodType": row.get("InitialTermPeriodType"),
        "currentTerm": row.get("CurrentTerm"),
        "currentTermPeriodType": row.get("CurrentTermPeriodType"),
        "renewalTerm": row["RenewalTerm"],
        "renewalTermPeriodType": row["RenewalTermPeriodType"],
        "renewalSetting": row["RenewalSetting"],
        "autoRenew": row["AutoRenew"],
        "subscriptionStartDate": row["SubscriptionStartDate"],
        "subscriptionEndDate": row.get("SubscriptionEndDate"),
        "termStartDate": row["TermStartDate"],
        "termEndDate": row.get("TermEndDate"),
        "contractEffectiveDate": row["ContractEffectiveDate"],
        "serviceActivationDate": row.get("ServiceActivationDate"),
        "customerAcceptanceDate": row.get("ContractAcceptanceDate"),
        "currency": row["Currency"],
        "cancelReason": row.get("CancelReason"),
        "notes": row.get("Notes"),
        "orderNumber": row["OrderNumber"],
        "paymentTerm": row.get("PaymentTerm"),
        "createTime": row["CreatedDate"][:19].replace("T", " "),
        "updateTime": row["UpdatedDate"][:19].replace("T", " "),
        "contractedMrr": 0,
        "totalContractedValue": 0,
        "ratePlans": [
            plan_view(plan, row, tenant, request) for plan in row["RatePlans"] if plan["LastChangeType"] != "Remove"
        ],
        **{name: value for name, value in row.items() if name.endswith("__c")},
    }


def plan_view(plan: Row, subscription: Row, tenant: Tenant, request: Request) -> dict[str, Any]:
    return {
        "id": plan["Id"],
        "originalRatePlanId": plan["OriginalRatePlanId"],
        "subscriptionRatePlanNumber": plan["SubscriptionRatePlanNumber"],
        "productId": plan["ProductId"],
        "productName": plan["ProductName"],
        "productSku": plan["ProductSku"],
        "productRatePlanId": plan["ProductRatePlanId"],
        "productRatePlanNumber": plan["ProductRatePlanNumber"],
        "ratePlanName": plan["Name"],
        "lastChangeType": plan["LastChangeType"],
        "subscriptionProductFeatures": [],
        "ratePlanCharges": [charge_view(one, subscription) for one in _chosen(plan, tenant, request)],
        **{name: value for name, value in plan.items() if name.endswith("__c")},
    }


def _chosen(plan: Row, tenant: Tenant, request: Request) -> list[Row]:
    """The segments that `charge-detail` asks for: the last of each charge by default."""
    detail = request.parameter("charge-detail", DETAILS[0])
    if detail not in DETAILS:
        raise Refusal(Kind.QUERY_PARAMETER, f"charge-detail must be one of {', '.join(DETAILS)}.")
    charges = sorted(plan["Charges"], key=lambda one: (one["ChargeNumber"], one["Segment"]))
    if detail == "all-segments":
        return charges
    if detail == "last-segment":
        return list({one["ChargeNumber"]: one for one in charges}.values())
    day = request.parameter("as-of-date") if detail == "specific-segment" else tenant.today().isoformat()
    if not day:
        raise Refusal(Kind.MISSING_PARAMETER, "as-of-date is required for specific-segment.")
    return [
        one
        for one in charges
        if one.get("EffectiveStartDate", "9999") <= day and (one.get("EffectiveEndDate") or "9999") > day
    ]


def charge_view(charge: Row, subscription: Row) -> dict[str, Any]:
    tiers = charge["Tiers"]
    single = tiers[0].get("Price") if len(tiers) == 1 and "StartingUnit" not in tiers[0] else None
    return {
        "id": charge["Id"],
        "originalChargeId": charge["OriginalId"],
        "productRatePlanChargeId": charge["ProductRatePlanChargeId"],
        "productRatePlanChargeNumber": charge.get("ProductRatePlanChargeNumber"),
        "number": charge["ChargeNumber"],
        "name": charge["Name"],
        "type": charge["ChargeType"],
        "model": MODELS.get(charge["ChargeModel"], charge["ChargeModel"]),
        "uom": charge.get("UOM"),
        "version": charge["Version"],
        "segment": charge["Segment"],
        "quantity": charge.get("Quantity"),
        "price": single,
        "currency": subscription["Currency"],
        "tiers": [] if single is not None else [_tier_view(tier) for tier in tiers],
        "discountAmount": charge.get("DiscountAmount"),
        "discountPercentage": charge.get("DiscountPercentage"),
        "discountLevel": charge.get("DiscountLevel"),
        "applyDiscountTo": charge.get("ApplyDiscountTo"),
        "billingPeriod": (charge.get("BillingPeriod") or "").replace("-", "_").replace(" ", "_") or None,
        "specificBillingPeriod": charge.get("SpecificBillingPeriod"),
        "billingTiming": (charge.get("BillingTiming") or "").upper().replace(" ", "_") or None,
        "billingDay": charge.get("BillCycleType"),
        "listPriceBase": (charge.get("ListPriceBase") or "").replace(" ", "_") or None,
        "endDateCondition": {"SubscriptionEnd": "Subscription_End", "FixedPeriod": "Fixed_Period"}.get(
            charge.get("EndDateCondition", ""), "Specific_End_Date"
        ),
        "triggerEvent": charge.get("TriggerEvent"),
        "triggerDate": charge.get("TriggerDate"),
        "effectiveStartDate": charge.get("EffectiveStartDate"),
        "effectiveEndDate": charge.get("EffectiveEndDate"),
        "description": charge.get("Description"),
        "done": False,
        **{name: value for name, value in charge.items() if name.endswith("__c")},
    }


def _tier_view(tier: Row) -> dict[str, Any]:
    return {
        "tier": tier["Tier"],
        "startingUnit": tier.get("StartingUnit"),
        "endingUnit": tier.get("EndingUnit"),
        "price": tier["Price"],
        "priceFormat": tier["PriceFormat"].replace(" ", ""),
    }


def update_custom_fields(tenant: Tenant, request: Request) -> Any:
    """Custom fields change without a new version."""
    number = request.params["number"]
    row = tenant.store.find("Subscription", "Latest", number)
    if row is None:
        raise not_found("subscription", number)
    return _set_custom_fields(tenant, request, row)


def update_version_custom_fields(tenant: Tenant, request: Request) -> Any:
    return _set_custom_fields(tenant, request, _version(tenant, request.params["number"], request.params["version"]))


def _set_custom_fields(tenant: Tenant, request: Request, row: Row) -> Any:
    body = check(request.json, "Subscription.customFields", v1_rules(tenant, "Subscription"))
    values = body.get("customFields") or {}
    for name in values:
        if name not in tenant.switches.custom_fields.get("Subscription", ()):
            raise Refusal(Kind.UNKNOWN_FIELD, f"Error - unrecognised fields: customFields.{name}")
    plans = [dict(plan) for plan in row["RatePlans"]]
    for one in body.get("ratePlans") or []:
        plan = next((plan for plan in plans if plan["Id"] == one["ratePlanId"]), None)
        if plan is None:
            raise not_found("rate plan", one["ratePlanId"])
        plan.update(one.get("customFields") or {})
    tenant.update("Subscription", row, **values, RatePlans=plans)
    return {"success": True}
