"""Subscriptions, with no surprises: an active, monthly one of a paid plan with one flat fee."""

# mypy: disable-error-code="no-untyped-call"
# factory_boy types its factories, but not yet its declarations.

from datetime import UTC, datetime
from decimal import Decimal

from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory

from catalog.models import BillingPeriod
from subscriptions.models import (
    CustomerCoupon,
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)
from tests.factories.catalog import (
    CouponFactory,
    addon_with_prices,
    plan_with_prices,
)
from tests.factories.customers import CustomerFactory


class SubscriptionFactory(DjangoModelFactory[Subscription]):
    class Meta:
        model = Subscription

    ref_id = Sequence(lambda n: f"subscription-{n}")
    customer = SubFactory(CustomerFactory)
    plan = LazyFunction(plan_with_prices)
    billing_period = BillingPeriod.MONTHLY
    start_date = datetime(2026, 1, 1, tzinfo=UTC)


class SubscriptionAddonFactory(DjangoModelFactory[SubscriptionAddon]):
    class Meta:
        model = SubscriptionAddon

    subscription = SubFactory(SubscriptionFactory)
    addon = LazyFunction(addon_with_prices)
    quantity = 1


class SubscriptionQuantityFactory(DjangoModelFactory[SubscriptionQuantity]):
    """A quantity of what the subscription's plan is sold by."""

    class Meta:
        model = SubscriptionQuantity

    subscription = SubFactory(SubscriptionFactory, plan=LazyFunction(lambda: plan_with_prices(per_unit=1)))
    feature = LazyAttribute(lambda held: held.subscription.plan.prices.get(billing_model="PER_UNIT").feature)
    quantity = 1


class PriceOverrideFactory(DjangoModelFactory[PriceOverride]):
    """An override of a price of the subscription's plan, in the version that it holds."""

    class Meta:
        model = PriceOverride

    subscription = SubFactory(SubscriptionFactory)
    price = LazyAttribute(lambda override: override.subscription.prices()[0])
    amount = Decimal(8)


class PriceOverrideTierFactory(DjangoModelFactory[PriceOverrideTier]):
    class Meta:
        model = PriceOverrideTier

    price_override = SubFactory(PriceOverrideFactory, amount=None)
    up_to = None
    unit_price = Decimal(1)


class CustomerCouponFactory(DjangoModelFactory[CustomerCoupon]):
    class Meta:
        model = CustomerCoupon

    customer = SubFactory(CustomerFactory)
    coupon = SubFactory(CouponFactory)
