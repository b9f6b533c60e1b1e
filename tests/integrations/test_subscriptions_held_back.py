"""Subscriptions that wait for their parents, and those that a rule keeps out of Zuora."""

from datetime import UTC, datetime

import pytest

from catalog.models import PricingType
from integrations.models import DeliveryOutcome, SyncJob, SyncStatus
from subscriptions.models import SubscriptionAddon, SubscriptionStatus
from tests.factories.catalog import AddonFactory, plan_with_prices, price
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World
from tests.integrations.orders import orders, seats

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_subscription_cancelled_before_it_was_ever_sent_stays_out(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    SubscriptionFactory.create(ref_id="s1", plan=plan, status=SubscriptionStatus.CANCELED)
    world.settle()
    assert world.statuses()["subscription:s1"] == SyncStatus.NO_SYNC_REQUIRED
    assert orders(world) == []


def test_it_waits_for_its_plan_by_name_and_goes_when_the_plan_has_arrived(world: World) -> None:
    world.app.control.add_fault("status", method="POST", path="/v1/object/product$", status=500, times=3)
    plan = plan_with_prices(ref_id="pro")
    SubscriptionFactory.create(ref_id="s1", plan=plan)
    while not SyncJob.objects.filter(waiting_for="plan:pro").exists():
        world.advance(seconds=1)
        world.deliver_due()
    job = SyncJob.objects.get(waiting_for="plan:pro")
    assert job.reason == "Waits for plan pro, which is not in Zuora yet."
    assert world.statuses()["subscription:s1"] == SyncStatus.PENDING
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}
    assert job.deliveries.filter(outcome=DeliveryOutcome.WAITS).count() == 1


def test_a_parent_without_what_was_sold_is_looked_at_less_and_less_often(world: World) -> None:
    subscription = SubscriptionFactory.create(ref_id="s1", plan=plan_with_prices(ref_id="pro"))
    addon = AddonFactory.create(ref_id="sso")  # sold, and without a price
    SubscriptionAddon.objects.create(subscription=subscription, addon=addon)
    subscription.save()
    for _ in range(20):
        world.deliver_due()
    for _ in range(20):
        world.advance(seconds=10)
        world.deliver_due()
    job = SyncJob.objects.waiting().get()
    assert (job.waiting_for, job.attempts) == ("", 7)  # three times at once, then after 8, 16, 32 and 60 s
    assert job.reason == (
        "Waits for add-on sso, which is in Zuora without the rate plan that was sold: give it a price of this billing "
        "period."
    )
    assert job.not_before > world.now
    price(addon)
    addon.save()
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_it_waits_for_a_customer_that_will_not_be_synced_and_says_why(world: World) -> None:
    subscription = SubscriptionFactory.create(
        ref_id="s1", plan=plan_with_prices(ref_id="pro"), customer__payment_method_id=""
    )
    world.settle()
    assert world.statuses() == {
        "plan:pro": SyncStatus.SUCCESS,
        "customer:customer-0": SyncStatus.NO_SYNC_REQUIRED,
        "subscription:s1": SyncStatus.PENDING,
    }
    assert SyncJob.objects.waiting().get().reason == (
        "Waits for customer customer-0, which will not be synced: There is no payment method: attach one that Zuora "
        "holds."
    )
    customer = subscription.customer
    customer.payment_method_id = f"{3:032x}"
    customer.save()
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_a_trial_that_converts_is_looked_at_again(world: World) -> None:
    subscription = SubscriptionFactory.create(
        ref_id="s1",
        plan=plan_with_prices(ref_id="pro"),
        status=SubscriptionStatus.IN_TRIAL,
        trial_end_date=datetime(2026, 6, 1, tzinfo=UTC),
    )
    world.settle()
    assert world.statuses() == {
        "plan:pro": SyncStatus.SUCCESS,
        "customer:customer-0": SyncStatus.NO_SYNC_REQUIRED,
        "subscription:s1": SyncStatus.NO_SYNC_REQUIRED,
    }
    failed = [rule["rule"] for rule in world.record("customer:customer-0").trace if not rule["passed"]]
    assert failed == ["more_than_trials"]
    subscription.status = SubscriptionStatus.ACTIVE
    subscription.save()
    world.settle()
    # The trial itself is free: Zuora must not bill the days before it ended.
    [order] = orders(world)
    [created] = order["subscriptions"][0]["orderActions"]
    assert created["createSubscription"]["terms"]["initialTerm"]["startDate"] == "2026-06-01"
    assert {date["triggerDate"] for date in created["triggerDates"]} == {"2026-06-01"}
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_what_is_in_zuora_and_meets_a_rule_is_stopped_and_not_forgotten(world: World) -> None:
    subscription = seats(world)
    orders(world)
    plan = subscription.plan
    plan.pricing_type = PricingType.CUSTOM
    plan.save()
    subscription.save()
    world.settle()
    record = world.record("subscription:s1")
    assert (record.status, record.is_linked, record.is_stopped) == (SyncStatus.NO_SYNC_REQUIRED, True, True)
    assert orders(world) == []
