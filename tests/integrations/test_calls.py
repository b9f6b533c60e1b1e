"""How many calls a change costs, counted to the last."""

from decimal import Decimal

import pytest

from catalog.models import BillingModel, BillingPeriod
from integrations.models import SyncStatus
from tests.factories.catalog import CouponFactory, addon_with_prices, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

PRODUCT = "POST /v1/object/product"
RATE_PLAN = "POST /v1/object/product-rate-plan"
CHARGE = "POST /v1/object/product-rate-plan-charge"
UNIT = "POST /settings/units-of-measure"


def test_a_plan_with_two_periods_and_six_charges_costs_nine_calls_and_one_for_its_new_unit(world: World) -> None:
    plan_with_prices(ref_id="pro", periods=[BillingPeriod.MONTHLY, BillingPeriod.ANNUALLY], per_unit=2)
    world.settle()
    assert world.calls() == {PRODUCT: 1, RATE_PLAN: 2, CHARGE: 6, UNIT: 1}
    assert world.statuses() == {"plan:pro": SyncStatus.SUCCESS}


def test_an_unchanged_entity_costs_no_call(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", periods=[BillingPeriod.MONTHLY], per_unit=2)
    subscription = SubscriptionFactory.create(ref_id="s1", plan=plan)
    world.settle()
    world.calls()
    plan.save()
    subscription.save()
    subscription.customer.save()
    world.settle()
    assert world.calls() == {}
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_a_new_customer_with_a_plan_three_add_ons_and_a_coupon_costs_an_account_and_an_order(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    addons = [addon_with_prices(ref_id=f"addon-{n}") for n in range(3)]
    coupon = CouponFactory.create(ref_id="launch")
    world.settle()
    world.calls()
    subscription = SubscriptionFactory.create(ref_id="s1", plan=plan, coupon=coupon, customer=CustomerFactory.create())
    for addon in addons:
        subscription.addons.create(addon=addon, addon_version_number=1)
    world.settle()
    assert world.calls() == {"POST /v1/accounts": 1, "POST /v1/orders": 1}


def test_one_changed_price_costs_one_call(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", periods=[BillingPeriod.MONTHLY, BillingPeriod.ANNUALLY], per_unit=2)
    world.settle()
    world.calls()
    amount = plan.prices.get(billing_period=BillingPeriod.MONTHLY, billing_model=BillingModel.FLAT_FEE).amounts.get()
    amount.amount = Decimal("12.50")
    amount.save()
    world.settle()
    assert world.calls() == {"PUT /v1/object/product-rate-plan-charge/{id}": 1}
