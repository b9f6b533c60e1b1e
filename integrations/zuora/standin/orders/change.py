"""UpdateProduct, RemoveProduct, ChangePlan, TermsAndConditions, RenewSubscription and OwnerTransfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.dates import add_term, read
from integrations.zuora.standin.errors import invalid, missing, rule
from integrations.zuora.standin.orders.create import add_product, renewal_terms
from integrations.zuora.standin.orders.pricing import reprice
from integrations.zuora.standin.orders.segments import end_plan, extend, live_segment, split
from integrations.zuora.standin.orders.versions import find_plan

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant


def required_plan(tenant: Tenant, draft: Row, action: dict[str, Any]) -> Row:
    """The rate plan an action names.

    Raises:
        Refusal: none is named, or the subscription has it not, or not any more.
    """
    names = ("ratePlanId", "subscriptionRatePlanNumber", "uniqueToken", "productRatePlanNumber", "productRatePlanId")
    keys = {name: action.get(name) for name in names}
    if not any(keys.values()):
        raise missing("ratePlanId, subscriptionRatePlanNumber, uniqueToken or productRatePlanNumber")
    plan = find_plan(tenant, draft, keys)
    if plan is None:
        named = next(value for value in keys.values() if value)
        raise invalid(f"The rate plan '{named}' is not on subscription {draft['Name']}, or was removed from it.")
    return plan


def update_product(tenant: Tenant, draft: Row, action: dict[str, Any], dates: dict[str, str]) -> None:
    plan = required_plan(tenant, draft, action)
    for update in action.get("chargeUpdates") or []:
        number = _charge_number(tenant, plan, update)
        day = _effective_day(action, update, dates)
        if day < draft["ContractEffectiveDate"]:
            raise invalid("A charge cannot change before the subscription's contract effective date.")
        present = live_segment(plan, number, day)
        if present is None:
            raise invalid(f"The charge '{number}' is not in the rate plan.")
        segment = split(tenant, plan, present, day)
        reprice(segment, update.get("pricing") or {})
        segment["Version"] = draft["Version"] + 1
        if update.get("description") is not None:
            segment["Description"] = update["description"]
        segment.update({n: v for n, v in (update.get("customFields") or {}).items() if n.endswith("__c")})
    plan.update({n: v for n, v in (action.get("customFields") or {}).items() if n.endswith("__c")})
    plan["LastChangeType"] = "Update"


def _charge_number(tenant: Tenant, plan: Row, update: dict[str, Any]) -> str:
    number, token = update.get("chargeNumber"), update.get("uniqueToken")
    catalog_id, catalog_number = update.get("productRatePlanChargeId"), update.get("productRatePlanChargeNumber")
    if not (number or token or catalog_id or catalog_number):
        raise missing("chargeNumber, productRatePlanChargeNumber, productRatePlanChargeId or uniqueToken")
    if catalog_number and not catalog_id:
        charge = tenant.store.find("ProductRatePlanCharge", "ProductRatePlanChargeNumber", catalog_number)
        catalog_id = charge["Id"] if charge else ""
    for segment in plan["Charges"]:
        same_token = token is not None and segment.get("UniqueToken") == token
        if segment["ChargeNumber"] == number or same_token or segment["ProductRatePlanChargeId"] == catalog_id:
            return str(segment["ChargeNumber"])
    raise invalid(f"The charge '{number or token or catalog_number or catalog_id}' is not in the rate plan.")


def _effective_day(action: dict[str, Any], update: dict[str, Any], dates: dict[str, str]) -> str:
    given = update.get("effectiveDate") or {}
    event = given.get("triggerEvent", "ContractEffective")
    if event == "SpecificDate" or given.get("specificTriggerDate"):
        day = given.get("specificTriggerDate")
        if not day:
            raise missing("effectiveDate.specificTriggerDate")
        return str(day)
    return str(action.get("specificUpdateDate") or dates.get(event) or dates["ContractEffective"])


def remove_product(tenant: Tenant, draft: Row, action: dict[str, Any], dates: dict[str, str]) -> None:
    plan = required_plan(tenant, draft, action)
    _remove(draft, plan, dates["ContractEffective"])


def _remove(draft: Row, plan: Row, day: str) -> None:
    if day < draft["ContractEffectiveDate"]:
        raise invalid("A product cannot be removed before the subscription's contract effective date.")
    end_plan(plan, day)
    plan["LastChangeType"] = "Remove"


def change_plan(tenant: Tenant, draft: Row, action: dict[str, Any], dates: dict[str, str]) -> bool:
    """Replace one rate plan by another on the same day."""
    fresh = action.get("newProductRatePlan")
    if not fresh:
        raise missing("changePlan.newProductRatePlan")
    policy = action.get("effectivePolicy", "EffectiveImmediately")
    if policy == "EffectiveEndOfBillingPeriod":
        raise rule("effectivePolicy EffectiveEndOfBillingPeriod is not available here; give the date as SpecificDate.")
    plan = required_plan(tenant, draft, action)
    _remove(draft, plan, dates["ContractEffective"])
    return add_product(tenant, draft, fresh, dates)


def terms_and_conditions(draft: Row, action: dict[str, Any]) -> None:
    if "autoRenew" in action:
        draft["AutoRenew"] = action["autoRenew"]
    if "renewalSetting" in action or "renewalTerms" in action:
        present = (
            [{"period": draft["RenewalTerm"], "periodType": draft["RenewalTermPeriodType"]}]
            if draft["RenewalTerm"]
            else []
        )
        setting = action.get("renewalSetting", draft["RenewalSetting"])
        draft.update(renewal_terms({"renewalSetting": setting, "renewalTerms": action.get("renewalTerms", present)}))
    for name, column in (("paymentTerm", "PaymentTerm"), ("invoiceSeparately", "InvoiceSeparately")):
        if name in action:
            draft[column] = action[name]
    last = action.get("lastTerm")
    if last:
        _last_term(draft, last)


def _last_term(draft: Row, last: dict[str, Any]) -> None:
    old_end = draft.get("SubscriptionEndDate")
    start = last.get("startDate") or draft["TermStartDate"]
    draft.update(TermType=last["termType"], TermStartDate=start)
    if last["termType"] == "EVERGREEN":
        draft.update(TermEndDate=None, SubscriptionEndDate=None)
    elif last.get("endDate") or last.get("period"):
        count, unit = last.get("period", 1), last.get("periodType", "Month")
        end = last.get("endDate") or add_term(read(start), count, unit).isoformat()
        draft.update(TermEndDate=end, SubscriptionEndDate=end, CurrentTerm=count, CurrentTermPeriodType=unit)
        if old_end is None or end < old_end:
            for plan in draft["RatePlans"]:
                for segment in plan["Charges"]:
                    if segment.get("EffectiveEndDate") is None or segment["EffectiveEndDate"] > end:
                        segment["EffectiveEndDate"] = max(end, segment.get("EffectiveStartDate", end))
    extend(draft, old_end)


def renew(draft: Row) -> None:
    """The next term, or none of a definite length."""
    if draft["TermType"] != "TERMED":
        raise rule("An evergreen subscription cannot be renewed.")
    old_end = draft["TermEndDate"]
    if draft["RenewalSetting"] == "RENEW_TO_EVERGREEN":
        draft.update(TermType="EVERGREEN", TermStartDate=old_end, TermEndDate=None, SubscriptionEndDate=None)
    else:
        count, unit = draft["RenewalTerm"], draft["RenewalTermPeriodType"]
        if not count:
            raise rule("The subscription has no renewal term.")
        end = add_term(read(old_end), count, unit).isoformat()
        draft.update(TermStartDate=old_end, TermEndDate=end, SubscriptionEndDate=end)
        draft.update(CurrentTerm=count, CurrentTermPeriodType=unit)
    extend(draft, old_end)


def transfer(tenant: Tenant, draft: Row, action: dict[str, Any]) -> None:
    owner, payer = action.get("destinationAccountNumber"), action.get("destinationInvoiceAccountNumber")
    if not owner and not payer:
        raise missing("ownerTransfer.destinationAccountNumber")
    if owner:
        account = tenant.account(owner)
        if account["Currency"] != draft["Currency"]:
            raise rule("A subscription can only move to an account of the same currency.")
        draft["AccountId"] = account["Id"]
        tenant.update("Account", account, EverTransferred=True)
    if payer:
        draft["InvoiceOwnerId"] = tenant.account(payer)["Id"]
