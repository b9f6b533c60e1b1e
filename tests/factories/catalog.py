"""The catalog's rows, with no surprises: a plan is PAID and PUBLISHED, a price is monthly and flat."""

# mypy: disable-error-code="no-untyped-call"
# factory_boy types its factories, but not yet its declarations.

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from factory.declarations import Sequence, SubFactory
from factory.django import DjangoModelFactory

from catalog.models import (
    Addon,
    BillingModel,
    BillingPeriod,
    Coupon,
    CouponAmount,
    CouponType,
    Feature,
    PackageStatus,
    Plan,
    Price,
    PriceAmount,
    PriceTier,
    PricingType,
    Product,
)
from catalog.tiers import Tier


class FeatureFactory(DjangoModelFactory[Feature]):
    class Meta:
        model = Feature

    ref_id = Sequence(lambda n: f"feature-{n}")
    display_name = Sequence(lambda n: f"Feature {n}")
    units_singular = "seat"
    units_plural = "seats"


class ProductFactory(DjangoModelFactory[Product]):
    class Meta:
        model = Product

    ref_id = Sequence(lambda n: f"product-{n}")
    display_name = Sequence(lambda n: f"Product {n}")


class AddonFactory(DjangoModelFactory[Addon]):
    class Meta:
        model = Addon

    ref_id = Sequence(lambda n: f"addon-{n}")
    display_name = Sequence(lambda n: f"Add-on {n}")
    product = SubFactory(ProductFactory)
    pricing_type = PricingType.PAID
    status = PackageStatus.PUBLISHED


class PlanFactory(DjangoModelFactory[Plan]):
    class Meta:
        model = Plan

    ref_id = Sequence(lambda n: f"plan-{n}")
    display_name = Sequence(lambda n: f"Plan {n}")
    product = SubFactory(ProductFactory)
    pricing_type = PricingType.PAID
    status = PackageStatus.PUBLISHED


class PriceFactory(DjangoModelFactory[Price]):
    """A monthly flat fee of a plan, without an amount; pass plan=None and addon=... for an add-on's."""

    class Meta:
        model = Price

    plan = SubFactory(PlanFactory)
    billing_model = BillingModel.FLAT_FEE
    billing_period = BillingPeriod.MONTHLY


class PriceAmountFactory(DjangoModelFactory[PriceAmount]):
    class Meta:
        model = PriceAmount

    price = SubFactory(PriceFactory)
    currency = "EUR"
    amount = Decimal(10)


class PriceTierFactory(DjangoModelFactory[PriceTier]):
    class Meta:
        model = PriceTier

    price_amount = SubFactory(PriceAmountFactory, amount=None)
    up_to = None
    unit_price = Decimal(1)


class CouponFactory(DjangoModelFactory[Coupon]):
    class Meta:
        model = Coupon

    ref_id = Sequence(lambda n: f"coupon-{n}")
    display_name = Sequence(lambda n: f"Coupon {n}")
    coupon_type = CouponType.PERCENTAGE
    percent_off = Decimal(10)


class CouponAmountFactory(DjangoModelFactory[CouponAmount]):
    class Meta:
        model = CouponAmount

    coupon = SubFactory(CouponFactory, coupon_type=CouponType.FIXED, percent_off=None)
    currency = "EUR"
    amount = Decimal(5)


def price(
    package: Plan | Addon,
    *,
    amounts: Mapping[str, Decimal | int | str | Iterable[Tier]] | None = None,
    **fields: Any,
) -> Price:
    """Make a charge of the version on sale; an amount per currency is a number or a list of tiers; 10 EUR if none."""
    owner = {"plan": package} if isinstance(package, Plan) else {"plan": None, "addon": package}
    made = PriceFactory.create(**owner, **{"version_number": package.version_number, **fields})
    for currency, amount in (amounts or {"EUR": 10}).items():
        if isinstance(amount, Decimal | int | str):
            PriceAmountFactory.create(price=made, currency=currency, amount=Decimal(amount))
            continue
        tiered = PriceAmountFactory.create(price=made, currency=currency, amount=None)
        for tier in amount:
            PriceTierFactory.create(
                price_amount=tiered, up_to=tier.up_to, unit_price=tier.unit_price, flat_price=tier.flat_price
            )
    return made


def plan_with_prices(
    *,
    periods: Iterable[BillingPeriod] = (BillingPeriod.MONTHLY,),
    per_unit: int = 0,
    amounts: Mapping[str, Decimal | int | str] | None = None,
    **fields: Any,
) -> Plan:
    """Make a published plan with, in each billing period, a flat fee and so many charges per unit."""
    plan = PlanFactory.create(**fields)
    _add_prices(plan, periods, per_unit, amounts)
    return plan


def addon_with_prices(
    *,
    periods: Iterable[BillingPeriod] = (BillingPeriod.MONTHLY,),
    per_unit: int = 0,
    amounts: Mapping[str, Decimal | int | str] | None = None,
    **fields: Any,
) -> Addon:
    """Make a published add-on with, in each billing period, a flat fee and so many charges per unit."""
    addon = AddonFactory.create(**fields)
    _add_prices(addon, periods, per_unit, amounts)
    return addon


def _add_prices(
    package: Plan | Addon,
    periods: Iterable[BillingPeriod],
    per_unit: int,
    amounts: Mapping[str, Decimal | int | str] | None,
) -> None:
    features = FeatureFactory.create_batch(per_unit)
    for period in periods:
        price(package, billing_period=period, amounts=amounts)
        for feature in features:
            price(
                package,
                billing_period=period,
                billing_model=BillingModel.PER_UNIT,
                feature=feature,
                amounts=amounts,
            )
