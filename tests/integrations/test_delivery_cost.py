"""How many statements a delivery costs, counted to the last: they are most of what a push of thousands needs."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from catalog.models import BillingPeriod, Plan
from integrations.models import DeliveryOutcome, SyncJob
from subscriptions.models import Subscription
from tests.factories.catalog import plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

#: What a transaction is opened and closed with is not counted: within a test it is other statements.
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def plan_of_one_charge(ref: str = "pro") -> Plan:
    return plan_with_prices(ref_id=ref, periods=[BillingPeriod.MONTHLY])


def statements(world: World, key: str) -> dict[str, int]:
    """Deliver the waiting job of this entity, and count what that asked of the database."""
    world.advance(seconds=10)
    job = SyncJob.objects.waiting().get(key=key)
    with CaptureQueriesContext(database) as captured:
        world.deliver(job.pk)
    assert job.deliveries.get().outcome in {DeliveryOutcome.SENT, DeliveryOutcome.UNCHANGED}
    verbs = [one["sql"].split(maxsplit=1)[0] for one in captured.captured_queries]
    return {verb: verbs.count(verb) for verb in VERBS if verb in verbs}


def sold(world: World) -> Subscription:
    """A subscription that waits to be pushed; its plan is there."""
    plan = plan_of_one_charge()
    world.settle()
    return SubscriptionFactory.create(ref_id="s1", plan=plan, customer__ref_id="acme")


def test_new_plan_of_one_charge(world: World) -> None:
    plan_of_one_charge()
    assert statements(world, "plan:pro") == {"SELECT": 9, "INSERT": 4, "UPDATE": 8}


def test_unchanged_plan(world: World) -> None:
    plan = plan_of_one_charge()
    world.settle()
    plan.save()
    assert statements(world, "plan:pro") == {"SELECT": 9, "INSERT": 1, "UPDATE": 4}


def test_new_customer(world: World) -> None:
    sold(world)
    assert statements(world, "customer:acme") == {"SELECT": 6, "INSERT": 3, "UPDATE": 5, "DELETE": 1}


def test_changed_and_unchanged_customer(world: World) -> None:
    customer = sold(world).customer
    world.settle()
    customer.save()
    assert statements(world, "customer:acme") == {"SELECT": 6, "INSERT": 2, "UPDATE": 4, "DELETE": 1}
    customer.name = "Another"
    customer.save()
    assert statements(world, "customer:acme") == {"SELECT": 6, "INSERT": 3, "UPDATE": 4, "DELETE": 1}


def test_new_subscription(world: World) -> None:
    sold(world)
    statements(world, "customer:acme")
    assert statements(world, "subscription:s1") == {"SELECT": 11, "INSERT": 3, "UPDATE": 5, "DELETE": 1}


def test_unchanged_subscription(world: World) -> None:
    subscription = sold(world)
    world.settle()
    subscription.save()
    assert statements(world, "subscription:s1") == {"SELECT": 11, "INSERT": 2, "UPDATE": 5, "DELETE": 1}
