"""What a cancellation comes to in the tenant: of what was billed, of what was not, and taken back."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from catalog.models import CancellationTime, Plan, TrialEndBehavior
from customers.models import Customer
from integrations.models import SyncJob, SyncRecord, SyncStatus
from subscriptions.cancelling import cancel, keep
from subscriptions.provisioning import Order, provision
from subscriptions.scheduling import update
from subscriptions.trials import Trial
from subscriptions.wanted import Content
from tests.factories.catalog import addon_with_prices
from tests.factories.customers import CustomerFactory
from tests.integrations.conftest import Story
from tests.integrations.subscription_life import MONTHLY, acme, dated, pro, product

__all__ = ["acme", "pro", "product"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_what_ends_on_its_way_is_still_billed_for_its_days(story: Story, pro: Plan, acme: Customer) -> None:
    story.settle()
    story.world.app.control.add_fault("status", method="POST", path="/v1/orders$", status=500, times=99)
    addon_with_prices(ref_id="support", amounts={"EUR": 5})
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    trial = Trial(lasts=timedelta(days=3), behavior=TrialEndBehavior.CANCEL_SUBSCRIPTION)
    other = CustomerFactory.create(ref_id="other")
    provision(order=Order(customer=other, plan=pro, ref_id="trial", trial=trial, content=MONTHLY), now=story.now)
    brief = provision(order=Order(customer=other, plan=pro, ref_id="brief", content=MONTHLY), now=story.now)
    cancel(subscription=brief, time=CancellationTime.IMMEDIATE, now=story.now)
    with suppress(AssertionError):
        story.world.settle(rounds=3)
    story.unheard(datetime(2026, 2, 5, tzinfo=UTC))
    update(subscription=subscription, content=Content(addons={"support": 1}), now=story.now)
    end = datetime(2026, 2, 9, tzinfo=UTC)
    cancel(subscription=subscription, time=CancellationTime.SPECIFIC_DATE, date=end, now=story.now)
    story.world.app.control.clear_faults()
    story.at(datetime(2026, 2, 12, tzinfo=UTC))
    assert dated(story) == [
        ("CreateSubscription", "2026-01-31"),
        ("AddProduct", "2026-02-05"),
        ("CancelSubscription", "2026-02-12"),
    ]
    [row] = [row for row in story.world.rows("Subscription") if row["IsLatestVersion"]]
    assert (row["Status"], row["CancelledDate"]) == ("Cancelled", "2026-02-09")
    statuses = story.world.statuses()
    assert {name: statuses[f"subscription:{name}"] for name in ("s1", "trial", "brief")} == {
        "s1": SyncStatus.SUCCESS,
        "trial": SyncStatus.NO_SYNC_REQUIRED,
        "brief": SyncStatus.NO_SYNC_REQUIRED,
    }


@pytest.mark.parametrize("why", ["nobody asked for it", "the switch was off", "its customer was not to be synced"])
def test_what_ended_unasked_is_not_billed_in_hindsight(story: Story, pro: Plan, acme: Customer, why: str) -> None:
    connection = story.world.connection
    connection.sync_subscriptions = why != "the switch was off"
    connection.save()
    if why == "its customer was not to be synced":
        Customer.objects.filter(pk=acme.pk).update(payment_method_id="")
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    if why == "nobody asked for it":
        SyncJob.objects.all().delete()
        SyncRecord.objects.filter(key="subscription:s1").delete()
    else:
        story.settle()
    story.unheard(datetime(2026, 2, 5, tzinfo=UTC))
    cancel(subscription=subscription, time=CancellationTime.IMMEDIATE, now=story.now)
    connection.sync_subscriptions = True
    connection.save()
    acme.save()
    story.unheard(datetime(2026, 2, 6, tzinfo=UTC))
    subscription.save()
    story.settle()
    statuses = story.world.statuses()
    assert (statuses["subscription:s1"], story.world.rows("Order")) == (SyncStatus.NO_SYNC_REQUIRED, [])


def test_a_cancellation_for_later_is_taken_back_or_moved(story: Story, pro: Plan, acme: Customer) -> None:
    addon_with_prices(ref_id="support", amounts={"EUR": 5})
    end, later = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    order = Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY, cancellation_date=end)
    subscription = provision(order=order, now=story.now)
    story.settle()
    assert dated(story) == [("CreateSubscription", "2026-01-31"), ("CancelSubscription", "2026-01-31")]
    keep(subscription=subscription)
    story.world.app.control.add_fault("drop", method="DELETE", times=1)
    story.at(datetime(2026, 2, 3, tzinfo=UTC))
    assert (dated(story), _latest(story)) == ([("CreateSubscription", "2026-01-31")], ("Active", None))
    cancel(subscription=subscription, time=CancellationTime.SPECIFIC_DATE, date=end, now=story.now)
    story.at(datetime(2026, 2, 5, tzinfo=UTC))
    cancel(subscription=subscription, time=CancellationTime.SPECIFIC_DATE, date=later, now=story.now)
    story.at(datetime(2026, 2, 6, tzinfo=UTC))
    assert _latest(story) == ("Cancelled", "2026-05-01")
    update(subscription=subscription, content=Content(addons={"support": 1}), now=story.now)
    story.at(datetime(2026, 2, 8, tzinfo=UTC))
    assert dated(story)[1:] == [("AddProduct", "2026-02-06"), ("CancelSubscription", "2026-02-08")]
    assert _latest(story) == ("Cancelled", "2026-05-01")
    story.world.calls()
    subscription.save()
    story.settle()
    assert story.world.calls() == {}


def test_a_cancellation_that_zuora_has_invoiced_is_a_persons_to_take_back(
    story: Story, pro: Plan, acme: Customer
) -> None:
    subscription = provision(order=Order(customer=acme, plan=pro, ref_id="s1", content=MONTHLY), now=story.now)
    cancel(subscription=subscription, time=CancellationTime.END_OF_BILLING_PERIOD, now=story.now)
    story.settle()
    story.world.app.control.bill_run(story.now.date())
    keep(subscription=subscription)
    story.settle()
    record = story.world.record("subscription:s1")
    assert (record.status, record.error) == (
        SyncStatus.ERROR,
        (
            "Subscription stigg--s1 is cancelled in Zuora, and that cannot be taken back: Zuora keeps the order "
            "stigg--s1--2 (Subscription stigg--s1 has invoiced charges; the order cannot be deleted. (50000030)). "
            "Delete that order there, once its invoices are reversed, and retry; or begin a new subscription."
        ),
    )
    assert _latest(story) == ("Cancelled", "2026-02-28")


def _latest(story: Story) -> tuple[str, str | None]:
    [row] = [row for row in story.world.rows("Subscription") if row["IsLatestVersion"]]
    return row["Status"], row.get("CancelledDate")
