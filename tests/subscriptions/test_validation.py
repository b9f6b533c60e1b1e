"""What a subscription may hold: truths between its rows and the catalog's."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Model

from catalog.models import BillingPeriod, Plan
from subscriptions.models import PriceOverride, Subscription, SubscriptionAddon, SubscriptionQuantity
from tests.factories.catalog import (
    CouponFactory,
    FeatureFactory,
    PlanFactory,
    addon_with_prices,
    plan_with_prices,
    price,
)
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionAddonFactory, SubscriptionFactory

pytestmark = pytest.mark.django_db


def errors_of(row: Model) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refusal:
        row.full_clean()
    return refusal.value.message_dict


def new(plan: Plan, **fields: Any) -> Subscription:
    return SubscriptionFactory.build(**{"customer": CustomerFactory.create(name="Acme"), "plan": plan, **fields})


def pro(**fields: Any) -> Plan:
    return plan_with_prices(**{"display_name": "Pro", **fields})


def test_a_subscription_is_sold_the_version_on_sale() -> None:
    plan, addon = plan_with_prices(version_number=3), addon_with_prices(version_number=2)
    customer = CustomerFactory.create()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    row = Subscription.objects.create(ref_id="s", customer=customer, plan=plan, start_date=start)
    held = SubscriptionAddon.objects.create(subscription=row, addon=addon)
    assert (row.plan_version_number, held.addon_version_number) == (3, 2)


def test_a_version_that_is_named_stays() -> None:
    plan = plan_with_prices(version_number=3)
    row = SubscriptionFactory.create(plan=plan, plan_version_number=2)
    held = SubscriptionAddonFactory.create(addon=addon_with_prices(version_number=3), addon_version_number=1)
    plan.version_number = 4
    plan.save()
    row.save()
    assert (row.plan_version_number, held.addon_version_number) == (2, 1)


def test_a_sound_subscription_passes() -> None:
    new(pro()).full_clean()
    new(PlanFactory.create(pricing_type="FREE"), billing_period="").full_clean()


@pytest.mark.parametrize(
    ("plan", "fields", "errors"),
    [
        (
            {"periods": list(BillingPeriod)},
            {"billing_period": ""},
            {"billing_period": ["Pro, version 1, has prices for ANNUALLY or MONTHLY: choose it."]},
        ),
        (
            {"version_number": 2},
            {"billing_period": "ANNUALLY"},
            {"billing_period": ["Pro, version 2, has prices for MONTHLY: choose it."]},
        ),
        (
            {"version_number": 2},
            {"plan_version_number": 1},
            {"billing_period": ["Pro, version 1, has prices for no billing period: choose it."]},
        ),
        (
            {},
            {"plan_version_number": 2},
            {"plan_version_number": ["Pro is on sale in version 1: choose up to that one, or none."]},
        ),
        (
            {"status": "DRAFT"},
            {},
            {"plan": ["Pro is not on sale: publish it first, or choose a published plan."]},
        ),
        (
            {"status": "ARCHIVED"},
            {},
            {"plan": ["Pro is not on sale: publish it first, or choose a published plan."]},
        ),
    ],
)
def test_what_the_plan_does_not_sell_is_refused(
    plan: dict[str, Any], fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    assert errors_of(new(pro(**plan), **fields)) == errors


def test_an_archived_customer_or_coupon_is_refused() -> None:
    customer = CustomerFactory.create(name="Acme", archived_at=datetime(2026, 1, 1, tzinfo=UTC))
    coupon = CouponFactory.create(display_name="Spring", status="ARCHIVED")
    assert errors_of(new(pro(), customer=customer, coupon=coupon)) == {
        "customer": ["Acme is archived: unarchive the customer first."],
        "coupon": ["Spring is archived: choose an active coupon."],
    }


def test_who_has_an_archived_plan_keeps_it() -> None:
    row = SubscriptionFactory.create(plan=pro())
    Plan.objects.update(status="ARCHIVED")
    Subscription.objects.get(pk=row.pk).full_clean()


@pytest.mark.parametrize(
    "half",
    [{"cancellation_time": "END_OF_BILLING_PERIOD"}, {"cancellation_date": datetime(2026, 5, 1, tzinfo=UTC)}],
)
def test_half_a_cancellation_is_refused(half: dict[str, Any]) -> None:
    assert errors_of(new(pro(), **half)) == {
        "cancellation_date": [
            (
                "Give both the cancellation's time and its date, or neither; the actions of the list find the date of "
                "a cancellation now or at the end of the billing period."
            )
        ]
    }


def test_an_addon_goes_with_any_plan_that_lists_none() -> None:
    row = SubscriptionFactory.create(plan=pro())
    SubscriptionAddon(subscription=row, addon=addon_with_prices()).full_clean()


def test_an_addon_must_go_with_the_plan() -> None:
    plan = pro()
    plan.compatible_addons.add(addon_with_prices(display_name="Support"))
    row = SubscriptionFactory.create(plan=plan)
    held = SubscriptionAddon(subscription=row, addon=addon_with_prices(display_name="Storage"))
    assert errors_of(held) == {
        "addon": ["Pro does not go with Storage: choose Support, or add it to the plan."],
    }


@pytest.mark.parametrize(
    ("addon", "fields", "errors"),
    [
        (
            {"periods": [BillingPeriod.ANNUALLY]},
            {},
            {"addon": ["Storage, version 1, has no MONTHLY price: add one first."]},
        ),
        (
            {"status": "ARCHIVED"},
            {},
            {"addon": ["Storage is not on sale: publish it first, or choose a published add-on."]},
        ),
        (
            {"max_quantity": 2},
            {"quantity": 3},
            {"quantity": ["Storage is sold 2 times at most: lower the quantity."]},
        ),
        (
            {"pricing_type": "FREE"},
            {"addon_version_number": 2},
            {"addon_version_number": ["Storage is on sale in version 1: choose up to that one, or none."]},
        ),
    ],
)
def test_what_the_addon_does_not_sell_is_refused(
    addon: dict[str, Any], fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    row = SubscriptionFactory.create(plan=pro())
    held = SubscriptionAddon(subscription=row, addon=addon_with_prices(display_name="Storage", **addon), **fields)
    assert errors_of(held) == errors


def test_quantities_are_of_what_is_sold_per_unit() -> None:
    plan, addon = pro(per_unit=1), addon_with_prices(per_unit=1)
    row = SubscriptionFactory.create(plan=plan)
    SubscriptionAddonFactory.create(subscription=row, addon=addon)
    for package in (plan, addon):
        feature = package.prices.get(billing_model="PER_UNIT").feature
        SubscriptionQuantity(subscription=row, feature=feature, quantity=1).full_clean()

    calls = FeatureFactory.create(display_name="Calls")
    price(plan, billing_model="USAGE_BASED", feature=calls)
    assert errors_of(SubscriptionQuantity(subscription=row, feature=calls, quantity=1)) == {
        "feature": [
            (
                "Neither the plan nor an add-on of this subscription is sold per Calls: "
                "choose a feature that is, or delete this quantity."
            )
        ]
    }


@pytest.mark.parametrize(
    ("limits", "quantity", "sentence"),
    [
        ({}, 0, "Pro is sold for at least 1: change the quantity."),
        ({"min_unit_quantity": 3}, 2, "Pro is sold for at least 3: change the quantity."),
        ({"min_unit_quantity": 3, "max_unit_quantity": 5}, 6, "Pro is sold for 3 to 5: change the quantity."),
        ({"max_unit_quantity": 5}, 6, "Pro is sold for 1 to 5: change the quantity."),
    ],
)
def test_a_quantity_keeps_the_limits_of_its_price(limits: dict[str, Any], quantity: int, sentence: str) -> None:
    plan, seats = pro(), FeatureFactory.create()
    price(plan, billing_model="PER_UNIT", feature=seats, **limits)
    row = SubscriptionFactory.create(plan=plan)
    assert errors_of(SubscriptionQuantity(subscription=row, feature=seats, quantity=quantity)) == {
        "quantity": [sentence]
    }
    for fitting in limits.values():
        SubscriptionQuantity(subscription=row, feature=seats, quantity=fitting).full_clean()


def test_only_what_the_subscription_is_charged_is_overridden() -> None:
    plan, addon = pro(periods=list(BillingPeriod)), addon_with_prices()
    row = SubscriptionFactory.create(plan=plan)
    SubscriptionAddonFactory.create(subscription=row, addon=addon)
    drafted = price(plan, version_number=2)
    for own in (plan.prices.get(version_number=1, billing_period="MONTHLY"), addon.prices.get()):
        PriceOverride(subscription=row, price=own, amount=Decimal(1)).full_clean()

    def foreign(what: str) -> dict[str, list[str]]:
        return {
            "price": [
                (
                    f"{what}, is not what this subscription holds: choose a price of its plan or of its add-ons, "
                    "or delete this override."
                )
            ]
        }

    annual = plan.prices.get(version_number=1, billing_period="ANNUALLY")
    other = plan_with_prices(display_name="Basic").prices.get()
    assert errors_of(PriceOverride(subscription=row, price=annual)) == foreign("Pro, version 1, ANNUALLY")
    assert errors_of(PriceOverride(subscription=row, price=drafted)) == foreign("Pro, version 2, MONTHLY")
    assert errors_of(PriceOverride(subscription=row, price=other)) == foreign("Basic, version 1, MONTHLY")


def test_proposed_addons_count_before_they_are_stored() -> None:
    addon = addon_with_prices(per_unit=1)
    row = SubscriptionFactory.create(plan=pro())
    quantity = SubscriptionQuantity(
        subscription=row, feature=addon.prices.get(billing_model="PER_UNIT").feature, quantity=1
    )
    assert set(errors_of(quantity)) == {"feature"}
    row.proposed_addons = [SubscriptionAddon(subscription=row, addon=addon)]
    quantity.full_clean()


def test_metadata_and_billing_information_are_objects() -> None:
    assert errors_of(new(pro(), metadata=["a"], billing_information="19")) == {
        "metadata": ['Metadata is an object of texts, for example {"region": "emea"}.'],
        "billing_information": ['Give an object, for example {"taxPercentage": "19"}.'],
    }
