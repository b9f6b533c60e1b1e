"""Answers that are lost or are no answers: never counted as success, found out before anything is sent again."""

from dataclasses import dataclass

import pytest

from catalog.models import Plan
from integrations.models import Delivery, DeliveryOutcome, SyncRecord, SyncStatus
from subscriptions.models import Subscription
from tests.factories.catalog import CouponFactory, addon_with_prices, plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = pytest.mark.django_db

#: What can become of the answer, as faults of the stand-in: (fault, its members, was it carried out?).
LOST = {
    "dropped after the work": ("drop", {}),
    "reset before the work": ("reset", {}),
    "a page of the edge": ("html", {"status": 503}),
    "a page of the edge as success": ("html", {"status": 200}),
    "an empty body": ("empty", {}),
    "a timeout after the work": ("timeout", {"seconds": 120}),
    "an answer later than our patience": ("delay", {"seconds": 200, "after": True}),
    "refused as 200": ("unsuccessful", {}),
    "an internal error": ("status", {"status": 500}),
    "a lock": ("lock", {}),
    "too many requests": ("limit", {"seconds": 1}),
}


@dataclass(frozen=True)
class Case:
    """A POST, what makes it happen, and the table in which exactly so many objects must stand at the end."""

    path: str
    table: str
    count: int
    key: str


def _plan() -> Plan:
    return plan_with_prices(ref_id="pro", per_unit=1)


def _subscription() -> Subscription:
    subscription: Subscription = SubscriptionFactory.create(ref_id="s1", plan=_plan())
    return subscription


CASES = {
    "product": (_plan, Case("/v1/object/product$", "Product", 1, "plan:pro")),
    "rate plan": (_plan, Case("/v1/object/product-rate-plan$", "ProductRatePlan", 1, "plan:pro/MONTHLY")),
    "charge": (_plan, Case("/v1/object/product-rate-plan-charge$", "ProductRatePlanCharge", 2, "plan:pro")),
    "unit": (_plan, Case("/settings/units-of-measure$", "UnitOfMeasure", 1, "unit:seats")),
    "account": (_subscription, Case("/v1/accounts$", "Account", 1, "customer:customer-0")),
    "order": (_subscription, Case("/v1/orders$", "Order", 1, "subscription:s1")),
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("name", CASES)
def test_exactly_one_object_exists_whatever_becomes_of_the_answer(world: World, name: str, lost: str) -> None:
    make, case = CASES[name]
    fault, members = LOST[lost]
    world.app.control.add_fault(fault, method="POST", path=case.path, times=1, **members)
    before = len(world.rows(case.table))
    make()
    world.settle()
    assert len(world.rows(case.table)) - before == case.count
    record = world.record(case.key)
    assert (record.status, record.is_pending) == (SyncStatus.SUCCESS, False)
    assert record.zuora_id in {row["Id"] for row in world.rows(case.table)} | {
        row["Id"] for row in world.rows("Product") + world.rows("Subscription")
    }
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}
    assert Delivery.objects.filter(outcome=DeliveryOutcome.RETRY).count() >= 1


@pytest.mark.parametrize("lost", LOST)
def test_a_changing_order_is_carried_out_once(world: World, lost: str) -> None:
    subscription = _subscription()
    world.settle()
    fault, members = LOST[lost]
    world.app.control.add_fault(fault, method="POST", path="/v1/orders$", times=1, **members)
    addon = addon_with_prices(ref_id="extra")
    subscription.addons.create(addon=addon)
    world.settle()
    assert len(world.rows("Order")) == 2
    active = [row for row in world.rows("Subscription") if row["Status"] == "Active"]
    assert len(active) == 1
    assert world.record("subscription:s1").zuora_id == active[0]["Id"]
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


@pytest.mark.parametrize("name", CASES)
def test_the_same_key_and_bytes_go_out_while_nobody_knows(world: World, name: str) -> None:
    make, case = CASES[name]
    world.app.control.add_fault("reset", method="POST", path=case.path, times=1)
    make()
    world.settle()
    posts = [one for one in world.app.control.requests("POST") if one.status == 200 or one.faults]
    sent = [(one.idempotency_key, one.raw_body) for one in posts if one.path.startswith(case.path.rstrip("$"))]
    assert len(sent) >= 2
    assert sent[0] == sent[1]


@pytest.mark.parametrize("name", CASES)
def test_what_was_carried_out_is_found_and_not_sent_again(world: World, name: str) -> None:
    make, case = CASES[name]
    world.app.control.add_fault("drop", method="POST", path=case.path, times=1)
    make()
    world.settle()
    sent = [one.raw_body for one in world.app.control.requests("POST") if one.path == case.path.rstrip("$")]
    assert len(sent) == len(set(sent)) == case.count


@pytest.mark.parametrize("name", ["product", "account", "order"])
@pytest.mark.parametrize("fault", ["drop", "reset"])
def test_a_day_later_the_old_key_is_not_trusted(world: World, name: str, fault: str) -> None:
    make, case = CASES[name]
    world.app.control.add_fault(fault, method="POST", path=case.path, times=1)
    make()
    while not any(record.is_pending for record in SyncRecord.objects.all()):
        world.advance(seconds=1)
        world.deliver_due()
    world.advance(hours=25)
    world.app.control.advance(hours=25)
    world.settle()
    assert len(world.rows(case.table)) == case.count
    posts = [one for one in world.app.control.requests("POST") if one.path == case.path.rstrip("$")]
    assert len({one.idempotency_key for one in posts}) == len(posts) == (1 if fault == "drop" else 2)
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_a_coupon_survives_a_lost_answer(world: World) -> None:
    world.app.control.add_fault("drop", method="POST", path="/v1/object/", rate=0.5)
    plan_with_prices(ref_id="pro")
    CouponFactory.create(ref_id="launch")
    world.settle()
    assert [row["SKU"] for row in world.rows("Product")] == ["stigg--plan--pro", "stigg--coupon--launch"]
    assert len(world.rows("ProductRatePlan")) == 3
    assert len(world.rows("ProductRatePlanCharge")) == 3
