"""Idempotency keys and faults: what is replayed, what is lost, what is done all the same."""

from __future__ import annotations

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


def test_the_first_outcome_of_a_key_is_given_again_good_or_bad(zuora: Driver) -> None:
    good, again = create_account(zuora, "cust-1", "k-1"), create_account(zuora, "cust-1", "k-1")
    assert good.body == again.body
    bad = zuora.call("POST", "/v1/accounts", {"name": "x"}, Idempotency_Key="k-2")
    mended = create_account(zuora, "cust-2", "k-2")
    assert (bad.status, mended.status, mended.body) == (400, 400, bad.body)
    assert len(zuora.app.control.rows("Account")) == 1


def test_a_key_is_forgotten_after_24_hours(zuora: Driver, app: StandIn) -> None:
    create_account(zuora, "cust-1", "k-1")
    app.control.advance(hours=23, minutes=59)
    zuora.login()
    assert create_account(zuora, "cust-1", "k-1").body["success"] is True
    app.control.advance(minutes=2)
    assert create_account(zuora, "cust-1", "k-1").codes == [51100030]


def test_a_key_belongs_to_one_url_and_method(zuora: Driver) -> None:
    create_account(zuora, "cust-1", "k-1")
    reply = zuora.call("POST", "/v1/object/product", {}, Idempotency_Key="k-1")
    assert (reply.status, reply.body["code"]) == (422, 422)


def test_another_body_under_the_same_key_replays_or_is_refused(zuora: Driver, app: StandIn) -> None:
    create_account(zuora, "cust-1", "k-1")
    assert create_account(zuora, "cust-2", "k-1").body["accountNumber"] == "cust-1"
    app.control.set_switches(same_key_other_body="refuse")
    assert create_account(zuora, "cust-2", "k-1").status == 422


def test_a_put_with_a_key_is_refused(zuora: Driver) -> None:
    zuora.account()
    reply = zuora.call("PUT", "/v1/accounts/cust-1", {"name": "x"}, Idempotency_Key="k-1")
    assert (reply.status, reply.body["message"]) == (
        400,
        "Request method 'PUT' not supported with Idempotency-Key header",
    )
    assert create_account(zuora, "cust-2", "k" * 255).status == 400


def test_a_key_still_in_progress_is_a_conflict(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("delay", times=1)
    answers: list[Any] = []

    def second(_seconds: float) -> None:
        answers.append(create_account(zuora, "cust-1", "k-1").status)

    environ_sleep = requests.Request(
        "POST", f"{BASE}/v1/accounts", json=account_body("cust-1"), headers={"Idempotency-Key": "k-1"}
    )
    prepared = zuora.session.prepare_request(environ_sleep)
    answers.append(through(app, prepared, second))
    assert answers == [409, 200]


def test_the_work_of_a_call_counts_into_its_latency(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("latency", times=1, seconds=10)
    waited: list[tuple[bool, int]] = []

    def sleep(seconds: float) -> None:
        waited.append((0 < seconds < 10, app.tenant.store.count("Account")))

    prepared = zuora.session.prepare_request(requests.Request("POST", f"{BASE}/v1/accounts", json=account_body("c-1")))
    assert through(app, prepared, sleep) == 200
    assert waited == [(True, 1)]


def test_a_lost_answer_is_found_again_under_its_key(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("drop", times=1, path="/v1/accounts")
    with pytest.raises(requests.ConnectionError):
        create_account(zuora, "cust-1", "k-1")
    assert len(app.control.rows("Account")) == 1
    assert create_account(zuora, "cust-1", "k-1").body["accountNumber"] == "cust-1"
    assert len(app.control.rows("Account")) == 1


def test_a_reset_does_nothing(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("reset", times=1)
    with pytest.raises(requests.ConnectionError):
        create_account(zuora, "cust-1", "k-1")
    assert app.control.rows("Account") == []


def test_a_transient_failure_is_stored_under_its_key_or_not(zuora: Driver, app: StandIn) -> None:
    app.control.add_fault("lock", times=1)
    locked = create_account(zuora, "cust-1", "k-1")
    assert (locked.status, locked.codes) == (409, [51100050])
    assert create_account(zuora, "cust-1", "k-1").codes == [51100050]
    app.control.set_switches(store_transient_failures=False)
    app.control.add_fault("status", times=1, status=503)
    assert create_account(zuora, "cust-1", "k-2").status == 503
    assert create_account(zuora, "cust-1", "k-2").status == 200


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
    reply = create_account(zuora, "cust-1", "k-1")
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (status, kind)
    if fault["kind"] == "limit":
        assert reply.headers["Retry-After"] == "7"
    zuora.login()
    assert create_account(zuora, "cust-1", "k-2").status in (200, 400)


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
