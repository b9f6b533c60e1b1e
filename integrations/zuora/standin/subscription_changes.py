"""The older calls that change a subscription; on an Orders tenant each becomes an order.

Source: https://developer.zuora.com/v1-api-reference/api/operation/PUT_CancelSubscription/ and its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.billing.views import day_in
from integrations.zuora.standin.crud import v1_rules
from integrations.zuora.standin.errors import invalid, missing, rule
from integrations.zuora.standin.fields import check
from integrations.zuora.standin.orders.intake import take_order
from integrations.zuora.standin.orders.stop import billed_through
from integrations.zuora.standin.subscriptions import find_subscription

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

PERIOD_WORDS = {"suspendPeriodsType": "Day", "resumePeriodsType": "Day"}


def _latest(tenant: Tenant, request: Request) -> Row:
    found = find_subscription(tenant, request.params["key"])
    if not found["IsLatestVersion"]:
        raise rule(f"Version {found['Version']} of subscription {found['Name']} is not its latest.")
    return found


def _order(tenant: Tenant, subscription: Row, day: str, action: dict[str, Any]) -> Row:
    """Carry the change out as an order of one action."""
    payer = tenant.require("Account", subscription["InvoiceOwnerId"])
    dates = [{"name": "ContractEffective", "triggerDate": day}]
    entry = {"subscriptionNumber": subscription["Name"], "orderActions": [{**action, "triggerDates": dates}]}
    body = {"orderDate": day, "existingAccountNumber": payer["AccountNumber"], "subscriptions": [entry]}
    return take_order(tenant, body)


def _changed(tenant: Tenant, subscription: Row, order: Row) -> tuple[Row, dict[str, Any]]:
    latest = tenant.store.find("Subscription", "Latest", subscription["Name"]) or subscription
    answer = {"success": True, "subscriptionId": latest["Id"], "orderNumber": order["OrderNumber"]}
    return latest, {**answer, "totalDeltaMrr": 0, "totalDeltaTcv": 0}


def cancel(tenant: Tenant, request: Request) -> Any:
    subscription = _latest(tenant, request)
    body = check(request.json, "Subscription.cancel", v1_rules(tenant, "Subscription"))
    if tenant.switches.orders and not body.get("orderDate"):
        raise missing("orderDate")
    day = body.get("cancellationEffectiveDate")
    billed = billed_through(tenant, subscription)
    if body["cancellationPolicy"] == "SpecificDate" and day and billed and day < billed:
        raise invalid(f"The cancellation date must not be inside a period that is invoiced, through {billed}.")
    names = ("cancellationPolicy", "cancellationEffectiveDate")
    member = {name: body[name] for name in names if name in body}
    when = body.get("orderDate") or tenant.today().isoformat()
    order = _order(tenant, subscription, when, {"type": "CancelSubscription", "cancelSubscription": member})
    latest, answer = _changed(tenant, subscription, order)
    return {**answer, "cancelledDate": latest["CancelledDate"]}


def renew(tenant: Tenant, request: Request) -> Any:
    subscription = _latest(tenant, request)
    order = _order(tenant, subscription, tenant.today().isoformat(), {"type": "RenewSubscription"})
    latest, answer = _changed(tenant, subscription, order)
    return {**answer, "termStartDate": latest["TermStartDate"], "termEndDate": latest.get("TermEndDate")}


def suspend(tenant: Tenant, request: Request) -> Any:
    return _pause(tenant, request, "Suspend", "suspend")


def resume(tenant: Tenant, request: Request) -> Any:
    return _pause(tenant, request, "Resume", "resume")


def _pause(tenant: Tenant, request: Request, kind: str, word: str) -> Any:
    subscription = _latest(tenant, request)
    body = request.json
    if not body.get(f"{word}Policy"):
        raise missing(f"{word}Policy")
    names = ("Policy", "Periods", "PeriodsType", "SpecificDate")
    member = {f"{word}{name}": body[f"{word}{name}"] for name in names if f"{word}{name}" in body}
    if body.get(f"{word}SpecificDate"):
        day_in(body, f"{word}SpecificDate")
    periods = member.get(f"{word}Periods", 1)
    if not isinstance(periods, int) or isinstance(periods, bool):
        raise invalid(f"The value of {word}Periods must be a whole number.")
    if body.get("extendsTerm") is True:
        member["extendsTerm"] = True
    action = {"type": kind, word: member}
    order = _order(tenant, subscription, tenant.today().isoformat(), action)
    latest, answer = _changed(tenant, subscription, order)
    dates = {f"{word}Date": latest.get(f"{kind}Date"), "termEndDate": latest.get("TermEndDate")}
    return {**answer, **dates}


def delete(tenant: Tenant, request: Request) -> Any:
    """Remove all versions of a subscription that was never invoiced."""
    subscription = _latest(tenant, request)
    if billed_through(tenant, subscription):
        raise rule("The subscription has invoiced charges and cannot be deleted.")
    for version in tenant.store.where("Subscription", "Name", subscription["Name"]):
        tenant.store.delete("Subscription", version["Id"])
    return {"success": True}


def create(tenant: Tenant, request: Request) -> Any:
    """`POST /v1/subscriptions`: account, term and plans, without the order around them."""
    body = request.json
    for name in ("accountKey", "termType", "contractEffectiveDate"):
        if not body.get(name):
            raise missing(name)
    account = tenant.account(str(body["accountKey"]))
    day = day_in(body, "contractEffectiveDate").isoformat()
    plans = body.get("subscribeToRatePlans") or []
    if not isinstance(plans, list) or not all(isinstance(one, dict) for one in plans):
        raise invalid("The value of subscribeToRatePlans must be an array of objects.")
    if any(one.get("chargeOverrides") for one in plans):
        raise rule("Charge overrides are taken by orders only.")
    terms: dict[str, Any] = {"initialTerm": {"termType": body["termType"]}, "autoRenew": body.get("autoRenew") is True}
    if body["termType"] == "TERMED":
        terms["initialTerm"].update(
            period=body.get("initialTerm"), periodType=body.get("initialTermPeriodType", "Month")
        )
        terms["renewalTerms"] = [{"period": body.get("renewalTerm") or 1, "periodType": "Month"}]
    custom = {name: value for name, value in body.items() if name.endswith("__c")}
    member = {"terms": terms, "subscribeToRatePlans": plans, "subscriptionNumber": body.get("subscriptionNumber")}
    names = {"ContractEffective": day, "ServiceActivation": body.get("serviceActivationDate")}
    names["CustomerAcceptance"] = body.get("customerAcceptanceDate")
    dates = [{"name": name, "triggerDate": value} for name, value in names.items() if value]
    action = {"type": "CreateSubscription", "createSubscription": member, "triggerDates": dates}
    entry = {"orderActions": [action], "customFields": custom}
    order = {"orderDate": day, "existingAccountNumber": account["AccountNumber"], "subscriptions": [entry]}
    done = take_order(tenant, order)["Done"][0]
    numbers = {"subscriptionId": done["SubscriptionId"], "subscriptionNumber": done["SubscriptionNumber"]}
    return {"success": True, **numbers, "contractedMrr": 0, "totalContractedValue": 0}


def metrics(tenant: Tenant, request: Request) -> Any:
    found = []
    for number in request.query.get("subscriptionNumbers[]", []) + request.query.get("subscriptionNumbers", []):
        for one in number.split(","):
            row = find_subscription(tenant, one)
            found.append({"subscriptionNumber": row["Name"], "contractedMrr": 0, "totalContractedValue": 0})
    return {"subscriptionMetrics": found, "success": True}


def read_rate_plan(tenant: Tenant, request: Request) -> Any:
    """A subscription's rate plan by its id."""
    plan_id = request.params["id"]
    for subscription in tenant.store.all("Subscription"):
        for plan in subscription["RatePlans"]:
            if plan["Id"] == plan_id:
                return {
                    "id": plan["Id"],
                    "productId": plan["ProductId"],
                    "productName": plan["ProductName"],
                    "productSku": plan["ProductSku"],
                    "productRatePlanId": plan["ProductRatePlanId"],
                    "ratePlanName": plan["Name"],
                    "lastChangeType": plan["LastChangeType"],
                    "subscriptionId": subscription["Id"],
                    "success": True,
                }
    raise invalid(f"The rate plan '{plan_id}' does not exist.")
