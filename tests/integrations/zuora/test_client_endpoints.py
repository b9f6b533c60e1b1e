"""Each endpoint: what is sent, and what counts as its success."""

from collections.abc import Callable
from typing import Any

import pytest
import responses

from integrations.zuora.body import encode
from integrations.zuora.client import Client
from integrations.zuora.errors import (
    Outcome,
    UnexpectedAnswer,
)
from integrations.zuora.leases import CallClass, Priority
from tests.integrations.zuora.canned import BASE, BODY, CREATED, ID, KEY, SpyBudget, calls, make_client

Call = tuple[Callable[[Client], Any], str, str, dict[str, Any] | None, Any, CallClass]
D, H, Q = CallClass.DEFAULT, CallClass.HIGH_VOLUME, CallClass.OBJECT_QUERY
CRUD = "?rejectUnknownFields=true"

WRITES: list[Call] = [
    (lambda c: c.create_product(BODY, idempotency_key=KEY), "POST", f"/v1/object/product{CRUD}", BODY, CREATED, D),
    (lambda c: c.update_product(ID, BODY), "PUT", f"/v1/object/product/{ID}{CRUD}", BODY, CREATED, D),
    (
        lambda c: c.create_rate_plan(BODY, idempotency_key=KEY),
        *("POST", f"/v1/object/product-rate-plan{CRUD}", BODY, CREATED, D),
    ),
    (lambda c: c.update_rate_plan(ID, BODY), "PUT", f"/v1/object/product-rate-plan/{ID}{CRUD}", BODY, CREATED, D),
    (
        lambda c: c.create_charge(BODY, idempotency_key=KEY),
        *("POST", f"/v1/object/product-rate-plan-charge{CRUD}", BODY, CREATED, D),
    ),
    (lambda c: c.update_charge(ID, BODY), "PUT", f"/v1/object/product-rate-plan-charge/{ID}{CRUD}", BODY, CREATED, D),
    (
        lambda c: c.update_charge_tier(ID, BODY),
        *("PUT", f"/v1/object/product-rate-plan-charge-tier/{ID}{CRUD}", BODY, CREATED, D),
    ),
    (
        lambda c: c.create_account(BODY, idempotency_key=KEY),
        *("POST", "/v1/accounts", BODY, {"success": True, "accountId": ID, "accountNumber": "A-1"}, H),
    ),
    (lambda c: c.update_account("A/1 ", BODY), "PUT", "/v1/accounts/A%2F1%20", BODY, {"success": True}, D),
    (
        lambda c: c.create_order(BODY, idempotency_key=KEY),
        *("POST", "/v1/orders?returnIds=true", BODY, {"success": True, "orderId": ID, "status": "Completed"}, H),
    ),
    (
        lambda c: c.update_subscription_custom_fields("S-1", BODY),
        *("PUT", "/v1/subscriptions/S-1/customFields", BODY, {"success": True, "subscriptionId": ID}, D),
    ),
    (
        lambda c: c.create_unit_of_measure(BODY, idempotency_key=KEY),
        *("POST", "/settings/units-of-measure", BODY, {"id": ID, "name": "GB"}, D),
    ),
    (
        lambda c: c.create_objects("Usage", [BODY, BODY], idempotency_key=KEY),
        *("POST", f"/v1/action/create{CRUD}", {"type": "Usage", "objects": [BODY, BODY]}, [CREATED, CREATED], D),
    ),
    (
        lambda c: c.update_objects("Usage", [BODY], idempotency_key=KEY),
        *("POST", f"/v1/action/update{CRUD}", {"type": "Usage", "objects": [BODY]}, [CREATED], D),
    ),
    (
        lambda c: c.delete_objects("Usage", [ID], idempotency_key=KEY),
        *("POST", f"/v1/action/delete{CRUD}", {"type": "Usage", "ids": [ID]}, [{"success": True, "id": ID}], D),
    ),
]

READS: list[Call] = [
    (lambda c: c.delete_order("O-1"), "DELETE", "/v1/orders/O-1", None, {"success": True}, D),
    (lambda c: c.get_product(ID), "GET", f"/object-query/products/{ID}", None, {"id": ID}, Q),
    (lambda c: c.get_rate_plan(ID), "GET", f"/object-query/product-rate-plans/{ID}", None, {"id": ID}, Q),
    (lambda c: c.get_account("A-1"), "GET", "/v1/accounts/A-1", None, {"basicInfo": {"id": ID}, "success": True}, D),
    (
        lambda c: c.payment_methods_of("A-1"),
        *("GET", "/v1/accounts/A-1/payment-methods", None, {"success": True, "creditcard": []}, D),
    ),
    (
        lambda c: c.get_order("O-1"),
        "GET",
        "/v1/orders/O-1",
        None,
        {"order": {"status": "Completed"}, "success": True},
        D,
    ),
    (lambda c: c.get_subscription("S-1"), "GET", "/v1/subscriptions/S-1", None, {"id": ID, "success": True}, D),
]


@pytest.mark.parametrize("call", WRITES + READS)
def test_each_endpoint_sends_what_zuora_asks_for_and_returns_what_it_says(
    zuora: responses.RequestsMock, call: Call
) -> None:
    act, method, path, body, answer, call_class = call
    zuora.add(method, BASE + path, json=answer)
    budget = SpyBudget()
    client = make_client(budget=budget, track_id="job-1", priority=Priority.CLICK)

    assert act(client) == answer
    [request] = calls(zuora)
    assert (request.method, request.url) == (method, BASE + path)
    assert request.body == (encode(body) if body is not None else None)
    crud = path.startswith(("/v1/object/", "/v1/action/"))
    assert {name: value for name, value in request.headers.items() if name != "Content-Length"} == {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "Authorization": "Bearer T1",
        "User-Agent": "stigg-zuora",
        "Zuora-Track-Id": "job-1",
        "Zuora-Version": "2025-08-12",
        **({"Content-Type": "application/json"} if body is not None else {}),
        **({"Idempotency-Key": KEY} if method == "POST" else {}),
        **({"X-Zuora-WSDL-Version": "133"} if crud else {}),
    }
    assert budget.asked == [(call_class, Priority.CLICK)]


@pytest.mark.parametrize("call", [row for row in WRITES if not isinstance(row[4], list)] + READS)
def test_a_success_without_its_proof_is_never_taken_for_one(zuora: responses.RequestsMock, call: Call) -> None:
    act, method, path, *_ = call
    zuora.add(method, BASE + path, json={})
    with pytest.raises(UnexpectedAnswer) as caught:
        act(make_client())

    assert caught.value.outcome is Outcome.UNKNOWN
