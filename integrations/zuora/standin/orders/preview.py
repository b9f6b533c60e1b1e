"""Previews: the order is carried out in full, looked at, and undone.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_PreviewOrder/
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.accounts import new_account
from integrations.zuora.standin.billing.run import due_lines
from integrations.zuora.standin.billing.views import preview_item
from integrations.zuora.standin.crud import v1_rules
from integrations.zuora.standin.dates import add_months, read
from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing
from integrations.zuora.standin.fields import check
from integrations.zuora.standin.orders.intake import SYNC_MAXIMUM, check_limits, take_order
from integrations.zuora.standin.tenant import Tenant, charges_of

if TYPE_CHECKING:
    from datetime import date

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.wire import Request

PREVIEW_MEMBERS = ("previewOptions", "previewAccountInfo")


def checked_preview(tenant: Tenant, request: Request, *, maximum: int = SYNC_MAXIMUM) -> dict[str, Any]:
    """A body of a preview: an order with `previewOptions`, and an account made up for it where there is none."""
    if not tenant.switches.orders:
        raise Refusal(Kind.PERMISSION, "The Orders feature is not enabled in this tenant.")
    rules = v1_rules(tenant, "Account")
    whole = dict(request.json)
    extra = check({name: whole.pop(name) for name in PREVIEW_MEMBERS if name in whole}, "Order.preview", rules)
    body = check(whole, "Order.create", rules)
    if not (body.get("existingAccountNumber") or extra.get("previewAccountInfo")):
        raise invalid("One of existingAccountNumber and previewAccountInfo must be given.")
    check_limits(body, maximum)
    return {**body, **extra}


def preview_order(tenant: Tenant, request: Request) -> Any:
    return {"success": True, "previewResult": preview(tenant, checked_preview(tenant, request))}


def preview(tenant: Tenant, whole: dict[str, Any]) -> dict[str, Any]:
    """Invoices and charge metrics that the order would bring; nothing of it stays."""
    body = {name: value for name, value in whole.items() if name not in PREVIEW_MEMBERS}
    options = whole["previewOptions"]
    kinds = options.get("previewTypes") or ["BillingDocs"]
    with tenant.store.rehearsal():
        if not body.get("existingAccountNumber"):
            body["existingAccountNumber"] = _made_up_account(tenant, whole["previewAccountInfo"])
        body.pop("status", None)
        body.pop("processingOptions", None)
        order = take_order(tenant, body)
        subscriptions = [tenant.require("Subscription", one["SubscriptionId"]) for one in order["Done"]]
        result: dict[str, Any] = {}
        if "BillingDocs" in kinds:
            result["invoices"] = _invoices(tenant, subscriptions, options)
        if "ChargeMetrics" in kinds:
            result["chargeMetrics"] = [
                {"subscriptionNumber": one["Name"], "charges": _metrics(one)} for one in subscriptions
            ]
        if "OrderMetrics" in kinds:
            result["orderMetrics"] = [{"subscriptionNumber": one["Name"], "orderActions": []} for one in subscriptions]
        tenant.events.clear()
    return result


def _made_up_account(tenant: Tenant, info: dict[str, Any]) -> str:
    contact = {"firstName": "Preview", "lastName": "Preview"}
    base = {"name": "Preview", "currency": info["currency"], "billCycleDay": info["billCycleDay"]}
    return str(new_account(tenant, {**base, "billToContact": contact})["AccountNumber"])


def _invoices(tenant: Tenant, subscriptions: list[Row], options: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[tuple[dict[str, Any], Decimal]] = []
    for subscription in subscriptions:
        until = _until(subscription, options)
        for line, amount, quantity in due_lines(tenant, subscription, until):
            shown = preview_item(line, amount, quantity)
            numbers = {"quantity": quantity, "amountWithoutTax": amount, "taxAmount": 0}
            kept = (
                "chargeName",
                "chargeNumber",
                "productName",
                "serviceStartDate",
                "serviceEndDate",
                "subscriptionNumber",
            )
            items.append(
                ({name: shown[name] for name in kept} | numbers | {"processingType": shown["processingType"]}, amount)
            )
    if not items:
        return []
    total = sum((amount for _, amount in items), Decimal(0))
    return [
        {
            "amount": total,
            "amountWithoutTax": total,
            "taxAmount": 0,
            "targetDate": _until(subscriptions[0], options).isoformat(),
            "invoiceItems": [item for item, _ in items],
        }
    ]


def _until(subscription: Row, options: dict[str, Any]) -> date:
    kind = options.get("previewThruType", "SpecificDate")
    if kind == "SpecificDate":
        if not options.get("specificPreviewThruDate"):
            raise missing("previewOptions.specificPreviewThruDate")
        return read(options["specificPreviewThruDate"])
    if kind == "NumberOfPeriods":
        return add_months(
            read(subscription["ContractEffectiveDate"]), int(options.get("previewNumberOfPeriods") or 1) - 1
        )
    end = subscription.get("TermEndDate")
    if end is None:
        raise invalid("previewThruType TermEnd needs a termed subscription.")
    return read(end)


def _metrics(subscription: Row) -> list[dict[str, Any]]:
    return [
        {
            "chargeNumber": charge["ChargeNumber"],
            "productRatePlanChargeId": charge["ProductRatePlanChargeId"],
            "ratePlanChargeId": charge["Id"],
            "effectiveStartDate": charge.get("EffectiveStartDate"),
            "effectiveEndDate": charge.get("EffectiveEndDate"),
        }
        for charge in charges_of(subscription)
    ]
