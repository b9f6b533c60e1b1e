"""Each truth that the database keeps, broken once: a person reads a sentence, and nothing else gets past either."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction

from catalog.models import BillingModel, Coupon, Price, PriceTier
from subscriptions.models import PriceOverrideTier, ScheduledChange, Subscription
from tests.factories.catalog import (
    AddonFactory,
    CouponAmountFactory,
    CouponFactory,
    FeatureFactory,
    PlanFactory,
    PriceAmountFactory,
    PriceFactory,
    PriceTierFactory,
    ProductFactory,
)
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import (
    PriceOverrideFactory,
    PriceOverrideTierFactory,
    SubscriptionAddonFactory,
    SubscriptionFactory,
    SubscriptionQuantityFactory,
)

pytestmark = pytest.mark.django_db

TIME = "2026-01-01T00:00:00Z"


def copy_of(row: models.Model, **changes: object) -> models.Model:
    """Return the row once more, unsaved, with some fields changed."""
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**(fields | {"id": None} | changes))


def plan_price(**fields: object) -> Price:
    return Price(**{"plan": PlanFactory.create(), "billing_model": "FLAT_FEE", "billing_period": "MONTHLY"} | fields)


def percentage(**fields: object) -> Coupon:
    return Coupon(ref_id="c", display_name="C", **fields)


def tier(**fields: object) -> PriceTier:
    return PriceTier(price_amount=PriceAmountFactory.create(amount=None), **fields)


def override_tier(**fields: object) -> PriceOverrideTier:
    return PriceOverrideTier(price_override=PriceOverrideFactory.create(amount=None), **fields)


def subscription(**changes: object) -> Subscription:
    return SubscriptionFactory.build(
        customer=CustomerFactory.create(), **{"plan": PlanFactory.create(pricing_type="FREE"), **changes}
    )


SAME_CHARGE = "This version has such a charge for that billing period already: change that one."
SAME_END = "Two tiers end at the same unit: give each its own end."
OPEN_END = "Only the last tier has no end: give the others theirs."
NO_TIER_PRICE = "A tier needs a price per unit, a flat price, or both."
NEGATIVE_TIER = "A tier's price cannot be negative."

BROKEN: dict[str, tuple[Callable[[], models.Model], str]] = {
    "coupon_percentage_from_0_to_100": (
        lambda: percentage(coupon_type="PERCENTAGE", percent_off=101),
        "A PERCENTAGE coupon takes more than 0 and at most 100 percent off; a FIXED one has amounts.",
    ),
    "coupon_lasts_a_month_or_more": (
        lambda: percentage(coupon_type="PERCENTAGE", percent_off=5, duration_in_months=0),
        "A coupon lasts a month or more; leave the duration empty if it does not end.",
    ),
    "coupon_amount_once_per_currency": (
        lambda: copy_of(CouponAmountFactory.create()),
        "There is an amount in this currency already: change that one.",
    ),
    "coupon_amount_positive": (
        lambda: copy_of(CouponAmountFactory.create(), currency="USD", amount=0),
        "Give the amount to take off as a positive number.",
    ),
    "feature_only_numbers_are_metered": (
        lambda: FeatureFactory.build(feature_type="BOOLEAN", meter_type="INCREMENTAL"),
        "Only a NUMBER feature has a meter: change its type, or set the meter to NONE.",
    ),
    "plan_version_from_one": (
        lambda: PlanFactory.build(product=ProductFactory.create(), version_number=0),
        "Versions count from 1.",
    ),
    "plan_trial_of_a_possible_length": (
        lambda: PlanFactory.build(product=ProductFactory.create(), trial_duration=1001),
        "A trial lasts from 1 to 1000 days or months.",
    ),
    "plan_trial_of_what_costs_something": (
        lambda: PlanFactory.build(product=ProductFactory.create(), trial_duration=14, pricing_type="FREE"),
        "A free plan has no trial: there is nothing to pay afterwards.",
    ),
    "addon_version_from_one": (
        lambda: AddonFactory.build(product=ProductFactory.create(), version_number=0),
        "Versions count from 1.",
    ),
    "price_of_a_plan_or_of_an_addon": (
        lambda: plan_price(addon=AddonFactory.create()),
        "A price belongs to a plan or to an add-on: choose one of them.",
    ),
    "price_per_unit_names_its_feature": (
        lambda: plan_price(billing_model="PER_UNIT"),
        "A price per unit or by usage needs the feature that is counted: choose one.",
    ),
    "price_flat_fee_counts_nothing": (
        lambda: plan_price(tiers_mode="VOLUME"),
        "A flat fee has no feature and no tiers: clear both, or change the model.",
    ),
    "price_usage_recurs": (
        lambda: plan_price(billing_model="USAGE_BASED", billing_cadence="ONE_OFF", feature=FeatureFactory.create()),
        "Usage is billed every period: set the cadence to RECURRING.",
    ),
    "price_unit_limits_in_order": (
        lambda: plan_price(min_unit_quantity=2, max_unit_quantity=1),
        "The fewest units must not be more than the most units.",
    ),
    "price_block_of_one_or_more": (
        lambda: plan_price(block_size=0),
        "A block holds at least one unit; leave its size empty if there are no blocks.",
    ),
    "price_once_per_plan_fee": (lambda: copy_of(PriceFactory.create()), SAME_CHARGE),
    "price_once_per_plan_feature": (
        lambda: copy_of(PriceFactory.create(billing_model=BillingModel.PER_UNIT, feature=FeatureFactory.create())),
        SAME_CHARGE,
    ),
    "price_once_per_addon_fee": (
        lambda: copy_of(PriceFactory.create(plan=None, addon=AddonFactory.create())),
        SAME_CHARGE,
    ),
    "price_once_per_addon_feature": (
        lambda: copy_of(
            PriceFactory.create(
                plan=None,
                addon=AddonFactory.create(),
                billing_model=BillingModel.PER_UNIT,
                feature=FeatureFactory.create(),
            )
        ),
        SAME_CHARGE,
    ),
    "price_amount_once_per_currency_and_country": (
        lambda: copy_of(PriceAmountFactory.create()),
        "There is an amount in this currency already: change that one.",
    ),
    "price_amount_not_negative": (
        lambda: PriceAmountFactory.build(price=PriceFactory.create(), amount=-1),
        "An amount cannot be negative: a discount is a coupon.",
    ),
    "price_tier_once_per_bound": (lambda: copy_of(PriceTierFactory.create(up_to=5)), SAME_END),
    "price_tier_one_open_end": (lambda: copy_of(PriceTierFactory.create()), OPEN_END),
    "price_tier_has_a_price": (tier, NO_TIER_PRICE),
    "price_tier_not_negative": (lambda: tier(unit_price=1, flat_price=-1), NEGATIVE_TIER),
    "customer_currency_is_a_code": (
        lambda: CustomerFactory.build(billing_currency="eur"),
        "Give the ISO 4217 code in capitals, for example EUR.",
    ),
    "subscription_trial_has_an_end": (
        lambda: subscription(status="IN_TRIAL"),
        "A trial needs the date on which it ends: fill in the trial end date.",
    ),
    "subscription_not_cancelled_before_start": (
        lambda: subscription(cancellation_date="2025-12-31T00:00:00Z", cancellation_time="IMMEDIATE"),
        "A subscription cannot end before it starts: choose a later cancellation date.",
    ),
    "subscription_specific_date_is_given": (
        lambda: subscription(cancellation_time="SPECIFIC_DATE"),
        "Cancelling at a specific date needs the date: fill in the cancellation date.",
    ),
    "subscription_addon_once": (
        lambda: copy_of(SubscriptionAddonFactory.create()),
        "The subscription has this add-on already: change its quantity.",
    ),
    "subscription_addon_at_least_one": (
        lambda: copy_of(SubscriptionAddonFactory.create(), addon_id=AddonFactory.create().pk, quantity=0),
        "The quantity must be 1 or more: remove the add-on instead.",
    ),
    "subscription_quantity_once_per_feature": (
        lambda: copy_of(SubscriptionQuantityFactory.create()),
        "The subscription has a quantity of this feature already: change that one.",
    ),
    "price_override_once_per_price": (
        lambda: copy_of(PriceOverrideFactory.create()),
        "This price is overridden already: change that override.",
    ),
    "price_override_not_negative": (
        lambda: PriceOverrideFactory.build(
            subscription=(held := SubscriptionFactory.create()), price=held.prices()[0], amount=-1
        ),
        "A price cannot be negative: a discount is a coupon.",
    ),
    "price_override_tier_once_per_bound": (lambda: copy_of(PriceOverrideTierFactory.create(up_to=5)), SAME_END),
    "price_override_tier_one_open_end": (lambda: copy_of(PriceOverrideTierFactory.create()), OPEN_END),
    "price_override_tier_has_a_price": (override_tier, NO_TIER_PRICE),
    "price_override_tier_not_negative": (lambda: override_tier(unit_price=-1), NEGATIVE_TIER),
    "scheduled_change_one_open_per_type": (
        lambda: copy_of(
            ScheduledChange.objects.create(
                subscription=SubscriptionFactory.create(), change_type="ADDON", effective_at=TIME
            )
        ),
        "Such a change is scheduled already: call that one off first.",
    ),
}


def test_every_constraint_of_the_domain_is_broken_here() -> None:
    models_of_ours = [
        model for app in ("catalog", "customers", "subscriptions") for model in apps.get_app_config(app).get_models()
    ]
    assert set(BROKEN) == {constraint.name for model in models_of_ours for constraint in model._meta.constraints}


@pytest.mark.parametrize("name", BROKEN)
def test_a_person_reads_what_to_do(name: str) -> None:
    build, sentence = BROKEN[name]
    with pytest.raises(ValidationError) as refusal:
        build().full_clean()
    assert sentence in refusal.value.messages


@pytest.mark.parametrize("name", BROKEN)
def test_the_database_refuses_it_too(name: str) -> None:
    row = BROKEN[name][0]()
    # SQLite does not name a unique constraint.
    named = f'"{name}"' if connection.vendor == "postgresql" else "constraint failed"
    with pytest.raises(IntegrityError, match=named), transaction.atomic():
        row.save()


def test_metadata_is_a_flat_object_of_texts() -> None:
    with pytest.raises(ValidationError) as refusal:
        CouponFactory.build(metadata={"region": {"name": "emea"}}).full_clean()
    assert refusal.value.message_dict == {
        "metadata": [
            'Metadata holds texts only: write the value of "region" in quotes, without lists or objects in it.'
        ]
    }
