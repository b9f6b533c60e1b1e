"""For each row that matters to Zuora: which entities are to be pushed when it changes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db import models
from django.db.models import Q

from catalog.models import Addon, Coupon, CouponAmount, CouponType, Feature, Plan, Price, PriceAmount, PriceTier
from integrations.entities import ENTITIES
from subscriptions.models import (
    CustomerCoupon,
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)

Rows = Iterable[models.Model]


def _of_price(price: Price) -> Rows:
    # A drafted version is nobody's business until it is published.
    return [price.package] if price.version_number == price.package.version_number else []


def _of_amount(amount: PriceAmount) -> Rows:
    yield from _of_price(amount.price)
    if not PriceAmount.objects.filter(currency=amount.currency).exclude(pk=amount.pk).exists():
        # A percentage, too, holds in Zuora only for the currencies that it names.
        yield from Coupon.objects.filter(coupon_type=CouponType.PERCENTAGE)


def _of_feature(feature: Feature) -> Rows:
    on_sale = Q(prices__feature=feature, prices__version_number=models.F("version_number"))
    yield from Plan.objects.filter(on_sale).distinct()
    yield from Addon.objects.filter(on_sale).distinct()


def _with_customers(subscription: Subscription) -> Rows:
    """A subscription makes its customer worth a second look, and whoever pays for it."""
    yield subscription
    yield subscription.customer
    if subscription.paying_customer is not None:
        yield subscription.paying_customer


def _of_customer_coupons(held: Sequence[CustomerCoupon]) -> Rows:
    return Subscription.objects.filter(customer_id__in=[one.customer_id for one in held])


def _each(of_one: Callable[[Any], Rows]) -> Callable[[Sequence[Any]], Rows]:
    return lambda rows: (entity for row in rows for entity in of_one(row))


#: By model: from some of its rows to the entities behind them.
ENTITIES_BEHIND: dict[type[models.Model], Callable[[Sequence[Any]], Rows]] = {
    **{entity.model: lambda rows: rows for entity in ENTITIES.values()},
    Price: _each(_of_price),
    PriceAmount: _each(_of_amount),
    PriceTier: _each(lambda tier: _of_price(tier.price_amount.price)),
    Feature: _each(_of_feature),
    CouponAmount: _each(lambda amount: [amount.coupon]),
    Subscription: _each(_with_customers),
    SubscriptionAddon: _each(lambda held: [held.subscription]),
    SubscriptionQuantity: _each(lambda held: [held.subscription]),
    PriceOverride: _each(lambda override: [override.subscription]),
    PriceOverrideTier: _each(lambda tier: [tier.price_override.subscription]),
    CustomerCoupon: _of_customer_coupons,
}


def behind(rows: Sequence[models.Model]) -> list[models.Model]:
    """Return the entities behind these rows, which are of one model; one may come several times."""
    find = ENTITIES_BEHIND.get(type(rows[0])) if rows else None
    return list(find(rows)) if find else []
