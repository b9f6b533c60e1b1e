"""What a save does, and what it does not."""

from typing import Any

import pytest
from django.core import serializers
from django.db import transaction
from django.db.models import ProtectedError
from django.db.models.signals import post_delete, post_save, pre_delete
from django.utils import timezone

from catalog.models import Plan
from customers.models import Customer
from integrations.behind import ENTITIES_BEHIND
from integrations.collecting import collecting
from integrations.models import Connection, JobState, Priority, SyncJob, SyncRecord
from subscriptions.models import Subscription
from tests.factories.catalog import plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def keys() -> list[str]:
    return sorted(SyncJob.objects.filter(state=JobState.WAITING).values_list("key", flat=True))


def test_these_and_no_other_receivers_listen() -> None:
    saved = {model for model in ENTITIES_BEHIND if post_save.has_listeners(model)}
    assert {model.__name__ for model in saved} == {
        "Plan", "Addon", "Price", "PriceAmount", "PriceTier", "Feature", "Coupon", "CouponAmount", "Customer",
        "Subscription", "SubscriptionAddon", "SubscriptionQuantity", "PriceOverride", "PriceOverrideTier",
        "CustomerCoupon",
    }  # fmt: skip
    ours = [
        (signal, receiver)
        for signal in (post_save, post_delete, pre_delete)
        for (lookup, _), receiver, *_ in signal.receivers
        if lookup == "sync"
    ]
    assert len(ours) == 15 + 15 + 5


def test_a_save_and_its_job_are_stored_together_or_not_at_all(world: World) -> None:
    with transaction.atomic():
        plan_with_prices(ref_id="pro")
        assert keys() == ["plan:pro"]
        transaction.set_rollback(True)
    assert (Plan.objects.count(), SyncJob.objects.count(), SyncRecord.objects.count()) == (0, 0, 0)
    assert world.calls() == {}


def test_a_hundred_saves_are_one_waiting_job(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    for number in range(100):
        plan.display_name = f"Pro {number}"
        plan.save()
    assert keys() == ["plan:pro"]
    world.settle()
    assert world.calls()["POST /v1/object/product"] == 1
    assert [row["Name"] for row in world.rows("Product")] == ["Pro 99"]


@pytest.mark.usefixtures("world")
def test_a_subscription_makes_its_customers_worth_a_second_look() -> None:
    SyncJob.objects.all().delete()
    SubscriptionFactory.create(
        ref_id="s1",
        plan=plan_with_prices(ref_id="pro"),
        customer__ref_id="child",
        paying_customer=CustomerFactory.create(ref_id="mother"),
    )
    assert keys() == ["customer:child", "customer:mother", "plan:pro", "subscription:s1"]


@pytest.mark.usefixtures("world")
def test_a_loaded_fixture_is_left_to_the_reconcile() -> None:
    customer = CustomerFactory.create(ref_id="acme")
    text = serializers.serialize("json", [customer])
    customer.delete()
    SyncJob.objects.all().delete()
    for one in serializers.deserialize("json", text):
        one.save()
    assert Customer.objects.count() == 1
    assert keys() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("world")
def test_bulk_work_is_stored_once_at_the_lowest_priority_and_rings_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    bells: list[str] = []
    monkeypatch.setattr("integrations.receivers.ring", lambda *_a, **_k: bells.append("ring"))
    with transaction.atomic(), collecting(now=timezone.now()):
        for number in range(5):
            CustomerFactory.create(ref_id=f"c{number}")
        assert keys() == []
    assert keys() == [f"customer:c{number}" for number in range(5)]
    assert set(SyncJob.objects.values_list("priority", flat=True)) == {Priority.BACKFILL}
    assert bells == []


@pytest.mark.usefixtures("world")
def test_bulk_work_that_is_only_tried_leaves_nothing(db: None) -> None:
    with transaction.atomic(), collecting(now=timezone.now(), keeps=False):
        CustomerFactory.create(ref_id="c1")
    assert keys() == []


def test_without_a_connection_a_save_is_only_a_save(db: None) -> None:
    plan_with_prices(ref_id="pro")
    assert Connection.objects.count() == 0
    assert SyncJob.objects.count() == 0


@pytest.mark.parametrize("which", ["plan", "customer", "subscription"])
def test_what_zuora_knows_cannot_be_deleted(world: World, which: str) -> None:
    subscription: Subscription = SubscriptionFactory.create(ref_id="s1", plan=plan_with_prices(ref_id="pro"))
    world.settle()
    rows: dict[str, Any] = {"plan": subscription.plan, "customer": subscription.customer, "subscription": subscription}
    with pytest.raises(ProtectedError), transaction.atomic():
        rows[which].delete()
    assert (Plan.objects.count(), Customer.objects.count(), Subscription.objects.count()) == (1, 1, 1)


@pytest.mark.usefixtures("world")
def test_what_zuora_does_not_know_can_be_deleted() -> None:
    plan = plan_with_prices(ref_id="pro")
    plan.delete()
    assert Plan.objects.count() == 0


def test_a_job_whose_entity_is_gone_ends_by_itself(world: World) -> None:
    plan_with_prices(ref_id="pro").delete()
    world.settle()
    assert SyncJob.objects.get().reason == "It was deleted before it was sent."
    assert world.calls() == {}
