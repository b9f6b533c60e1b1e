"""Two at the same time: on a database with locks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import connection, connections

from subscriptions.models import PastTerms, Subscription
from subscriptions.provisioning import Order, provision
from subscriptions.scheduling import Strategy, update
from subscriptions.taking_effect import take_effect
from subscriptions.wanted import Content
from tests.factories.catalog import addon_with_prices, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
LATER = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _locks() -> None:
    if not connection.features.has_select_for_update:
        pytest.skip("This database takes one writer at a time anyway.")


def at_once(*verbs: Callable[[], object]) -> list[object]:
    """Do each in a thread and on a connection of its own, all beginning together; return what they returned."""
    line = Barrier(len(verbs))

    def run(verb: Callable[[], object]) -> object:
        try:
            line.wait(timeout=30)
            return verb()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(verbs)) as threads:
        return list(threads.map(run, verbs))


def test_a_customer_that_subscribes_twice_at_once_has_one_running_subscription() -> None:
    customer, plan = CustomerFactory.create(), plan_with_prices()

    def subscribe(ref_id: str) -> Callable[[], object]:
        # Each with a customer of its own in memory, as two requests have.
        order = Order(customer=type(customer).objects.get(), plan=type(plan).objects.get(), ref_id=ref_id)
        return lambda: provision(order=order, now=NOW)

    at_once(*(subscribe(f"s{number}") for number in range(4)))
    statuses = sorted(Subscription.objects.values_list("status", flat=True))
    assert statuses == ["ACTIVE", "CANCELED", "CANCELED", "CANCELED"]


def test_what_is_due_takes_effect_once_though_two_look() -> None:
    addon_with_prices(ref_id="support")
    for number in range(3):
        row = SubscriptionFactory.create(ref_id=f"s{number}")
        update(
            subscription=row, content=Content(addons={"support": 1}), strategy=Strategy.END_OF_BILLING_PERIOD, now=NOW
        )
    done = at_once(*[lambda: take_effect(now=LATER)] * 3)
    assert sum(int(str(count)) for count in done) == 3
    assert PastTerms.objects.count() == 3
    assert [row.addons.count() for row in Subscription.objects.all()] == [1, 1, 1]
