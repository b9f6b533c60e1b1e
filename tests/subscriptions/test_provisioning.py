from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from catalog.models import BillingModel, BillingPeriod, Plan, PricingType, Product
from customers.archiving import archive
from customers.models import Customer
from subscriptions.models import ScheduleStatus, Subscription
from subscriptions.scheduling import Strategy, call_off, mark_paid, update
from subscriptions.taking_effect import take_effect
from subscriptions.trials import Trial
from subscriptions.wanted import Content, Override
from tests.factories.catalog import (
    AddonFactory,
    CouponFactory,
    FeatureFactory,
    PlanFactory,
    addon_with_prices,
    plan_with_prices,
    price,
)
from tests.factories.customers import CustomerFactory
from tests.subscriptions.lives import LATER, NOW, give, life, schedules

pytestmark = pytest.mark.django_db


def test_everything_that_is_ordered_is_held(customer: Customer, product: Product) -> None:
    seats = FeatureFactory.create(ref_id="seats")
    plan = PlanFactory.create(ref_id="team", product=product)
    price(plan, amounts={"EUR": 20})
    price(plan, billing_model=BillingModel.PER_UNIT, feature=seats, amounts={"EUR": 5})
    addon_with_prices(ref_id="support")
    payer = CustomerFactory.create(ref_id="mother")
    CouponFactory.create(ref_id="launch")
    subscription = give(
        customer,
        plan,
        "s1",
        paying_customer=payer,
        resource_id="site-1",
        cancellation_date=datetime(2027, 1, 1, tzinfo=UTC),
        payment_collection_method="INVOICE",
        content=Content(
            addons={"support": 2},
            unit_quantity=7,
            price_overrides=[
                Override(feature="seats", amount=Decimal(4)),
                Override(addon="support", amount=Decimal(1)),
            ],
            coupon="launch",
            metadata={"a": "b"},
            billing_information={"invoiceDaysUntilDue": 30},
        ),
    )
    subscription.refresh_from_db()
    assert (
        subscription.status,
        subscription.billing_period,
        subscription.start_date,
        subscription.payer,
        subscription.resource_id,
        subscription.cancellation_date,
        subscription.payment_collection_method,
        subscription.coupon.ref_id if subscription.coupon else None,
        subscription.metadata,
        subscription.billing_information,
    ) == (
        "ACTIVE",
        "MONTHLY",
        NOW,
        payer,
        "site-1",
        datetime(2027, 1, 1, tzinfo=UTC),
        "INVOICE",
        "launch",
        {"a": "b"},
        {"invoiceDaysUntilDue": 30},
    )
    assert list(subscription.addons.values_list("addon__ref_id", "quantity")) == [("support", 2)]
    assert list(subscription.quantities.values_list("feature__ref_id", "quantity")) == [("seats", 7)]
    assert list(subscription.price_overrides.values_list("price__feature__ref_id", "amount")) == [
        ("seats", Decimal(4)),
        (None, Decimal(1)),
    ]


def test_a_new_one_takes_the_place_of_the_old_at_its_start(customer: Customer, basic: Plan, pro: Plan) -> None:
    give(customer, basic, "s1")
    give(customer, pro, "s2", now=NOW + timedelta(days=1))
    end = NOW + timedelta(days=1)
    assert life() == [("s1", "CANCELED", "UPGRADE_OR_DOWNGRADE", end), ("s2", "ACTIVE", "", None)]


def test_other_products_and_other_customers_are_let_be(customer: Customer, basic: Plan) -> None:
    give(customer, basic, "s1")
    give(customer, plan_with_prices(), "s2")
    give(CustomerFactory.create(), basic, "s3")
    assert [row[1] for row in life()] == ["ACTIVE", "ACTIVE", "ACTIVE"]


def test_a_product_sold_per_resource_has_one_for_each(customer: Customer, product: Product, basic: Plan) -> None:
    product.multiple_subscriptions = True
    product.save()
    give(customer, basic, "s1", resource_id="site-1")
    give(customer, basic, "s2", resource_id="site-2")
    give(customer, basic, "s3", resource_id="site-1")
    assert [row[:2] for row in life()] == [("s1", "CANCELED"), ("s2", "ACTIVE"), ("s3", "ACTIVE")]


def test_one_that_starts_later_ends_the_old_one_then_however_late_the_clock_is_read(
    customer: Customer, basic: Plan, pro: Plan
) -> None:
    give(customer, basic, "s1", start=NOW - timedelta(days=30))
    give(customer, pro, "s2", start=LATER)
    assert life() == [("s1", "ACTIVE", "", None), ("s2", "NOT_STARTED", "", None)]
    assert schedules() == [("s1", "PLAN", "SCHEDULED", LATER)]
    assert take_effect(now=LATER - timedelta(seconds=1)) == 0
    assert take_effect(now=LATER + timedelta(days=3)) == 1
    assert take_effect(now=LATER + timedelta(days=3)) == 0
    assert life() == [("s1", "CANCELED", "UPGRADE_OR_DOWNGRADE", LATER), ("s2", "ACTIVE", "", None)]
    assert schedules() == [("s1", "PLAN", "DONE", LATER)]


def test_the_end_of_the_period_is_that_of_the_running_one(customer: Customer, basic: Plan, pro: Plan) -> None:
    give(customer, basic, "s1", start=datetime(2026, 1, 31, tzinfo=UTC))
    new = give(customer, pro, "s2", strategy=Strategy.END_OF_BILLING_PERIOD)
    assert (new.status, new.start_date) == ("NOT_STARTED", datetime(2026, 3, 31, tzinfo=UTC))


def test_a_second_one_that_waits_to_start_replaces_the_first(customer: Customer, basic: Plan, pro: Plan) -> None:
    give(customer, basic, "s1", start=NOW - timedelta(days=1))
    give(customer, pro, "s2", start=LATER)
    give(customer, pro, "s3", start=LATER + timedelta(days=5))
    assert [row[:2] for row in life()] == [("s1", "ACTIVE"), ("s2", "CANCELED"), ("s3", "NOT_STARTED")]
    assert [row[:3] for row in schedules()] == [("s1", "PLAN", "CANCELED"), ("s1", "PLAN", "SCHEDULED")]


def test_a_plan_change_that_is_called_off_takes_its_successor_away(customer: Customer, basic: Plan, pro: Plan) -> None:
    old = give(customer, basic, "s1", start=NOW - timedelta(days=1))
    give(customer, pro, "s2", start=LATER)
    assert call_off(subscription=old, statuses=[ScheduleStatus.SCHEDULED], now=NOW) == 1
    take_effect(now=LATER)
    assert [row[:2] for row in life()] == [("s1", "ACTIVE"), ("s2", "CANCELED")]
    assert call_off(subscription=old, statuses=[ScheduleStatus.SCHEDULED], now=NOW) == 0


def test_a_downgrade_to_a_free_plan_is_called_so(customer: Customer, basic: Plan, product: Product) -> None:
    give(customer, basic, "s1", start=NOW - timedelta(days=1))
    free = PlanFactory.create(ref_id="free", product=product, pricing_type=PricingType.FREE)
    give(customer, free, "s2", strategy=Strategy.END_OF_BILLING_PERIOD)
    assert [row[1] for row in schedules()] == ["DOWNGRADE"]


def test_what_awaits_its_payment_begins_when_that_came(customer: Customer, basic: Plan, pro: Plan) -> None:
    give(customer, basic, "s1", start=NOW - timedelta(days=1))
    new = give(customer, pro, "s2", awaits_payment=True)
    assert [row[1] for row in life()] == ["ACTIVE", "PAYMENT_PENDING"]
    assert new.payment_collection == "PROCESSING"
    mark_paid(subscription=new, now=NOW)
    assert life() == [("s1", "CANCELED", "UPGRADE_OR_DOWNGRADE", NOW), ("s2", "ACTIVE", "", None)]
    with pytest.raises(ValidationError, match="s2 has no invoice that waits to be paid"):
        mark_paid(subscription=new, now=NOW)


def test_an_archived_customers_subscriptions_end_with_it(customer: Customer, basic: Plan) -> None:
    give(customer, basic, "s1")
    give(customer, plan_with_prices(), "s2", start=LATER)
    archive(customer=customer, now=NOW)
    assert life() == [("s1", "CANCELED", "CustomerArchived", NOW), ("s2", "CANCELED", "CustomerArchived", LATER)]


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        ({"ref_id": "taken"}, "There is a subscription taken already"),
        ({"content": Content(billing_period="ANNUALLY")}, "Basic, version 1, has prices for MONTHLY: choose it"),
        ({"content": Content(addons={"nothing": 1})}, "No add-on has the id 'nothing'"),
        ({"content": Content(addons={"free": 3})}, "Free is sold 2 times at most"),
        ({"content": Content(addons={"free": 0})}, "The quantity must be 1 or more"),
        ({"content": Content(quantities={"nothing": 1})}, "No feature has the id 'nothing'"),
        ({"content": Content(quantities={"other": 1})}, "is sold per Other"),
        ({"content": Content(unit_quantity=3)}, "Basic is sold by 0 units, so one quantity says nothing"),
        ({"content": Content(coupon="nothing")}, "No coupon has the id 'nothing'"),
        ({"content": Content(coupon="old")}, "is archived: choose an active coupon"),
        (
            {"content": Content(price_overrides=[Override(feature="other", amount=Decimal(1))])},
            "Nothing of plan basic is sold by the feature other",
        ),
        (
            {"content": Content(price_overrides=[Override(amount=Decimal(1), currency="USD")])},
            "The override is in USD, but Acme is billed in EUR",
        ),
        ({"content": Content(price_overrides=[Override()])}, "Give the amount; 0 is one"),
        ({"content": Content(price_overrides=[Override(amount=Decimal(1))] * 2)}, "it is overridden twice"),
        ({"content": Content(metadata={"a": 1})}, "Metadata holds texts only"),  # type: ignore[dict-item]
        ({"trial": Trial(ends=NOW)}, "The trial would end at 2026-03-10 12:30 UTC, before it begins"),
        ({"cancellation_date": NOW - timedelta(days=1)}, "has passed: give a later date"),
        ({"strategy": Strategy.END_OF_BILLING_PERIOD, "content": Content(addons={"gone": 1})}, "No add-on"),
    ],
)
def test_what_cannot_be_sold_is_refused_and_nothing_is_stored(
    customer: Customer, basic: Plan, order: dict[str, Any], complaint: str
) -> None:
    give(CustomerFactory.create(), basic, "taken")
    AddonFactory.create(ref_id="free", display_name="Free", pricing_type=PricingType.FREE, max_quantity=2)
    FeatureFactory.create(ref_id="other", display_name="Other")
    CouponFactory.create(ref_id="old", status="ARCHIVED")
    with pytest.raises(ValidationError) as refusal:
        give(customer, basic, **{"ref_id": "s1", **order})
    assert complaint in " ".join(refusal.value.messages)
    assert [row[0] for row in life()] == ["taken"]


def test_what_an_addon_needs_is_sold_with_it(customer: Customer, basic: Plan) -> None:
    addons = {name: addon_with_prices(ref_id=name, display_name=name.title()) for name in ("phone", "support", "chat")}
    addons["phone"].dependencies.set([addons["support"], addons["chat"]])
    held = give(customer, basic, "s1", content=Content(addons={"phone": 1, "support": 1, "chat": 2}))
    with pytest.raises(ValidationError) as refusal:
        update(subscription=held, content=Content(addons={"phone": 1, "chat": 1}), now=NOW)
    assert [(one.code, one.message) for one in refusal.value.error_list] == [
        ("AddonDependencyMissingError", "Phone is sold only with Support: add Support, or leave Phone out.")
    ]
    assert list(held.addons.values_list("addon__ref_id", "quantity")) == [("chat", 2), ("phone", 1), ("support", 1)]
    update(subscription=held, content=Content(addons={"chat": 1}), now=NOW)
    assert list(held.addons.values_list("addon__ref_id", "quantity")) == [("chat", 1)]


@pytest.mark.parametrize(
    ("order", "billed_from"),
    [
        ({"start": datetime(2025, 12, 31, tzinfo=UTC)}, datetime(2026, 3, 31, tzinfo=UTC)),
        ({"start": datetime(2026, 2, 10, 12, 30, tzinfo=UTC)}, NOW),  # its next period begins this minute
        ({"start": LATER}, None),
        ({}, None),
        ({"trial": Trial(lasts=timedelta(days=7))}, None),
    ],
)
def test_one_that_is_backdated_is_billed_from_its_next_period_on(
    customer: Customer, basic: Plan, order: dict[str, Any], billed_from: datetime | None
) -> None:
    give(customer, basic, "s1", is_backdated=True, **order)
    assert Subscription.objects.get().billed_from == billed_from


def test_usage_of_the_running_period_is_not_given_away_by_backdating(customer: Customer, product: Product) -> None:
    metered = plan_with_prices(ref_id="metered", product=product)
    price(metered, billing_model=BillingModel.USAGE_BASED, feature=FeatureFactory.create())
    with pytest.raises(ValidationError, match="begin the subscription on 2026-03-31, not backdated"):
        give(customer, metered, "s1", is_backdated=True, start=datetime(2025, 12, 31, tzinfo=UTC))
    assert life() == []


def test_a_plan_with_two_periods_needs_one_of_them(customer: Customer) -> None:
    plan = plan_with_prices(periods=[BillingPeriod.MONTHLY, BillingPeriod.ANNUALLY], display_name="Both")
    with pytest.raises(ValidationError, match="Both, version 1, has prices for ANNUALLY or MONTHLY"):
        give(customer, plan, "s1")
