"""The nightly net under what sent no signal."""

from decimal import Decimal

import pytest

from catalog.models import PriceAmount
from customers.models import Customer
from integrations.bulk import reconciling
from integrations.bulk.reconciling import ENQUEUED, EQUAL
from integrations.models import SyncJob, SyncRecord
from tests.factories.catalog import CouponFactory, addon_with_prices, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def settled(world: World) -> World:
    """One of each, all of it in the tenant; a customer that is not to be synced; a refused plan."""
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    addon_with_prices(ref_id="support")
    SubscriptionFactory.create(ref_id="s1", plan=plan, coupon=CouponFactory.create(ref_id="launch"))
    CustomerFactory.create(ref_id="nobody")
    world.settle()
    world.calls()
    return world


@pytest.fixture(autouse=True)
def _ask_the_tenant_in_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "client_for", lambda _: world.client)


def _reconcile(world: World) -> dict[str, int]:
    operation = reconciling.begin(connection=world.connection, actor=None, now=world.now)
    done = world.work(operation)
    assert (done.state, done.done) == ("DONE", done.total)
    return dict(done.tally)


def test_where_nothing_differs_nothing_is_enqueued_asked_or_written(settled: World) -> None:
    before = list(SyncRecord.objects.order_by("pk").values())
    assert _reconcile(settled) == {EQUAL: 6}
    assert settled.calls() == {}
    assert list(SyncRecord.objects.order_by("pk").values()) == before


def test_it_finds_what_sent_no_signal(settled: World) -> None:
    PriceAmount.objects.filter(price__plan__ref_id="pro", price__feature=None).update(amount=Decimal("11.50"))
    Customer.objects.filter(ref_id="customer-0").update(name="Renamed GmbH")
    Customer.objects.bulk_create([CustomerFactory.build(ref_id="bulk")])
    assert _reconcile(settled) == {EQUAL: 4, ENQUEUED: 3}
    assert sorted(SyncJob.objects.waiting().values_list("key", flat=True)) == [
        "customer:bulk",
        "customer:customer-0",
        "plan:pro",
    ]
    settled.settle()
    assert settled.calls() == {"PUT /v1/object/product-rate-plan-charge/{id}": 1, "PUT /v1/accounts/{key}": 1}
    assert _reconcile(settled) == {EQUAL: 7}


def test_a_switch_turned_off_behind_our_back_is_seen(settled: World) -> None:
    settled.connection.sync_customers = False
    settled.connection.save()
    found = _reconcile(settled)
    assert found[ENQUEUED] == 1


def test_a_refused_entity_is_not_tried_every_night(settled: World) -> None:
    plan_with_prices(ref_id="blocks").prices.update(block_size=100)
    settled.settle()
    assert settled.statuses()["plan:blocks"] == "ERROR"
    assert ENQUEUED not in _reconcile(settled)
