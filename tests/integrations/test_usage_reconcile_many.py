"""Many subscriptions are compared by few calls, and each is told apart from the others."""

from datetime import timedelta

import pytest

from integrations import usage_reading, usage_reconcile
from integrations.usage_lines import Line
from subscriptions.models import Subscription
from tests.factories.customers import CustomerFactory
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

QUERY = "POST /v1/action/query"


@pytest.fixture
def sold(tenant: UsageWorld) -> list[Subscription]:
    """Four subscriptions with usage, of which Zuora holds one unit too much of the third."""
    acme = CustomerFactory.create(ref_id="acme")
    sold = [tenant.sell(name, customer=acme, resource_id=name, sync=False) for name in ("a", "b", "c'1", "d")]
    tenant.settle()
    for number, one in enumerate(sold, 1):
        for hour in range(1, number + 1):
            tenant.use(one, number, at=START - timedelta(hours=hour))
    tenant.quiet()
    row = next(row for row in tenant.world.rows("Usage") if row["SubscriptionNumber"].startswith("stigg--c"))
    tenant.world.app.tenant.store.put("Usage", {**row, "Quantity": row["Quantity"] + 1})
    tenant.next_hour()
    tenant.world.calls()
    return sold


def compared(tenant: UsageWorld, subscription: Subscription | None = None) -> list[Line]:
    lines = usage_reconcile.reconcile_usage(
        connection=tenant.world.connection, client=tenant.world.client, now=tenant.now, subscription=subscription
    )
    return [line for line in lines if line.sums.events]


def test_all_are_read_by_one_query_and_one_for_their_accounts(tenant: UsageWorld, sold: list[Subscription]) -> None:
    lines = compared(tenant)
    assert [(line.subscription, int(line.sums.zuora), len(line.differences)) for line in lines] == [
        ("a", 1, 0),
        ("b", 4, 0),
        ("c'1", 10, 2),
        ("d", 16, 0),
    ]
    assert tenant.world.calls()[QUERY] == 2
    assert [line for one in sold for line in compared(tenant, one)] == lines


@pytest.mark.usefixtures("sold")
def test_a_query_asks_for_no_more_than_it_takes_or_memory_should_hold(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = compared(tenant)
    tenant.world.calls()
    for most, rows, calls in ((3, 100, 2), (1, 100, 4), (100, 6, 2), (100, 1, 4)):
        monkeypatch.setattr(usage_reading, "MOST_TOGETHER", most)
        monkeypatch.setattr(usage_reading, "_MOST_ROWS", rows)
        assert compared(tenant) == lines
        assert tenant.world.calls()[QUERY] == 2 * calls


def test_a_hundred_go_into_a_query(tenant: UsageWorld) -> None:
    since = {f"stigg--{number}": START for number in range(usage_reading.MOST_TOGETHER)}
    accounts = {number: f"account of {number}" for number in since}
    assert usage_reading.read_held(tenant.world.client, since, accounts=accounts).keys() == since.keys()
    assert tenant.world.calls()[QUERY] == 3  # sixty-six accounts go into one of theirs
