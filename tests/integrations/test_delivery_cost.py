"""How many statements a delivery costs, counted to the last: they are most of what a push of thousands needs."""

import re
from collections import Counter

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from catalog.models import BillingPeriod, Plan
from integrations.models import Delivery, DeliveryOutcome, SyncJob
from subscriptions.models import Subscription
from tests.factories.catalog import plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = pytest.mark.django_db

#: What a transaction is opened and closed with is not counted: within a test it is other statements.
STATEMENT = re.compile(r"(?:(\d+) times: )?(\w+)")
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def plan_of_one_charge(ref: str = "pro") -> Plan:
    return plan_with_prices(ref_id=ref, periods=[BillingPeriod.MONTHLY])


def statements(world: World, *keys: str) -> dict[str, int]:
    """Deliver the waiting jobs of these entities together, and count what that asked of the database."""
    world.advance(seconds=10)
    jobs = SyncJob.objects.waiting().filter(key__in=keys).order_by("pk")
    ids = list(jobs.values_list("pk", flat=True))
    with CaptureQueriesContext(database) as captured:
        world.deliver(*ids)
    outcomes = Delivery.objects.filter(job__in=ids).values_list("outcome", flat=True)
    assert len(outcomes) == len(keys)
    assert set(outcomes) <= {DeliveryOutcome.SENT, DeliveryOutcome.UNCHANGED}
    counts: Counter[str] = Counter()
    for one in captured.captured_queries:
        times, verb = STATEMENT.match(one["sql"]).groups()  # type: ignore[union-attr]
        counts[verb] += int(times or 1)
    return {verb: counts[verb] for verb in VERBS if verb in counts}


def sold(world: World) -> Subscription:
    """A subscription that waits to be pushed; its plan is there."""
    plan = plan_of_one_charge()
    world.settle()
    return SubscriptionFactory.create(ref_id="s1", plan=plan, customer__ref_id="acme")


def test_new_plan_of_one_charge(world: World) -> None:
    plan_of_one_charge()
    assert statements(world, "plan:pro") == {"SELECT": 11, "INSERT": 4, "UPDATE": 7}


def test_unchanged_plan(world: World) -> None:
    plan = plan_of_one_charge()
    world.settle()
    plan.save()
    assert statements(world, "plan:pro") == {"SELECT": 11, "INSERT": 1, "UPDATE": 4}


def test_new_customer(world: World) -> None:
    sold(world)
    assert statements(world, "customer:acme") == {"SELECT": 8, "INSERT": 3, "UPDATE": 5, "DELETE": 1}


def test_changed_and_unchanged_customer(world: World) -> None:
    customer = sold(world).customer
    world.settle()
    customer.save()
    assert statements(world, "customer:acme") == {"SELECT": 8, "INSERT": 2, "UPDATE": 4, "DELETE": 1}
    customer.name = "Another"
    customer.save()
    assert statements(world, "customer:acme") == {"SELECT": 8, "INSERT": 3, "UPDATE": 4, "DELETE": 1}


def test_new_subscription(world: World) -> None:
    sold(world)
    statements(world, "customer:acme")
    assert statements(world, "subscription:s1") == {"SELECT": 13, "INSERT": 3, "UPDATE": 5, "DELETE": 1}


def test_unchanged_subscription(world: World) -> None:
    subscription = sold(world)
    world.settle()
    subscription.save()
    assert statements(world, "subscription:s1") == {"SELECT": 13, "INSERT": 2, "UPDATE": 5, "DELETE": 1}


def test_many_share_all_but_what_is_stored_before_a_request_leaves_and_with_its_outcome(world: World) -> None:
    plan = sold(world).plan
    names = ["acme", *(f"more-{number}" for number in range(7))]
    for name in names[1:]:
        SubscriptionFactory.create(ref_id=f"{name}-1", plan=plan, customer__ref_id=name)
    customers = statements(world, *(f"customer:{name}" for name in names))
    assert customers == {"SELECT": 8, "INSERT": 3, "UPDATE": 2 + 3 * 8, "DELETE": 1}
    subscriptions = statements(world, "subscription:s1", *(f"subscription:{name}-1" for name in names[1:]))
    assert subscriptions == {"SELECT": 13, "INSERT": 3, "UPDATE": 2 + 3 * 8, "DELETE": 1}


def test_plans_that_are_pushed_together(world: World) -> None:
    for number in range(8):
        plan_of_one_charge(f"plan-{number}")
    keys = [f"plan:plan-{number}" for number in range(8)]
    assert statements(world, *keys) == {"SELECT": 11, "INSERT": 2 + 2 * 8, "UPDATE": 2 + 5 * 8}
