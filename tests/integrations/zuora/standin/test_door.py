"""What every request meets: versions, locks, limits, headers, routes, the log."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.integrations.zuora.standin.driver import (
    BASE,
    Driver,
    account_body,
    create_account,
    create_action,
    flat_catalog,
    through,
)

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


def test_before_2024_errors_of_v1_are_200(zuora: Driver) -> None:
    for version, status in (("", 200), ("341.0", 200), ("nonsense", 200), ("2024-05-20", 404), ("2025-08-12", 404)):
        zuora.version = version
        reply = zuora.call("GET", "/v1/accounts/none")
        assert (reply.status, reply.body["success"], reply.codes) == (status, False, [50000040])
        assert zuora.call("POST", "/v1/object/product", {}).status == 400


def test_the_tenants_own_version_holds_without_a_header(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(api_version="2025-08-12")
    zuora.version = ""
    assert zuora.call("GET", "/v1/accounts/none").status == 404


def test_two_writes_on_one_account_meet_in_a_lock(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.account("cust-2")
    app.control.add_fault("delay", times=1, path="/v1/orders")
    seen: list[Any] = []

    def meanwhile(_seconds: float) -> None:
        seen.append(zuora.order(create_action("sub-2", "basic-month")).codes)
        seen.append(zuora.order(create_action("sub-3", "basic-month"), existingAccountNumber="cust-2").status)

    body = {"orderDate": "2026-01-01", "existingAccountNumber": "cust-1"}
    body["subscriptions"] = [{"orderActions": [create_action("sub-1", "basic-month")]}]  # type: ignore[assignment]
    request = requests.Request("POST", f"{BASE}/v1/orders", json=body)
    seen.append(through(app, zuora.session.prepare_request(request), meanwhile))
    assert seen == [[58730050], 200, 200]


def test_over_the_rate_is_429_with_headers_until_the_window_passes(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(rate_limits=[2, 100, 100])
    replies = [zuora.call("GET", "/v1/catalog/products") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.headers["RateLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
    assert replies[2].codes == [50000070]
    app.control.advance(seconds=int(replies[2].headers["Retry-After"]))
    assert zuora.call("GET", "/v1/catalog/products").status == 200


def test_over_the_concurrency_is_429_for_that_class_only(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(concurrency={"Default": 1, "High-volume transactions": 200, "Object Query": 80})
    app.control.add_fault("delay", times=1)
    seen: list[int] = []

    def meanwhile(_seconds: float) -> None:
        seen.extend(zuora.call("GET", path).status for path in ("/v1/catalog/products", "/object-query/accounts"))

    request = requests.Request("GET", f"{BASE}/v1/catalog/products")
    seen.append(through(app, zuora.session.prepare_request(request), meanwhile))
    assert seen == [429, 200, 200]
    assert app.control.most_in_flight()["Default"] == 2


def test_limit_headers_tell_the_class(zuora: Driver) -> None:
    headers = zuora.call("GET", "/object-query/accounts").headers
    assert (headers["concurrency-limit-type"], headers["concurrency-limit-limit"]) == ("Object Query", "80")
    assert zuora.call("POST", "/v1/accounts", {}).headers["Concurrency-Limit-Type"] == "High-volume transactions"


def test_the_track_id_comes_back_and_every_answer_has_a_request_id(zuora: Driver) -> None:
    headers = zuora.call("GET", "/v1/catalog/products", Zuora_Track_Id="job-1").headers
    assert (headers["Zuora-Track-Id"], len(headers["Zuora-Request-Id"])) == ("job-1", 36)
    assert "Zuora-Track-Id" not in zuora.call("GET", "/v1/catalog/products", Zuora_Track_Id="a;b").headers


def test_gzip_both_ways(zuora: Driver) -> None:
    body = gzip.compress(json.dumps(account_body("cust-1")).encode())
    assert zuora.call("POST", "/v1/accounts", body, Content_Encoding="gzip").body["accountNumber"] == "cust-1"
    reply = zuora.call("GET", "/v1/describe/ProductRatePlanCharge", Accept_Encoding="gzip")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert "<name>ProductRatePlanCharge</name>" in reply.body
    assert zuora.call("POST", "/v1/accounts", b"not gzip", Content_Encoding="gzip").codes == [51100090]


@pytest.mark.parametrize("text", [b"\xf0\x9f\x98\x80", b"\\ud83d\\ude00"])
def test_an_emoji_is_refused(zuora: Driver, text: bytes) -> None:
    body = json.dumps(account_body("cust-1")).encode().replace(b"Example", text)
    assert zuora.call("POST", "/v1/accounts", body).codes == [51100020]
    assert zuora.call("POST", "/v1/accounts", account_body("cust-1", name="Zürich 東京")).status == 200


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/nothing", "/commerce/products", "/v2/products", "/object-query", "/v1/object/product/a/b"]
)
def test_unknown_paths_are_not_routed(zuora: Driver, path: str) -> None:
    reply = zuora.call("POST", path, {})
    assert (reply.status, reply.body) == (404, {"message": "no Route matched with those values"})


def test_an_unknown_method_says_which_are_known(zuora: Driver) -> None:
    reply = zuora.call("PATCH", "/v1/accounts/x", {})
    assert (reply.status, reply.headers["Allow"], reply.codes) == (405, "DELETE, GET, PUT", [50000045])


def test_a_key_may_hold_an_encoded_slash(zuora: Driver) -> None:
    zuora.account("a/b")
    assert zuora.get("/v1/accounts/a%2Fb")["basicInfo"]["accountNumber"] == "a/b"


def test_numbers_keep_all_their_digits(zuora: Driver) -> None:
    product = zuora.product()
    plan = zuora.plan(product)
    price = "1234567890.123456789"
    tiers = [{"Currency": "USD", "Price": 0}]
    charge = zuora.charge(plan, "fee", tiers)
    tier = app_tier(zuora)
    assert (
        zuora.call("PUT", f"/v1/object/product-rate-plan-charge-tier/{tier}", f'{{"Price": {price}}}'.encode()).status
        == 200
    )
    nested = zuora.get(f"/v1/object/product-rate-plan-charge/{charge}")["ProductRatePlanChargeTierData"]
    assert str(nested["ProductRatePlanChargeTier"][0]["Price"]) == price


def app_tier(zuora: Driver) -> str:
    return str(zuora.app.control.rows("ProductRatePlanChargeTier")[0]["Id"])


def test_the_log_tells_what_was_asked_and_counts_it(zuora: Driver, app: StandIn) -> None:
    app.control.clear_log()
    create_account(zuora, "cust-1", "k-1")
    zuora.get("/v1/accounts/cust-1")
    zuora.get("/v1/accounts/cust-2")
    assert app.control.counts() == {("POST", "/v1/accounts"): 1, ("GET", "/v1/accounts/{key}"): 2}
    first = app.control.requests("POST")[0]
    assert (first.idempotency_key, first.body["accountNumber"], first.status) == ("k-1", "cust-1", 200)
    assert [one.status for one in app.control.requests(template="/v1/accounts/{key}")] == [200, 404]


def test_every_answer_tells_the_tenants_time(zuora: Driver, app: StandIn) -> None:
    app.control.set_clock(datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
    zuora.login()
    for path in ("/v1/catalog/products", "/v1/accounts/nobody"):
        assert zuora.call("GET", path).headers["Date"] == "Sun, 01 Mar 2026 12:30:00 GMT"
