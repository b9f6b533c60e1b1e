"""What a change, a hand-over and the clock come to in the tenant."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from catalog.models import BillingPeriod, Plan, Product
from catalog.publishing import publish, start_draft
from customers.models import Customer
from integrations.models import SyncStatus
from subscriptions.handing_over import delegate
from subscriptions.provisioning import Order, provision
from subscriptions.scheduling import Strategy, update
from subscriptions.trials import Trial
from subscriptions.wanted import Content
from tests.factories.catalog import CouponFactory, FeatureFactory, addon_with_prices, plan_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.integrations.conftest import STORY_BEGINS as START
from tests.integrations.conftest import Story
from tests.integrations.subscription_life import MONTHLY, acme, dated, pro, product

__all__ = ["acme", "pro", "product"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_change_at_the_end_of_the_period_is_the_tenants_as_of_that_day_however_late(
    story: Story, pro: Plan, acme: Customer
) -> None:
    story.at(datetime(2026, 2, 10, tzinfo=UTC))
    subscription = provision(
        order=Order(customer=acme, plan=pro, ref_id="s1", start=START, content=MONTHLY), now=story.now
    )
    addon_with_prices(ref_id="support", periods=BillingPeriod, amounts={"EUR": 5})
    story.settle()
    update(
        subscription=subscription,
        content=Content(addons={"support": 2}, billing_period="ANNUALLY"),
        strategy=Strategy.END_OF_BILLING_PERIOD,
        now=story.now,
    )
    story.settle()
    before = story.world.rows("Order")
    story.at(datetime(2026, 3, 4, tzinfo=UTC))
    assert len(story.world.rows("Order")) == len(before) + 1
    [order] = [row for row in story.world.rows("Order") if row not in before]
    actions = order["Entries"][0]["orderActions"]
    assert [(one["type"], {day["triggerDate"] for day in one["triggerDates"]}) for one in actions] == [
        ("RemoveProduct", {"2026-02-28"}),
        ("AddProduct", {"2026-02-28"}),
        ("AddProduct", {"2026-02-28"}),
    ]
    assert story.world.record("subscription:s1").status == SyncStatus.SUCCESS


def test_changes_that_were_missed_are_the_tenants_each_as_of_its_own_day(
    story: Story, pro: Plan, acme: Customer
) -> None:
    addon_with_prices(ref_id="support", amounts={"EUR": 5})
    CouponFactory.create(ref_id="launch")
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    for day, content in [
        (3, Content(addons={"support": 1})),
        (5, Content(addons={"support": 2}, coupon="launch")),
        (5, Content(addons={"support": 3})),
        (5, Content(addons={"support": 3})),  # nothing of it is new
    ]:
        story.unheard(datetime(2026, 2, day, 9, tzinfo=UTC))
        update(subscription=subscription, content=content, now=story.now)
    story.unheard(datetime(2026, 2, 9, tzinfo=UTC))
    story.world.app.control.add_fault("reset", method="POST", path="/v1/orders$", times=1)
    story.settle()
    assert dated(story) == [
        ("CreateSubscription", "2026-01-31"),
        ("AddProduct", "2026-02-03"),
        ("AddProduct", "2026-02-05"),
        ("UpdateProduct", "2026-02-05"),
    ]
    assert story.world.calls()["POST /v1/orders"] == 4
    subscription.save()
    story.settle()
    assert story.world.calls() == {}
    for day, content in [(10, Content(addons={}, coupon="")), (12, Content(addons={"support": 1})), (14, Content())]:
        story.unheard(datetime(2026, 2, day, tzinfo=UTC))
        update(subscription=subscription, content=content, now=story.now)
    story.settle()
    assert dated(story)[4:] == [
        ("RemoveProduct", "2026-02-10"),
        ("RemoveProduct", "2026-02-10"),
        ("AddProduct", "2026-02-12"),
    ]
    assert story.world.record("subscription:s1").status == SyncStatus.SUCCESS


def test_what_was_sold_of_a_former_rate_plan_is_billed_by_it_though_zuora_hears_of_it_late(
    story: Story, pro: Plan, acme: Customer
) -> None:
    story.settle()
    story.world.app.control.add_fault("status", method="POST", path="/v1/orders$", status=500, times=99)
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    story.unheard(datetime(2026, 2, 5, tzinfo=UTC))
    start_draft(package=pro)
    price(pro, version_number=2, billing_model="PER_UNIT", feature=FeatureFactory.create(), amounts={"EUR": 1})
    publish(package=pro)
    with suppress(AssertionError):
        story.world.settle(rounds=20)
    story.unheard(datetime(2026, 2, 8, tzinfo=UTC))
    subscription.refresh_from_db()
    update(subscription=subscription, content=Content(latest=True), now=story.now)
    story.world.app.control.clear_faults()
    story.at(datetime(2026, 2, 9, tzinfo=UTC))
    assert dated(story) == [
        ("CreateSubscription", "2026-01-31"),
        ("RemoveProduct", "2026-02-08"),
        ("AddProduct", "2026-02-08"),
    ]
    assert story.world.record("subscription:s1").status == SyncStatus.SUCCESS


def test_a_new_plan_ends_the_old_subscription_on_the_day_on_which_it_starts(
    story: Story, product: Product, pro: Plan, acme: Customer
) -> None:
    story.at(datetime(2026, 2, 10, tzinfo=UTC))
    provision(order=Order(customer=acme, plan=pro, ref_id="s1", start=START, content=MONTHLY), now=story.now)
    story.settle()
    team = plan_with_prices(ref_id="team", product=product)
    later = datetime(2026, 3, 1, 15, tzinfo=UTC)
    provision(order=Order(customer=acme, plan=team, ref_id="s2", start=later), now=story.now)
    story.settle()
    assert [row.get("CancelledDate") for row in story.world.rows("Subscription")] == [None, None]
    story.at(later + timedelta(days=4))
    rows = {row["Name"]: row for row in sorted(story.world.rows("Subscription"), key=lambda row: int(row["Version"]))}
    assert {
        name: (row["Status"], row["ContractEffectiveDate"], row.get("CancelledDate")) for name, row in rows.items()
    } == {
        "stigg--s1": ("Cancelled", "2026-01-31", "2026-03-01"),
        "stigg--s2": ("Active", "2026-03-01", None),
    }


def test_a_trial_that_converts_is_there_from_its_end_on(story: Story, pro: Plan, acme: Customer) -> None:
    trial = Trial(lasts=timedelta(days=14))
    provision(order=Order(customer=acme, plan=pro, ref_id="s1", trial=trial, content=MONTHLY), now=story.now)
    story.settle()
    assert story.world.rows("Subscription") == []
    story.at(START + timedelta(days=16))
    [row] = story.world.rows("Subscription")
    assert (row["Status"], row["ContractEffectiveDate"]) == ("Active", "2026-02-14")


def test_who_pays_keeps_the_invoices_of_what_another_customer_got(story: Story, pro: Plan, acme: Customer) -> None:
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    other = CustomerFactory.create(ref_id="other")
    story.settle()
    delegate(subscription=subscription, to=other, now=story.now)
    story.settle()
    assert story.world.record("subscription:s1").status == SyncStatus.SUCCESS
    shown = story.world.client.get_subscription("stigg--s1")
    assert (shown["accountNumber"], shown["invoiceOwnerAccountNumber"], shown["stiggCustomerId__c"]) == (
        "stigg--other",
        "stigg--acme",
        "other",
    )


def test_one_that_moves_to_the_latest_version_pays_its_price(story: Story, pro: Plan, acme: Customer) -> None:
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    story.settle()
    start_draft(package=pro)
    for sold in pro.prices.filter(version_number=2):
        sold.amounts.update(amount=30)
    publish(package=pro)
    story.settle()
    subscription.refresh_from_db()
    update(subscription=subscription, content=Content(latest=True), now=story.now)
    story.settle()
    assert story.world.record("subscription:s1").status == SyncStatus.SUCCESS
    shown = story.world.client.get_subscription("stigg--s1")
    [plan] = shown["ratePlans"]
    assert [charge["price"] for charge in plan["ratePlanCharges"]][-1] == 30
