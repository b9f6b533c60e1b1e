"""What becomes of plans, add-ons and coupons in the tenant when they change."""

from decimal import Decimal
from typing import Any

import pytest

from catalog.models import BillingModel, BillingPeriod, Coupon, PackageStatus, Plan, PriceTier, PricingType, TiersMode
from catalog.publishing import archive, publish, start_draft, unarchive
from integrations.models import SyncRecord, SyncStatus
from tests.factories.catalog import (
    CouponFactory,
    FeatureFactory,
    PlanFactory,
    PriceAmountFactory,
    PriceTierFactory,
    plan_with_prices,
    price,
)
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def tiers(world: World, key: str) -> list[tuple[str, Any]]:
    """Return (currency, price) of a charge's rows in the tenant."""
    charge = world.record(key).zuora_id
    rows = [row for row in world.rows("ProductRatePlanChargeTier") if row["ProductRatePlanChargeId"] == charge]
    return sorted((row["Currency"], row["Price"]) for row in rows)


def test_a_draft_is_nobodys_business(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", status=PackageStatus.DRAFT)
    world.settle()
    assert (world.calls(), SyncRecord.objects.count()) == ({}, 0)
    publish(package=plan)
    world.settle()
    assert world.statuses() == {"plan:pro": SyncStatus.SUCCESS}


def test_a_drafted_version_reaches_the_tenant_when_it_is_published(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", amounts={"EUR": 20, "USD": 22})
    world.settle()
    start_draft(package=plan)
    amount = plan.prices.get(version_number=2).amounts.get(currency="USD")
    amount.amount = Decimal("24.99")
    amount.save()
    world.settle()
    key = "plan:pro/MONTHLY/RECURRING/FLAT_FEE"
    assert tiers(world, key) == [("EUR", 20), ("USD", 22)]
    publish(package=plan)
    world.settle()
    assert tiers(world, key) == [("EUR", 20), ("USD", Decimal("24.99"))]


def _seats(plan: Plan, **fields: Any) -> Any:
    feature = FeatureFactory.create(ref_id="seats", display_name="Seats")
    return price(plan, billing_model=BillingModel.PER_UNIT, feature=feature, **fields)


def test_a_changed_model_makes_a_successor_and_expires_the_old_rate_plan(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    seats = _seats(plan)
    SubscriptionFactory.create(ref_id="s1", plan=plan)
    world.settle()
    old = world.record("plan:pro/MONTHLY").zuora_id
    world.calls()
    amount = seats.amounts.get()
    PriceTier.objects.create(price_amount=amount, up_to=10, unit_price=8)
    PriceTier.objects.create(price_amount=amount, unit_price=6)
    amount.amount = None
    amount.save()
    seats.tiers_mode = TiersMode.GRADUATED
    seats.save()
    world.settle()
    new = world.record("plan:pro/MONTHLY")
    assert new.zuora_id != old
    assert (new.generation, new.zuora_number) == (2, "stigg--plan--pro--monthly__g2")
    today = world.now.date().isoformat()
    rows = {row["Id"]: (row["Name"], row["EffectiveEndDate"]) for row in world.rows("ProductRatePlan")}
    assert rows == {old: ("Monthly", today), new.zuora_id: ("Monthly (2)", "2099-12-31")}
    assert world.calls() == {
        "POST /v1/object/product-rate-plan": 1,
        "POST /v1/object/product-rate-plan-charge": 2,
        "PUT /v1/object/product-rate-plan/{id}": 1,
    }
    plan.save()
    world.settle()
    assert world.calls() == {}
    assert world.record("subscription:s1").sent["ratePlans"][0]["id"] == old


def test_a_running_subscription_stays_on_the_old_rate_plan_when_it_changes(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    seats = _seats(plan)
    subscription = SubscriptionFactory.create(ref_id="s1", plan=plan)
    subscription.quantities.create(feature=seats.feature, quantity=2)
    world.settle()
    start_draft(package=plan)
    drafted = plan.prices.get(version_number=2, billing_model=BillingModel.PER_UNIT)
    PriceTierFactory.create(price_amount=drafted.amounts.get(), unit_price=5)
    drafted.amounts.update(amount=None)
    drafted.tiers_mode = TiersMode.VOLUME
    drafted.save()
    publish(package=plan)
    world.settle()
    world.app.control.clear_log()
    subscription.quantities.update(quantity=4)
    subscription.save()
    world.settle()
    [order] = [one.body for one in world.app.control.requests("POST", "/v1/orders")]
    [action] = order["subscriptions"][0]["orderActions"]
    assert action["updateProduct"] == {
        "productRatePlanNumber": "stigg--plan--pro--monthly",
        "chargeUpdates": [
            {
                "productRatePlanChargeNumber": "stigg--plan--pro--monthly--recurring--per_unit--seats",
                "pricing": {"recurringPerUnit": {"quantity": 4}},
            }
        ],
    }


def test_a_period_that_is_no_longer_sold_expires(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", periods=[BillingPeriod.MONTHLY, BillingPeriod.ANNUALLY])
    world.settle()
    world.calls()
    plan.prices.get(billing_period=BillingPeriod.ANNUALLY).delete()
    world.settle()
    assert world.calls() == {"PUT /v1/object/product-rate-plan/{id}": 1}
    annual = world.record("plan:pro/ANNUALLY").zuora_id
    ends = {row["Id"]: row["EffectiveEndDate"] for row in world.rows("ProductRatePlan")}
    assert ends[annual] == world.now.date().isoformat()
    plan.save()
    world.settle()
    assert world.calls() == {}


def test_archiving_expires_rate_plans_then_the_product_and_only_once(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    world.settle()
    world.calls()
    archive(package=plan)
    world.settle()
    paths = [one.template for one in world.app.control.requests("PUT")]
    assert paths == ["/v1/object/product-rate-plan/{id}", "/v1/object/product/{id}"]
    world.calls()
    world.advance(days=2)
    plan.save()
    world.settle()
    assert world.calls() == {}
    unarchive(package=plan)
    world.settle()
    assert {row["EffectiveEndDate"] for row in world.rows("Product") + world.rows("ProductRatePlan")} == {"2099-12-31"}


def test_a_unit_that_the_tenant_has_already_is_used_as_it_is(world: World) -> None:
    world.app.tenant.store.put(
        "UnitOfMeasure",
        world.app.tenant.created(UomName="seats", DisplayedAs="Seats", DecimalPlaces=0, RoundingMode="UP", Active=True),
    )
    plan_with_prices(ref_id="pro", per_unit=1)
    world.settle()
    assert world.statuses() == {"plan:pro": SyncStatus.SUCCESS}
    assert [row["UomName"] for row in world.rows("UnitOfMeasure")].count("seats") == 1


def test_where_settings_are_forbidden_a_missing_unit_is_asked_for(world: World) -> None:
    world.app.control.set_switches(settings_api=False)
    plan_with_prices(ref_id="pro", per_unit=1)
    world.settle()
    record = world.record("plan:pro")
    assert record.status == SyncStatus.ERROR
    assert record.error == (
        "Zuora has no unit seats, and the API user may not make it: create it at Billing Settings > Units of Measure, "
        "or give the user the permission, then retry."
    )


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda plan: plan.prices.update(block_size=100),
            (
                "The monthly flat fee of plan pro is sold in packages of 100, and Zuora counts single units: price one "
                "unit, or use tiers."
            ),
        ),
        (
            lambda plan: setattr(plan, "display_name", "P" * 101),
            "The display name of plan pro has 101 characters and Zuora holds 100: shorten it.",
        ),
        (
            lambda plan: setattr(plan, "display_name", "Pro \N{ROCKET}"),
            (
                "The display name of plan pro holds '\N{ROCKET}', an emoji or another character that Zuora cannot "
                "store: take it out."
            ),
        ),
    ],
)
def test_what_zuora_cannot_hold_is_refused_by_name_and_the_rest_goes_on(
    world: World, spoil: Any, sentence: str
) -> None:
    plan = plan_with_prices(ref_id="pro")
    spoil(plan)
    plan.save()
    plan_with_prices(ref_id="basic")
    world.settle()
    assert world.statuses() == {"plan:pro": SyncStatus.ERROR, "plan:basic": SyncStatus.SUCCESS}
    assert world.record("plan:pro").error == sentence
    assert [row["SKU"] for row in world.rows("Product")] == ["stigg--plan--basic"]


def test_an_unknown_currency_names_the_cure(world: World) -> None:
    plan_with_prices(ref_id="pro", amounts={"XTS": 10})
    world.settle()
    record = world.record("plan:pro")
    assert record.status == SyncStatus.ERROR
    assert "XTS" in record.error
    assert record.cure == (
        "Activate the currency in Zuora at Billing Settings > Customize Currencies, or correct it here, then retry."
    )
    assert record.zuora_request_id


def test_a_free_plan_is_a_product_without_rate_plans(world: World) -> None:
    PlanFactory.create(ref_id="free", pricing_type=PricingType.FREE)
    world.settle()
    assert world.calls() == {"POST /v1/object/product": 1}


def test_a_percentage_coupon_learns_a_new_currency(world: World) -> None:
    plan = plan_with_prices(ref_id="pro")
    CouponFactory.create(ref_id="launch")
    world.settle()
    PriceAmountFactory.create(price=plan.prices.get(), currency="USD")
    world.settle()
    number = world.record("coupon:launch/MONTHLY").zuora_number
    assert number == "stigg--coupon--launch--monthly__g2"
    new = world.record("coupon:launch/MONTHLY").zuora_id
    [currencies] = [row["ActiveCurrencies"] for row in world.rows("ProductRatePlan") if row["Id"] == new]
    assert sorted(currencies) == ["EUR", "USD"]


def test_an_archived_coupon_expires(world: World) -> None:
    plan_with_prices(ref_id="pro")
    coupon: Coupon = CouponFactory.create(ref_id="launch")
    world.settle()
    coupon.status = "ARCHIVED"
    coupon.save()
    world.settle()
    product = world.record("coupon:launch").zuora_id
    ends = {row["EffectiveEndDate"] for row in world.rows("ProductRatePlan") if row["ProductId"] == product}
    assert ends == {world.now.date().isoformat()}
