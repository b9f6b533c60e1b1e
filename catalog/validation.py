"""Truths about a version of a plan or an add-on that lie across rows, where no constraint of the database reaches."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError

from catalog.models import Addon, CouponType, Plan, Price, PricingType
from catalog.tiers import Tier, amount_problems


def version_problems(*, package: Plan | Addon, version_number: int) -> list[str]:
    """Return a sentence for each thing that keeps a version from being sold."""
    if not package.pricing_type:
        return [f"{package} has no pricing type: make it FREE, PAID or CUSTOM."]
    prices = list(package.prices.of_version(version_number))
    if package.pricing_type == PricingType.PAID and not prices:
        return [f"{package} is PAID and has no prices: add one, or make it FREE or CUSTOM."]
    if package.pricing_type != PricingType.PAID and prices:
        return [f"{package} is {package.pricing_type} and has prices: delete them, or make it PAID."]
    return [f"{price}: {problem}" for price in prices for problem in price_problems(price)]


def price_problems(price: Price) -> list[str]:
    """Return a sentence for each thing that is wrong with a stored price, its amounts and its tiers."""
    problems = []
    try:
        price.clean()
    except ValidationError as refusal:
        problems += refusal.messages
    amounts = list(price.amounts.all())
    if not amounts:
        problems.append(NO_AMOUNT)
    for amount in amounts:
        tiers = [Tier.of(tier) for tier in amount.tiers.all()]
        found = amount_problems(amount=amount.amount, tiers=tiers, tiers_mode=price.tiers_mode)
        problems += [f"{amount.currency}: {problem}" for problem in found]
    return problems


def coupon_problems(*, coupon_type: str, currencies: Iterable[str]) -> list[str]:
    """Return a sentence for each thing that is wrong between a coupon's type and the currencies of its amounts."""
    has_amounts = bool(list(currencies))
    if coupon_type == CouponType.FIXED and not has_amounts:
        return ["A FIXED coupon takes an amount off: give one per currency."]
    if coupon_type == CouponType.PERCENTAGE and has_amounts:
        return ["A PERCENTAGE coupon takes no amounts: delete them, or make it FIXED."]
    return []


NO_AMOUNT = "It costs nothing yet: give an amount, or tiers, in at least one currency."
