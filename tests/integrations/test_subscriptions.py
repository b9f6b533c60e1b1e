"""A subscription's life as the tenant sees it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.models import BillingModel, BillingPeriod, CancellationTime
from catalog.publishing import publish, start_draft
from integrations.models import SyncStatus
from subscriptions.cancelling import cancel
from subscriptions.models import CustomerCoupon
from tests.factories.catalog import CouponFactory, addon_with_prices, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World
from tests.integrations.orders import actions, orders, seats

pytestmark = pytest.mark.django_db


def test_it_is_created_with_its_quantities_and_custom_fields(world: World) -> None:
    seats(world, start_date=datetime(2026, 3, 1, tzinfo=UTC), resource_id="workspace-7")
    charge = world.record("plan:pro/MONTHLY/RECURRING/PER_UNIT/seats").zuora_id
    plan = world.record("plan:pro/MONTHLY").zuora_id
    dates = [
        {"name": name, "triggerDate": "2026-03-01"}
        for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    ]
    assert orders(world) == [
        {
            "existingAccountNumber": "stigg--customer-0",
            "orderDate": world.now.date().isoformat(),
            "orderNumber": "stigg--s1--1",
            "subscriptions": [
                {
                    "customFields": {
                        "stiggCustomerId__c": "customer-0",
                        "stiggEntityUrl__c": "http://localhost:8000/subscriptions/s1/",
                        "stiggResourceId__c": "workspace-7",
                    },
                    "orderActions": [
                        {
                            "type": "CreateSubscription",
                            "createSubscription": {
                                "subscriptionNumber": "stigg--s1",
                                "terms": {"initialTerm": {"termType": "EVERGREEN", "startDate": "2026-03-01"}},
                                "subscribeToRatePlans": [
                                    {
                                        "productRatePlanId": plan,
                                        "chargeOverrides": [
                                            {
                                                "productRatePlanChargeId": charge,
                                                "pricing": {"recurringPerUnit": {"quantity": 5}},
                                            }
                                        ],
                                    }
                                ],
                            },
                            "triggerDates": dates,
                        }
                    ],
                }
            ],
        }
    ]


def test_an_added_add_on_does_not_touch_the_plan(world: World) -> None:
    subscription = seats(world)
    orders(world)
    addon = addon_with_prices(ref_id="support")
    subscription.addons.create(addon=addon)
    world.settle()
    rate_plan = world.record("addon:support/MONTHLY").zuora_id
    assert actions(world) == [[{"type": "AddProduct", "addProduct": {"productRatePlanId": rate_plan}}]]


def test_an_add_on_taken_three_times_costs_three_times_its_price(world: World) -> None:
    subscription = seats(world)
    orders(world)
    subscription.addons.create(addon=addon_with_prices(ref_id="support", amounts={"EUR": "7.50"}), quantity=3)
    world.settle()
    [[action]] = actions(world)
    assert action["addProduct"]["chargeOverrides"][0]["pricing"] == {"recurringFlatFee": {"listPrice": Decimal("22.5")}}


def test_changed_seats_a_removed_add_on_and_a_coupon_are_one_order(world: World) -> None:
    subscription = seats(world)
    subscription.addons.create(addon=addon_with_prices(ref_id="support"))
    CouponFactory.create(ref_id="launch")
    world.settle()
    orders(world)
    subscription.quantities.update(quantity=9)
    subscription.addons.all().delete()
    subscription.coupon_id = CouponFactory._meta.model.objects.get().pk
    subscription.save()
    world.settle()
    assert actions(world) == [
        [
            {"type": "RemoveProduct", "removeProduct": {"productRatePlanNumber": "stigg--addon--support--monthly"}},
            {"type": "AddProduct", "addProduct": {"productRatePlanId": world.record("coupon:launch/MONTHLY").zuora_id}},
            {
                "type": "UpdateProduct",
                "updateProduct": {
                    "productRatePlanNumber": "stigg--plan--pro--monthly",
                    "chargeUpdates": [
                        {
                            "productRatePlanChargeNumber": "stigg--plan--pro--monthly--recurring--per_unit--seats",
                            "pricing": {"recurringPerUnit": {"quantity": 9}},
                        }
                    ],
                },
            },
        ]
    ]


def test_the_customers_coupon_applies_where_the_subscription_has_none(world: World) -> None:
    subscription = seats(world)
    orders(world)
    CustomerCoupon.objects.create(customer=subscription.customer, coupon=CouponFactory.create(ref_id="loyal"))
    world.settle()
    rate_plan = world.record("coupon:loyal/MONTHLY").zuora_id
    assert actions(world) == [[{"type": "AddProduct", "addProduct": {"productRatePlanId": rate_plan}}]]


@pytest.mark.parametrize(
    ("time", "date", "sent"),
    [
        (
            CancellationTime.IMMEDIATE,
            None,
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "today"},
        ),
        (
            CancellationTime.SPECIFIC_DATE,
            datetime(2031, 5, 1, tzinfo=UTC),
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2031-05-01"},
        ),
    ],
)
def test_it_is_cancelled_by_the_policy_that_stigg_gave(
    world: World, time: CancellationTime, date: datetime | None, sent: dict[str, str]
) -> None:
    subscription = seats(world)
    orders(world)
    cancel(subscription=subscription, time=time, date=date, now=world.now)
    world.settle()
    if sent["cancellationEffectiveDate"] == "today":
        sent["cancellationEffectiveDate"] = world.now.date().isoformat()
    assert actions(world) == [[{"type": "CancelSubscription", "cancelSubscription": sent}]]
    world.advance(days=3)
    subscription.save()
    world.settle()
    assert orders(world) == []


def test_a_running_subscription_keeps_its_price_and_a_new_one_gets_the_new(world: World) -> None:
    first = seats(world)
    plan = first.plan
    start_draft(package=plan)
    draft = plan.prices.get(version_number=2, billing_model=BillingModel.FLAT_FEE).amounts.get()
    draft.amount = 30
    draft.save()
    world.settle()
    world.calls()
    publish(package=plan)
    world.settle()
    assert world.calls() == {"PUT /v1/object/product-rate-plan-charge/{id}": 1}
    first.refresh_from_db()
    first.quantities.update(quantity=6)
    first.save()
    SubscriptionFactory.create(ref_id="s2", plan=plan)
    world.settle()
    changed, created = actions(world)
    assert changed[0]["updateProduct"]["chargeUpdates"] == [
        {
            "productRatePlanChargeNumber": "stigg--plan--pro--monthly--recurring--per_unit--seats",
            "pricing": {"recurringPerUnit": {"quantity": 6}},
        }
    ]
    assert created[0]["createSubscription"]["subscribeToRatePlans"][0]["chargeOverrides"] == [
        {
            "productRatePlanChargeId": world.record("plan:pro/MONTHLY/RECURRING/PER_UNIT/seats").zuora_id,
            "pricing": {"recurringPerUnit": {"quantity": 1}},
        }
    ]


def test_a_late_create_of_an_old_version_gets_the_price_it_was_sold_at(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", amounts={"EUR": 20})
    late = SubscriptionFactory.create(ref_id="late", plan=plan, customer__payment_method_id="")
    world.settle()
    start_draft(package=plan)
    draft = plan.prices.get(version_number=2).amounts.get()
    draft.amount = 30
    draft.save()
    publish(package=plan)
    customer = late.customer
    customer.payment_method_id = f"{7:032x}"
    customer.save()
    world.settle()
    [[created]] = actions(world)
    assert created["createSubscription"]["subscribeToRatePlans"][0]["chargeOverrides"][0]["pricing"] == {
        "recurringFlatFee": {"listPrice": 20}
    }


def test_who_pays_gets_the_invoices_and_who_uses_owns(world: World) -> None:
    payer = CustomerFactory.create(ref_id="mother")
    SubscriptionFactory.create(
        ref_id="s1", plan=plan_with_prices(ref_id="pro"), paying_customer=payer, customer__ref_id="child"
    )
    world.settle()
    [order] = orders(world)
    creation = order["subscriptions"][0]["orderActions"][0]["createSubscription"]
    assert (order["existingAccountNumber"], creation["subscriptionOwnerAccountNumber"]) == (
        "stigg--mother",
        "stigg--child",
    )


def test_an_annual_subscription_takes_the_annual_rate_plan(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", periods=[BillingPeriod.MONTHLY, BillingPeriod.ANNUALLY])
    SubscriptionFactory.create(ref_id="s1", plan=plan, billing_period=BillingPeriod.ANNUALLY)
    world.settle()
    [[created]] = actions(world)
    assert created["createSubscription"]["subscribeToRatePlans"] == [
        {"productRatePlanId": world.record("plan:pro/ANNUALLY").zuora_id}
    ]


def test_days_are_told_in_the_tenants_time_zone(world: World) -> None:
    world.connection.time_zone = "America/Los_Angeles"
    world.connection.save()
    seats(world, start_date=datetime(2026, 3, 1, 5, 0, tzinfo=UTC))
    [[created]] = actions(world)
    assert created["createSubscription"]["terms"]["initialTerm"]["startDate"] == "2026-02-28"


def test_a_plan_whose_id_looks_like_an_address_is_sold(world: World) -> None:
    plan = plan_with_prices(ref_id="pro@1", per_unit=1)
    SubscriptionFactory.create(ref_id="s1", plan=plan)
    world.settle()
    assert world.statuses()["subscription:s1"] == SyncStatus.SUCCESS
