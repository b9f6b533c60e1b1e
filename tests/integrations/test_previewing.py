"""What would be sent: planned by the push itself, compared with what Zuora has, and nothing written on either side."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps

from catalog.models import Plan, PriceAmount
from customers.models import Customer
from integrations import operating
from integrations.entities import ENTITIES
from integrations.models import EntityKind, SyncRecord
from integrations.previewing import (
    CREATE,
    DRIFTED,
    GONE,
    NOT_SYNCED,
    REFUSED,
    UNCHANGED,
    UPDATE,
    WAITS,
    Preview,
    preview,
)
from integrations.zuora.digest import plain
from subscriptions.models import Subscription
from tests.factories.catalog import CouponFactory, addon_with_prices, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory, SubscriptionQuantityFactory
from tests.integrations.conftest import World

pytestmark = pytest.mark.django_db


def rows() -> dict[str, list[dict[str, Any]]]:
    """Every row of the database."""
    models = [model for model in apps.get_models() if not model._meta.proxy]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def look(world: World, kind: EntityKind, entity_id: int) -> Preview:
    """Preview, and prove that nothing was written on either side."""
    before = rows()
    world.calls()
    seen = preview(connection=world.connection, kind=kind, entity_id=entity_id, client=world.client, now=world.now)
    assert rows() == before
    assert {call.split()[0] for call in world.calls()} <= {"GET"}
    return seen


@pytest.fixture
def settled(world: World) -> World:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    addon_with_prices(ref_id="support")
    SubscriptionFactory.create(ref_id="s1", plan=plan, coupon=CouponFactory.create(ref_id="launch"))
    world.settle()
    return world


def kind_of(row: Any) -> EntityKind:
    return EntityKind(row._meta.model_name)


def fields(seen: Preview) -> dict[str, dict[str, tuple[str | None, str | None]]]:
    """Return, by record key, (now, would become) of each field that is shown."""
    return {one.key: {each.name: (each.now, each.becomes) for each in one.fields} for one in seen.objects}


def drifted(seen: Preview) -> dict[str, tuple[str | None, str | None]]:
    """Return (last sent, now) of each field that somebody changed in Zuora."""
    return {each.name: (each.sent, each.now) for one in seen.objects for each in one.fields if each.drifted}


def sent(world: World) -> list[tuple[str, str, Any]]:
    """Push, and return what Zuora was sent; ids that it gave are numbered in the order of the log."""
    world.app.control.clear_log()
    world.settle()
    made = [one for one in world.app.control.requests() if one.method != "GET" and "oauth" not in one.path]
    return [(one.method, one.path, one.body) for one in made]


def test_of_what_is_synced_nothing_would_be_sent(settled: World) -> None:
    for entity in ENTITIES.values():
        for row in entity.rows():
            seen = look(settled, entity.kind, row.pk)
            assert (seen.outcome, seen.text, seen.objects, seen.requests) == (UNCHANGED, "", (), ())


def test_a_new_plan_is_planned_whole_with_ids_that_stand_for_what_is_made(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    seen = look(world, EntityKind.PLAN, plan.pk)
    assert seen.outcome == CREATE
    assert [(one.method, one.path, one.made) for one in seen.requests] == [
        ("POST", "/v1/object/product", "new-product-1"),
        ("POST", "/v1/object/product-rate-plan", "new-rate-plan-2"),
        ("POST", "/v1/object/product-rate-plan-charge", "new-charge-3"),
        ("POST", "/settings/units-of-measure", "new-unit-4"),
        ("POST", "/v1/object/product-rate-plan-charge", "new-charge-5"),
    ]
    assert seen.requests[1].body["ProductId"] == "new-product-1"
    assert {one.action for one in seen.objects} == {"create"}
    assert [one.kind for one in seen.objects].count("charge") == 2
    assert fields(seen)["plan:pro"]["SKU"] == (None, "stigg--plan--pro")


def test_a_price_is_shown_as_it_is_in_zuora_and_as_it_would_become(settled: World) -> None:
    PriceAmount.objects.filter(price__plan__ref_id="pro", price__feature=None).update(amount=Decimal("11.50"))
    seen = look(settled, EntityKind.PLAN, Plan.objects.get(ref_id="pro").pk)
    assert (seen.outcome, drifted(seen)) == (UPDATE, {})
    assert fields(seen) == {"plan:pro/MONTHLY/RECURRING/FLAT_FEE": {"Price EUR": ("10", "11.5")}}
    assert [(one.method, one.path.rpartition("/")[0]) for one in seen.requests] == [
        ("PUT", "/v1/object/product-rate-plan-charge")
    ]


def test_a_customer_is_compared_field_by_field(settled: World) -> None:
    Customer.objects.update(name="Renamed GmbH", billing_city="Bremen")
    seen = look(settled, EntityKind.CUSTOMER, Customer.objects.get().pk)
    changes = fields(seen)["customer:customer-0"]
    assert seen.outcome == UPDATE
    assert changes["name"][1] == "Renamed GmbH"
    assert changes["billToContact.city"][1] == "Bremen"
    assert set(changes) == {"name", "billToContact.firstName", "billToContact.lastName", "billToContact.city"}


def test_what_somebody_changed_in_zuora_is_shown_though_nothing_would_be_sent(settled: World) -> None:
    account = settled.record("customer:customer-0").zuora_id
    settled.client.update_account(account, {"name": "Typed in Zuora"})
    seen = look(settled, EntityKind.CUSTOMER, Customer.objects.get().pk)
    assert (seen.outcome, seen.requests) == (DRIFTED, ())
    assert drifted(seen) == {"name": (Customer.objects.get().name, "Typed in Zuora")}


def test_what_would_be_overwritten_is_shown_as_changed_there(settled: World) -> None:
    settled.client.update_account(settled.record("customer:customer-0").zuora_id, {"name": "Typed in Zuora"})
    Customer.objects.update(billing_city="Bremen")
    seen = look(settled, EntityKind.CUSTOMER, Customer.objects.get().pk)
    assert fields(seen)["customer:customer-0"]["name"] == ("Typed in Zuora", Customer.objects.get().name)
    assert set(drifted(seen)) == {"name"}


def test_a_subscription_is_changed_by_one_order_that_is_shown(settled: World) -> None:
    subscription = Subscription.objects.get()
    SubscriptionQuantityFactory.create(
        subscription=subscription, feature=subscription.plan.prices.exclude(feature=None).get().feature, quantity=7
    )
    seen = look(settled, EntityKind.SUBSCRIPTION, subscription.pk)
    assert seen.outcome == UPDATE
    assert [(one.method, one.path) for one in seen.requests] == [("POST", "/v1/orders")]
    [(key, changes)] = fields(seen).items()
    assert key == "subscription:s1"
    assert list(changes.values()) == [("1", "7")]


def test_what_waits_is_refused_or_not_synced_says_so_and_sends_nothing(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    waiting = SubscriptionFactory.create(ref_id="s", plan=plan)
    refused = plan_with_prices(ref_id="blocks")
    refused.prices.update(block_size=100)
    nobody = CustomerFactory.create(ref_id="nobody")
    found = [look(world, kind_of(row), row.pk) for row in (waiting, refused, nobody)]
    assert [one.outcome for one in found] == [WAITS, REFUSED, NOT_SYNCED]
    assert [one.requests for one in found] == [()] * 3
    assert "customer customer-0" in found[0].text
    assert "packages of 100" in found[1].text
    assert "no subscription" in found[2].text


def test_what_is_gone_from_zuora_is_shown_as_missing(settled: World) -> None:
    record = settled.record("customer:customer-0")
    record.zuora_id = "f" * 32
    record.save()
    seen = look(settled, EntityKind.CUSTOMER, Customer.objects.get().pk)
    assert [(one.key, one.action) for one in seen.objects] == [("customer:customer-0", "missing")]
    assert seen.outcome == DRIFTED


def test_a_deleted_entity_is_said_to_be(world: World) -> None:
    assert look(world, EntityKind.PLAN, 4711).outcome == GONE


def test_the_fingerprints_tell_which_side_has_moved(settled: World) -> None:
    customer = Customer.objects.get()
    first = look(settled, EntityKind.CUSTOMER, customer.pk)
    assert look(settled, EntityKind.CUSTOMER, customer.pk).digest == first.digest
    settled.client.update_account(settled.record("customer:customer-0").zuora_id, {"name": "Typed in Zuora"})
    there = look(settled, EntityKind.CUSTOMER, customer.pk)
    assert (there.ours == first.ours, there.theirs == first.theirs) == (True, False)
    Customer.objects.update(billing_city="Bremen")
    here = look(settled, EntityKind.CUSTOMER, customer.pk)
    assert (here.ours == there.ours) is False


def test_a_push_sends_exactly_what_the_preview_showed(settled: World) -> None:
    """Creates, changes, an order and a successor: whatever a push does, the preview has shown."""
    plan = Plan.objects.get(ref_id="pro")
    fee = plan.prices.get(feature=None)
    changes: list[Any] = [
        lambda: PriceAmount.objects.filter(price=fee).update(amount=Decimal("11.50")),
        lambda: Plan.objects.filter(pk=plan.pk).update(display_name="Pro, renamed"),
        lambda: plan.prices.filter(pk=fee.pk).update(billing_cadence="ONE_OFF"),  # a successor
        lambda: Plan.objects.filter(pk=plan.pk).update(status="ARCHIVED"),
    ]
    for change in changes:
        change()
        seen = look(settled, EntityKind.PLAN, plan.pk)
        operating.sync_now(kind=EntityKind.PLAN, entity_ids=[plan.pk], actor=None, now=settled.now)
        assert alike([(one.method, one.path, one.body) for one in seen.requests]) == alike(sent(settled))
        assert seen.outcome == UPDATE
    customer, subscription = Customer.objects.get(), Subscription.objects.get()
    Customer.objects.update(billing_city="Bremen")
    Subscription.objects.update(cancellation_date=settled.now, status="CANCELED")
    for row in (customer, subscription):
        seen = look(settled, kind_of(row), row.pk)
        operating.sync_now(kind=kind_of(row), entity_ids=[row.pk], actor=None, now=settled.now)
        assert seen.requests != ()
        assert alike([(one.method, one.path, one.body) for one in seen.requests]) == alike(sent(settled))


def alike(requests: list[tuple[str, str, Any]]) -> list[tuple[str, str, Any]]:
    """Return the requests with every id that a create gave replaced by its place, and numbers as text."""
    text = json.dumps(plain(requests), sort_keys=True)
    found = dict.fromkeys(re.findall(r"new-[a-z-]+-\d+|[0-9a-f]{32}", text))
    known = {record.zuora_id for record in SyncRecord.objects.all()}
    for place, one in enumerate(one for one in found if one.startswith("new-") or one in known):
        text = text.replace(one, f"#{place}")
    result: list[tuple[str, str, Any]] = json.loads(text)
    return result
