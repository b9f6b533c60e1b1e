"""Bad input of every kind gets the family's own error, and never a fault of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import (
    Driver,
    account_body,
    create_action,
    usage_catalog,
)

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"x"',
    b"\xff\xfe",
    b"NaN",
    b'{"name": NaN}',
    b"[" * 100_000,
    b"\x00" * 10,
]
PATHS = [
    ("POST", "/v1/object/product"),
    ("POST", "/v1/object/product-rate-plan"),
    ("POST", "/v1/object/product-rate-plan-charge"),
    ("POST", "/v1/object/usage"),
    ("POST", "/v1/action/create"),
    ("POST", "/v1/action/query"),
    ("POST", "/v1/accounts"),
    ("POST", "/v1/orders"),
    ("POST", "/v1/orders/preview"),
    ("POST", "/v1/async/orders"),
    ("POST", "/v1/contacts"),
    ("POST", "/v1/payment-methods"),
    ("POST", "/v1/subscriptions"),
    ("POST", "/v1/bill-runs"),
    ("POST", "/settings/units-of-measure"),
    ("POST", "/events/event-triggers"),
    ("POST", "/notifications/notification-definitions"),
    ("POST", "/v1/usage"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_bodies_that_are_none_get_the_familys_own_error(zuora: Driver, method: str, path: str) -> None:
    for body in BAD_BODIES:
        reply = zuora.call(method, path, body)
        assert 400 <= reply.status < 500, (body[:20], reply)
        assert isinstance(reply.body, dict), (body[:20], reply)
        assert set(reply.body) & {"reasons", "Errors", "faultcode", "message"}


ODD: list[Any] = [
    None,
    0,
    -1,
    10**40,
    "",
    "x" * 300,
    True,
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    [{"a": [None]}],
    "2026-13-45",
    "\x00",
]


def test_every_member_with_every_odd_value_is_refused_or_taken_and_never_a_fault_of_ours(
    zuora: Driver, app: StandIn
) -> None:
    charge = usage_catalog(zuora)
    app.control.set_switches(rate_limits=[10**9] * 3)
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/v1/accounts", account_body("cust-9")),
        ("/v1/object/usage", {"AccountNumber": "cust-1", "ChargeNumber": charge, "UOM": "calls", "Quantity": 1}),
        ("/v1/orders", _order_body()),
        ("/v1/action/create", {"type": "Usage", "objects": [{"UOM": "calls"}]}),
        ("/v1/action/query", {"queryString": "select Id from Usage", "conf": {"batchSize": 1}}),
        ("/v1/subscriptions", {"accountKey": "cust-1", "termType": "TERMED", "contractEffectiveDate": "2026-01-01"}),
        ("/v1/bill-runs", {"targetDate": "2026-01-01", "billRunFilters": [{"accountId": "x"}]}),
        ("/v1/operations/billing-preview", {"accountNumber": "cust-1", "targetDate": "2026-01-01"}),
        ("/v1/payment-methods", {"type": "CreditCardReferenceTransaction", "tokenId": "x", "accountKey": "cust-1"}),
    ]
    for path, good in bodies:
        for body in _variants(good):
            reply = zuora.call("POST", path, json.dumps(body).encode())
            assert reply.status < 500, (path, body, reply.body)


def _order_body() -> dict[str, Any]:
    dates = [{"name": "ContractEffective", "triggerDate": "2026-01-01"}]
    action = create_action("sub-9", "basic-month") | {"triggerDates": dates}
    action["createSubscription"]["subscribeToRatePlans"][0]["chargeOverrides"] = [
        {"pricing": {"recurringFlatFee": {"listPrice": 1}}}
    ]
    update = {
        "chargeNumber": "C-1",
        "pricing": {"recurringFlatFee": {"listPrice": 1}},
        "effectiveDate": {"triggerEvent": "x"},
    }
    change = {"type": "UpdateProduct", "updateProduct": {"ratePlanId": "x", "chargeUpdates": [update]}}
    entries = [{"orderActions": [action]}, {"subscriptionNumber": "sub-1", "orderActions": [change]}]
    return {
        "orderDate": "2026-01-01",
        "existingAccountNumber": "cust-1",
        "subscriptions": entries,
        "processingOptions": {},
    }


def _variants(value: Any) -> list[Any]:
    """The value with each of its members, at any depth, replaced by each odd value or left out."""
    found: list[Any] = []
    if isinstance(value, dict):
        for name, member in value.items():
            found += [{**value, name: odd} for odd in (*ODD, *_variants(member))]
            found.append({key: kept for key, kept in value.items() if key != name})
    elif isinstance(value, list):
        for index, member in enumerate(value):
            found += [[*value[:index], odd, *value[index + 1 :]] for odd in (*ODD, *_variants(member))]
    return found


def test_large_bodies_are_taken_or_refused(zuora: Driver) -> None:
    five = account_body("cust-1", notes="x" * 5_000_000)
    assert zuora.call("POST", "/v1/accounts", five).codes == [51100020]
    assert zuora.call("POST", "/v1/accounts", b" " * (26 * 1024 * 1024)).codes == [51100090]
