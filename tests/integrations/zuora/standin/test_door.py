"""What every request meets: idempotency keys, limits, faults, versions, headers, odd input."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from integrations.zuora.standin.wire import Request
from tests.integrations.zuora.standin.driver import (
    BASE,
    Driver,
    account_body,
    create_action,
    flat_catalog,
    usage_catalog,
)

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


def create(zuora: Driver, number: str, key: str) -> Any:
    return zuora.call("POST", "/v1/accounts", account_body(number), Idempotency_Key=key)


def test_the_first_outcome_of_a_key_is_given_again_good_or_bad(zuora: Driver) -> None:
    good, again = create(zuora, "cust-1", "k-1"), create(zuora, "cust-1", "k-1")
    assert good.body == again.body
    bad = zuora.call("POST", "/v1/accounts", {"name": "x"}, Idempotency_Key="k-2")
    mended = create(zuora, "cust-2", "k-2")
    assert (bad.status, mended.status, mended.body) == (400, 400, bad.body)
    assert len(zuora.app.control.rows("Account")) == 1


def test_a_key_is_forgotten_after_24_hours(zuora: Driver, app: StandIn) -> None:
    create(zuora, "cust-1", "k-1")
    app.control.advance(hours=23, minutes=59)
    zuora.login()
    assert create(zuora, "cust-1", "k-1").body["success"] is True
    app.control.advance(minutes=2)
    assert create(zuora, "cust-1", "k-1").codes == [51100030]


def test_a_key_belongs_to_one_url_and_method(zuora: Driver) -> None:
    create(zuora, "cust-1", "k-1")
    reply = zuora.call("POST", "/v1/object/product", {}, Idempotency_Key="k-1")
    assert (reply.status, reply.body["code"]) == (422, 422)


def test_another_body_under_the_same_key_replays_or_is_refused(zuora: Driver, app: StandIn) -> None:
    create(zuora, "cust-1", "k-1")
    assert create(zuora, "cust-2", "k-1").body["accountNumber"] == "cust-1"
    app.control.set_switches(same_key_other_body="refuse")
    assert create(zuora, "cust-2", "k-1").status == 422


def test_a_put_with_a_key_is_refused(zuora: Driver) -> None:
    zuora.account()
    reply = zuora.call("PUT", "/v1/accounts/cust-1", {"name": "x"}, Idempotency_Key="k-1")
    assert (reply.status, reply.body["message"]) == (
        400,
        "Request method 'PUT' not supported with Idempotency-Key header",
    )
    assert create(zuora, "cust-2", "k" * 255).status == 400


def test_a_key_still_in_progress_is_a_conflict(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("delay", times=1)
    answers: list[Any] = []

    def second(_seconds: float) -> None:
        answers.append(create(zuora, "cust-1", "k-1").status)

    environ_sleep = requests.Request(
        "POST", f"{BASE}/v1/accounts", json=account_body("cust-1"), headers={"Idempotency-Key": "k-1"}
    )
    prepared = zuora.session.prepare_request(environ_sleep)
    answers.append(_through(app, prepared, second))
    assert answers == [409, 200]


def _through(app: StandIn, prepared: requests.PreparedRequest, sleep: Any) -> int:
    """Send a request whose delay runs a function instead of waiting."""
    headers = {name.lower(): str(value) for name, value in prepared.headers.items()}
    body = prepared.body if isinstance(prepared.body, bytes) else b""
    path = (prepared.path_url or "").partition("?")[0]
    return app.handle(Request(prepared.method or "", path, "", headers, body, BASE, "127.0.0.1"), sleep).status


def test_a_lost_answer_is_found_again_under_its_key(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("drop", times=1, path="/v1/accounts")
    with pytest.raises(requests.ConnectionError):
        create(zuora, "cust-1", "k-1")
    assert len(app.control.rows("Account")) == 1
    assert create(zuora, "cust-1", "k-1").body["accountNumber"] == "cust-1"
    assert len(app.control.rows("Account")) == 1


def test_a_reset_does_nothing(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("reset", times=1)
    with pytest.raises(requests.ConnectionError):
        create(zuora, "cust-1", "k-1")
    assert app.control.rows("Account") == []


def test_a_transient_failure_is_stored_under_its_key_or_not(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("lock", times=1)
    locked = create(zuora, "cust-1", "k-1")
    assert (locked.status, locked.codes) == (409, [51100050])
    assert create(zuora, "cust-1", "k-1").codes == [51100050]
    app.control.set_switches(store_transient_failures=False)
    app.control.add_fault("status", times=1, status=503)
    assert create(zuora, "cust-1", "k-2").status == 503
    assert create(zuora, "cust-1", "k-2").status == 200


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ({"kind": "html", "status": 503}, 503, "text/html"),
        ({"kind": "html", "status": 403}, 403, "text/html"),
        ({"kind": "empty"}, 200, "application/json"),
        ({"kind": "timeout"}, 504, "text/html"),
        ({"kind": "status", "status": 500}, 500, "application/json"),
        ({"kind": "unsuccessful"}, 500, "application/json"),
        ({"kind": "limit", "seconds": 7}, 429, "application/json"),
        ({"kind": "revoked"}, 401, "application/json"),
    ],
)
def test_a_fault_strikes_as_often_as_it_should(
    zuora: Driver, app: StandIn, fault: dict[str, Any], status: int, kind: str
) -> None:
    members = dict(fault)
    app.control.add_fault(members.pop("kind"), times=1, path="^/v1/accounts$", **members)
    assert zuora.call("GET", "/v1/catalog/products").status == 200
    reply = create(zuora, "cust-1", "k-1")
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (status, kind)
    if fault["kind"] == "limit":
        assert reply.headers["Retry-After"] == "7"
    zuora.login()
    assert create(zuora, "cust-1", "k-2").status in (200, 400)


def test_a_timeout_leaves_the_order_behind(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    zuora.account()
    app.control.add_fault("timeout", times=1, path="/v1/orders")
    assert zuora.order(create_action("sub-1", "basic-month")).status == 504
    assert zuora.subscription()["status"] == "Active"


def test_a_delay_longer_than_the_clients_patience_is_a_timeout_and_the_work_is_done(
    zuora: Driver, app: StandIn
) -> None:
    app.control.add_fault("delay", times=1, seconds=10)
    with pytest.raises(requests.ReadTimeout):
        zuora.session.post(f"{BASE}/v1/accounts", json=account_body("cust-1"), timeout=5)
    assert len(app.control.rows("Account")) == 1


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
    seen.append(_through(app, zuora.session.prepare_request(request), meanwhile))
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
    seen.append(_through(app, zuora.session.prepare_request(request), meanwhile))
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
    create(zuora, "cust-1", "k-1")
    zuora.get("/v1/accounts/cust-1")
    zuora.get("/v1/accounts/cust-2")
    assert app.control.counts() == {("POST", "/v1/accounts"): 1, ("GET", "/v1/accounts/{key}"): 2}
    first = app.control.requests("POST")[0]
    assert (first.idempotency_key, first.body["accountNumber"], first.status) == ("k-1", "cust-1", 200)
    assert [one.status for one in app.control.requests(template="/v1/accounts/{key}")] == [200, 404]
