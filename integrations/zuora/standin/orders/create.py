"""CreateSubscription and AddProduct: new subscriptions and new rate plans on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.accounts import new_account
from integrations.zuora.standin.catalog import effective
from integrations.zuora.standin.crud import unique_keys
from integrations.zuora.standin.dates import add_term, read
from integrations.zuora.standin.errors import invalid, missing, rule
from integrations.zuora.standin.orders.pricing import new_segments
from integrations.zuora.standin.orders.segments import start_segments

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

RENEWALS = ("RENEW_WITH_SPECIFIC_TERM", "RENEW_TO_EVERGREEN")
PERIOD_TYPES = ("Day", "Week", "Month", "Year")
TERM_MAXIMUM = 65_535


def create_subscription(
    tenant: Tenant, order: Row, action: dict[str, Any], dates: dict[str, str], body: dict[str, Any]
) -> Row:
    """A first version, Active or pending what the tenant still waits for.

    Raises:
        Refusal: number taken, terms incomplete, a plan unknown or not effective.
    """
    owner = _owner(tenant, order, action)
    number = action.get("subscriptionNumber") or tenant.number("A-S")
    if "/" in number:
        raise invalid("subscriptionNumber must not contain a slash.")
    row: Row = tenant.created(
        Name=number,
        AccountId=owner["Id"],
        InvoiceOwnerId=_invoice_owner(tenant, order, action)["Id"],
        Version=1,
        IsLatestVersion=True,
        Currency=_currency(tenant, order, action),
        Notes=action.get("notes"),
        PaymentTerm=action.get("paymentTerm"),
        InvoiceSeparately=bool(action.get("invoiceSeparately")),
        OrderId=order["Id"],
        OrderNumber=order["OrderNumber"],
        ContractEffectiveDate=dates["ContractEffective"],
        SubscriptionStartDate=dates["ContractEffective"],
        ServiceActivationDate=dates.get("ServiceActivation"),
        ContractAcceptanceDate=dates.get("CustomerAcceptance"),
        UniqueToken=action.get("uniqueToken"),
        RatePlans=[],
        **_custom(tenant, {**(body.get("customFields") or {}), **(action.get("customFields") or {})}),
    )
    row["OriginalId"] = row["Id"]
    row.update(_terms(action.get("terms"), dates["ContractEffective"]))
    complete = True
    plans = action.get("subscribeToRatePlans") or action.get("subscribeToProducts") or []
    for item in plans:
        complete = _add_plan(tenant, row, item, dates, change="New") and complete
    row["Status"] = status_of(tenant, row, complete=complete)
    with unique_keys():
        return tenant.store.put("Subscription", row)


def _custom(tenant: Tenant, values: dict[str, Any]) -> dict[str, Any]:
    known = tenant.switches.custom_fields.get("Subscription", ())
    unknown = [name for name in values if name.endswith("__c") and name not in known]
    if unknown:
        raise invalid(f"The custom field '{unknown[0]}' is not defined for Subscription.")
    return {name: value for name, value in values.items() if name.endswith(("__c", "__QT", "__NS"))}


def custom_fields(tenant: Tenant, values: dict[str, Any] | None) -> dict[str, Any]:
    return _custom(tenant, values or {})


def status_of(tenant: Tenant, row: Row, *, complete: bool) -> str:
    """Pending Activation or Acceptance while a demanded trigger date is missing."""
    if (tenant.switches.require_service_activation and "ServiceActivationDate" not in row) or not complete:
        return "Pending Activation"
    if tenant.switches.require_customer_acceptance and "ContractAcceptanceDate" not in row:
        return "Pending Acceptance"
    return "Active"


def _owner(tenant: Tenant, order: Row, action: dict[str, Any]) -> Row:
    if action.get("newSubscriptionOwnerAccount"):
        return new_account(tenant, action["newSubscriptionOwnerAccount"])
    key = action.get("subscriptionOwnerAccountNumber")
    return tenant.account(key) if key else tenant.require("Account", order["AccountId"])


def _invoice_owner(tenant: Tenant, order: Row, action: dict[str, Any]) -> Row:
    key = action.get("invoiceOwnerAccountNumber")
    return tenant.account(key) if key else tenant.require("Account", order["AccountId"])


def _currency(tenant: Tenant, order: Row, action: dict[str, Any]) -> str:
    currency = str(action.get("currency") or tenant.require("Account", order["AccountId"])["Currency"])
    if currency not in tenant.switches.currencies:
        raise invalid(f"The currency '{currency}' is not active in this tenant.")
    if order.setdefault("Currency", currency) != currency:
        raise rule("All subscriptions of an order must have the same currency.")
    return currency


def _terms(terms: dict[str, Any] | None, start: str) -> Row:
    initial = (terms or {}).get("initialTerm") or {}
    kind = initial.get("termType", "EVERGREEN" if terms is None else None)
    if kind not in ("TERMED", "EVERGREEN"):
        raise missing("terms.initialTerm.termType (TERMED or EVERGREEN)")
    first = str(initial.get("startDate") or start)
    values: Row = {"TermType": kind, "TermStartDate": first, "AutoRenew": bool((terms or {}).get("autoRenew"))}
    if kind == "TERMED":
        count, unit = _period(initial)
        end = initial.get("endDate") or add_term(read(first), count, unit).isoformat()
        values.update(InitialTerm=count, InitialTermPeriodType=unit, CurrentTerm=count, CurrentTermPeriodType=unit)
        values.update(TermEndDate=end, SubscriptionEndDate=end)
    values.update(renewal_terms(terms or {}))
    return values


def renewal_terms(terms: dict[str, Any]) -> Row:
    setting = terms.get("renewalSetting", RENEWALS[0])
    if setting not in RENEWALS:
        raise invalid(f"renewalSetting must be one of {', '.join(RENEWALS)}.")
    values: Row = {"RenewalSetting": setting, "RenewalTerm": 0, "RenewalTermPeriodType": "Month"}
    for term in (terms.get("renewalTerms") or [])[:1]:
        count, unit = _period(term)
        values.update(RenewalTerm=count, RenewalTermPeriodType=unit)
    return values


def _period(term: Any) -> tuple[int, str]:
    if not isinstance(term, dict):
        raise invalid("A term must be an object with period and periodType.")
    count, unit = term.get("period"), term.get("periodType", "Month")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= TERM_MAXIMUM:
        raise invalid("The period of a term must be a whole number from 1 to 65535.")
    if unit not in PERIOD_TYPES:
        raise invalid(f"The periodType of a term must be one of {', '.join(PERIOD_TYPES)}.")
    return count, unit


def add_product(tenant: Tenant, draft: Row, action: dict[str, Any], dates: dict[str, str]) -> bool:
    """A rate plan more; whether all its charges have their start date."""
    return _add_plan(tenant, draft, action, dates, change="Add")


def _add_plan(tenant: Tenant, subscription: Row, item: dict[str, Any], dates: dict[str, str], *, change: str) -> bool:
    plan = _catalog_plan(tenant, item)
    start = dates["ContractEffective"]
    if not effective(plan, read(start)):
        raise invalid(f'Rate plan "{plan["Name"]}" is not effective on the contract effective date of {start}.')
    product = tenant.require("Product", plan["ProductId"])
    segments = new_segments(tenant, plan, subscription["Currency"], item.get("chargeOverrides") or [])
    taken = next(
        (one["ChargeNumber"] for one in segments if tenant.store.where("Subscription", "Charge", one["ChargeNumber"])),
        None,
    )
    if taken:
        raise invalid(f"The charge number '{taken}' is already in use.")
    new_id = tenant.store.new_id()
    row: Row = {
        "Id": new_id,
        "OriginalRatePlanId": new_id,
        "SubscriptionRatePlanNumber": item.get("subscriptionRatePlanNumber") or tenant.number("SRP-"),
        "ProductId": product["Id"],
        "ProductName": product["Name"],
        "ProductSku": product["SKU"],
        "ProductRatePlanId": plan["Id"],
        "ProductRatePlanNumber": plan["ProductRatePlanNumber"],
        "Name": plan["Name"],
        "LastChangeType": change,
        "UniqueToken": item.get("uniqueToken"),
        "Charges": segments,
        **{name: value for name, value in (item.get("customFields") or {}).items() if name.endswith("__c")},
    }
    complete = start_segments(subscription, segments, dates)
    subscription["RatePlans"] = [*subscription["RatePlans"], row]
    return complete


def _catalog_plan(tenant: Tenant, item: dict[str, Any]) -> Row:
    plan_id, number = item.get("productRatePlanId"), item.get("productRatePlanNumber")
    if not plan_id and not number:
        raise missing("productRatePlanId or productRatePlanNumber")
    plan = tenant.store.get("ProductRatePlan", str(plan_id)) if plan_id else None
    if plan is None and number:
        plan = tenant.store.find("ProductRatePlan", "ProductRatePlanNumber", number)
    if plan is None:
        raise invalid(f"The product rate plan '{plan_id or number}' does not exist.")
    return plan
