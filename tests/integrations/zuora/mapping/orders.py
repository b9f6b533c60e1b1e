"""Contracts to make orders of, and the orders that are made of them, each held against Zuora's own client."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest

from integrations.zuora.mapping.contract import Contract
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.order import change_order, create_order
from integrations.zuora.mapping.refusal import Refused
from tests.sdk_contract import check_body

START, TODAY = date(2026, 3, 1), date(2026, 3, 15)
TERMED = {
    "termType": "TERMED",
    "initialTerm": {"period": 12, "periodType": "Month"},
    "renewalTerm": {"period": 6, "periodType": "Month"},
    "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
    "autoRenew": True,
}
TIERS = [
    {"start": "0", "end": "10", "price": "9", "format": "PerUnit"},
    {"start": "11", "price": "250", "format": "FlatFee"},
]
ORDER_TIERS = [
    {
        "tier": 1,
        "startingUnit": Decimal(0),
        "endingUnit": Decimal(10),
        "price": Decimal(9),
        "priceFormat": "PerUnit",
    },
    {"tier": 2, "startingUnit": Decimal(11), "price": Decimal(250), "priceFormat": "FlatFee"},
]


def charge(key: str, pricing: str, **values: Any) -> dict[str, Any]:
    return {"key": key, "id": f"id {key}", "number": f"number {key}", "pricing": pricing, "listed": True} | values


def rate_plan(name: str, *charges: Mapping[str, Any], generation: int = 1) -> dict[str, Any]:
    number = f"{name}__g{generation}"
    return {"key": name, "version": 1, "id": f"id {number}", "number": number, "charges": list(charges)}


def contract(*rate_plans: Mapping[str, Any], **values: Any) -> Contract:
    """Build a contract, and let it travel through JSON as it does in our database."""
    stated = {
        "subscriptionNumber": "stigg--sub-1",
        "account": "stigg--acme",
        "owner": "stigg--acme",
        "currency": "EUR",
        "start": START.isoformat(),
        "terms": {"termType": "EVERGREEN"},
        "customFields": {},
        "ratePlans": list(rate_plans),
        "cancellation": None,
    } | values
    return cast("Contract", json.loads(json.dumps(stated)))


BASIC = rate_plan("basic", charge("fee", "recurringFlatFee", price="45"))
SEATS = rate_plan("seats", charge("seats", "recurringPerUnit", quantity="5", price="9"))
SUPPORT = rate_plan("support", charge("support", "recurringFlatFee", price="20"))


def dates(day: str) -> list[dict[str, str]]:
    return [
        {"name": "ContractEffective", "triggerDate": day},
        {"name": "ServiceActivation", "triggerDate": day},
        {"name": "CustomerAcceptance", "triggerDate": day},
    ]


def created(wanted: Contract, *, on: date = TODAY) -> Body:
    body = create_order(wanted, order_number="stigg--sub-1--1", order_date=on)
    assert check_body("POST", "/v1/orders", body) == []
    return body


def changed(sent: Contract, wanted: Contract, *, on: date = TODAY) -> Body | None:
    body = change_order(sent, wanted, order_number="stigg--sub-1--2", order_date=on)
    if body is not None:
        assert check_body("POST", "/v1/orders", body) == []
        assert {name: value for name, value in body.items() if name != "subscriptions"} == {
            "orderNumber": "stigg--sub-1--2",
            "orderDate": on.isoformat(),
            "existingAccountNumber": "stigg--acme",
        }
        assert [item["subscriptionNumber"] for item in body["subscriptions"]] == ["stigg--sub-1"]
    return body


def actions(sent: Contract, wanted: Contract, *, on: date = TODAY) -> list[tuple[str, Any]]:
    """Return type and member of each action of the order that changes one into the other."""
    body = changed(sent, wanted, on=on)
    found = body["subscriptions"][0]["orderActions"] if body else []
    return [(item["type"], item[item["type"][0].lower() + item["type"][1:]]) for item in found]


def refusal(sent: Contract, wanted: Contract, *, on: date = TODAY) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        changed(sent, wanted, on=on)
    return caught.value.sentences
