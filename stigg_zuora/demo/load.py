"""Writes the demo's data through the models, as an import from a Stigg account would."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import models, transaction

from catalog.models import (
    Addon,
    Coupon,
    CouponAmount,
    CouponType,
    Feature,
    PackageStatus,
    Plan,
    Price,
    PriceAmount,
    PriceTier,
    Product,
)
from customers.models import Customer
from stigg_zuora.demo import people, pricelists, shapes
from subscriptions.models import (
    CustomerCoupon,
    PriceOverride,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
    SubscriptionStatus,
)

Row = TypeVar("Row", bound=models.Model)


def is_loaded() -> bool:
    """Whether there is a catalog already: what people changed since stays as it is."""
    return Product.objects.exists()


@transaction.atomic
def load(*, payment_methods: Mapping[str, str], now: datetime) -> None:
    """Write everything; `payment_methods` are Zuora's ids by customer. Dates are counted from `now`."""
    for feature in pricelists.FEATURES:
        _feature(feature)
    for price_list in pricelists.PRICE_LISTS:
        _price_list(price_list)
    for coupon in people.COUPONS:
        _coupon(coupon)
    for customer in people.CUSTOMERS:
        _customer(customer, payment_methods.get(customer.ref, ""))
    for subscription in people.SUBSCRIPTIONS:
        _subscription(subscription, now)


def administrator(*, name: str, password: str) -> None:
    """Make the user who may do everything, unless there is one of that name."""
    if not User.objects.filter(username=name).exists():
        User.objects.create_superuser(name, password=password)


def _saved(row: Row) -> Row:
    row.full_clean()
    row.save()
    return row


def _feature(feature: shapes.Feature) -> None:
    _saved(
        Feature(
            ref_id=feature.ref,
            display_name=feature.name,
            units_singular=feature.unit,
            units_plural=feature.units,
            meter_type=feature.meter,
        )
    )


def _price_list(price_list: shapes.PriceList) -> None:
    product = _saved(
        Product(
            ref_id=price_list.ref,
            display_name=price_list.name,
            description=f"As published: {price_list.source}.",
            multiple_subscriptions=True,
        )
    )
    addons = {package.ref: _package(Addon, package, product) for package in price_list.addons}
    for package in price_list.plans:
        plan = _package(Plan, package, product)
        plan.compatible_addons.set([addons[ref] for ref in package.addons])


def _package(model: type[Row], package: shapes.Package, product: Product) -> Row:
    row = _saved(
        model(
            ref_id=package.ref,
            product=product,
            display_name=package.name,
            description=package.description,
            pricing_type=package.pricing,
            status=PackageStatus.PUBLISHED,
        )
    )
    for charge in package.charges:
        _charge(charge, **{model._meta.model_name or "": row})  # noqa: SLF001 - Django's public name for it
    # Prices are what a package is about: it is looked at as a whole once they are there.
    row.save()
    return row


def _charge(charge: shapes.Charge, **package: models.Model) -> None:
    price = _saved(
        Price(
            **package,
            billing_model=charge.model,
            billing_cadence=charge.cadence,
            billing_period=charge.period,
            feature=Feature.objects.get(ref_id=charge.feature) if charge.feature else None,
            tiers_mode=charge.tiers_mode,
            block_size=charge.block_size,
            min_unit_quantity=charge.fewest,
            max_unit_quantity=charge.most,
        )
    )
    for currency, amount in charge.amounts.items():
        _saved(PriceAmount(price=price, currency=currency, amount=Decimal(amount)))
    for currency, steps in charge.tiers.items():
        tiered = _saved(PriceAmount(price=price, currency=currency))
        for step in steps:
            _saved(
                PriceTier(
                    price_amount=tiered,
                    up_to=step.up_to,
                    unit_price=Decimal(step.unit) if step.unit else None,
                    flat_price=Decimal(step.flat) if step.flat else None,
                )
            )


def _coupon(coupon: shapes.Coupon) -> None:
    row = _saved(
        Coupon(
            ref_id=coupon.ref,
            display_name=coupon.name,
            coupon_type=CouponType.PERCENTAGE if coupon.percent else CouponType.FIXED,
            percent_off=Decimal(coupon.percent) if coupon.percent else None,
            duration_in_months=coupon.months,
        )
    )
    for currency, amount in coupon.amounts.items():
        _saved(CouponAmount(coupon=row, currency=currency, amount=Decimal(amount)))
    row.save()


def _customer(customer: shapes.Customer, payment_method_id: str) -> None:
    row = _saved(
        Customer(
            ref_id=customer.ref,
            name=customer.name,
            email=customer.email,
            billing_currency=customer.currency,
            billing_line1=customer.line1,
            billing_city=customer.city,
            billing_state=customer.state,
            billing_postal_code=customer.postal_code,
            billing_country=customer.country,
            payment_method_id=payment_method_id,
            billing_id=customer.billing_id,
            metadata=dict(customer.metadata),
        )
    )
    if customer.coupon:
        _saved(CustomerCoupon(customer=row, coupon=Coupon.objects.get(ref_id=customer.coupon)))


def _subscription(subscription: shapes.Subscription, now: datetime) -> None:
    def day(count: int | None) -> datetime | None:
        return None if count is None else now + timedelta(days=count)

    row = _saved(
        Subscription(
            ref_id=subscription.ref,
            customer=Customer.objects.get(ref_id=subscription.customer),
            paying_customer=Customer.objects.get(ref_id=subscription.paid_by) if subscription.paid_by else None,
            plan=Plan.objects.get(ref_id=subscription.plan),
            billing_period=subscription.period,
            status=_status(subscription),
            start_date=now + timedelta(days=subscription.starts),
            trial_end_date=day(subscription.trial_ends),
            cancellation_date=day(subscription.cancels),
            cancellation_time=subscription.cancellation,
            effective_end_date=day(subscription.cancels) if subscription.ended else None,
            resource_id=subscription.resource,
            coupon=Coupon.objects.get(ref_id=subscription.coupon) if subscription.coupon else None,
            billing_id=subscription.billing_id,
            metadata=dict(subscription.metadata),
        )
    )
    for ref, count in subscription.addons.items():
        _saved(SubscriptionAddon(subscription=row, addon=Addon.objects.get(ref_id=ref), quantity=count))
    for ref, count in subscription.quantities.items():
        _saved(SubscriptionQuantity(subscription=row, feature=Feature.objects.get(ref_id=ref), quantity=count))
    for ref, amount in subscription.overrides.items():
        price = Price.objects.get(plan=row.plan, billing_period=row.billing_period, feature__ref_id=ref)
        _saved(PriceOverride(subscription=row, price=price, amount=Decimal(amount)))


def _status(subscription: shapes.Subscription) -> str:
    if subscription.ended:
        return SubscriptionStatus.CANCELED
    return SubscriptionStatus.IN_TRIAL if subscription.trial_ends is not None else SubscriptionStatus.ACTIVE
