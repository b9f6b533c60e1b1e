"""Requests to Zuora that are right, each to be changed in what a test is about."""

from decimal import Decimal
from typing import Any

Body = dict[str, Any]

HEADERS = {
    "Authorization": "Bearer made-up",
    "Content-Type": "application/json",
    "Idempotency-Key": "8d1f0f6e",
    "Zuora-Version": "2025-08-12",
    "X-Zuora-WSDL-Version": "133",
    "Zuora-Track-Id": "job-17",
}
PUT_HEADERS = {name: value for name, value in HEADERS.items() if name != "Idempotency-Key"}
STRICT = {"rejectUnknownFields": "true"}
DATES = [
    {"name": name, "triggerDate": "2026-01-31"}
    for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
]


def charge(**changes: Any) -> Body:
    return {
        "ProductRatePlanId": "8ad08ccf0000000000000000000000aa",
        "Name": "Seats",
        "ProductRatePlanChargeNumber": "stigg--plan--basic--monthly--recurring--per_unit--seats",
        "ChargeModel": "Tiered Pricing",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "BillingPeriod": "Month",
        "TriggerEvent": "ContractEffective",
        "UOM": "seats",
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {
            "ProductRatePlanChargeTier": [
                {
                    "Currency": "EUR",
                    "StartingUnit": 0,
                    "EndingUnit": 10,
                    "Price": Decimal("9.5"),
                    "PriceFormat": "Per Unit",
                },
                {"Currency": "EUR", "StartingUnit": 11, "Price": 8, "PriceFormat": "Per Unit"},
            ]
        },
    } | changes


def one_time(**changes: Any) -> Body:
    body = charge(ChargeType="OneTime", **changes)
    if "BillingPeriod" not in changes:
        del body["BillingPeriod"]
    return body


def rows(*tiers: Body) -> Body:
    return {"ProductRatePlanChargeTier": [{"Currency": "EUR", **tier} for tier in tiers]}


def action(kind: str = "RemoveProduct", **changes: Any) -> Body:
    members = {"RemoveProduct": {"removeProduct": {"productRatePlanNumber": "stigg--plan--basic--monthly"}}}
    return {"type": kind, "triggerDates": DATES, **members.get(kind, {})} | changes


def creation(**changes: Any) -> Body:
    return action(
        "CreateSubscription",
        createSubscription={
            "subscriptionNumber": "stigg--sub-1",
            "terms": {"initialTerm": {"termType": "EVERGREEN", "startDate": "2026-01-31"}},
            "subscribeToRatePlans": [{"productRatePlanId": "8ad08ccf0000000000000000000000aa"}],
        }
        | changes,
    )


def order(*actions: Body, **changes: Any) -> Body:
    return {
        "orderNumber": "stigg--sub-1--2",
        "orderDate": "2026-01-31",
        "existingAccountNumber": "stigg--acme",
        "subscriptions": [{"subscriptionNumber": "stigg--sub-1", "orderActions": list(actions)}],
    } | changes


def new_order(**changes: Any) -> Body:
    return order(subscriptions=[{"orderActions": [creation(**changes)]}])


def account(**changes: Any) -> Body:
    return {
        "accountNumber": "stigg--acme",
        "name": "Acme",
        "currency": "EUR",
        "billCycleDay": 0,
        "autoPay": False,
        "billToContact": {"firstName": "Ada", "lastName": "Acme", "zipCode": "10115", "country": "DE"},
        "stiggCustomerId__c": "acme",
    } | changes


def usage(**changes: Any) -> Body:
    return {
        "AccountNumber": "stigg--acme",
        "SubscriptionNumber": "stigg--sub-1",
        "ChargeNumber": "C-00000001",
        "UOM": "calls",
        "Quantity": Decimal("12.5"),
        "StartDateTime": "2026-01-31T10:00:00+00:00",
        "Description": "made-up",
    } | changes
