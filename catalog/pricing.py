"""What a draft of a plan or an add-on costs: all of its charges at once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import (
    Addon,
    BillingCadence,
    BillingModel,
    BillingPeriod,
    Feature,
    Plan,
    Price,
    PriceAmount,
    PriceTier,
    PricingType,
    TiersMode,
)
from catalog.publishing import drafted_version, lock
from catalog.tiers import Tier
from catalog.validation import price_problems


@dataclass(frozen=True)
class Amount:
    """What a charge costs in one currency, everywhere or in one country: an amount, or tiers."""

    currency: str
    country: str = ""
    amount: Decimal | None = None
    tiers: Sequence[Tier] = ()


@dataclass(frozen=True, kw_only=True)
class Charge:
    """A charge as it is wished for."""

    billing_model: BillingModel
    billing_period: BillingPeriod
    amounts: Sequence[Amount]
    billing_cadence: BillingCadence = BillingCadence.RECURRING
    feature: Feature | None = None
    tiers_mode: TiersMode | None = None
    block_size: int | None = None
    min_unit_quantity: int | None = None
    max_unit_quantity: int | None = None


@transaction.atomic
def set_charges(*, package: Plan | Addon, pricing_type: PricingType, charges: Iterable[Charge]) -> None:
    """Give the draft these charges and no others, row by row, so that whoever listens to saves hears it.

    Raises:
        ValidationError: there is no draft, it was sold under another pricing type, or a charge is not sound; nothing
            is changed.
    """
    lock(package)
    draft = drafted_version(package=package)
    if draft is None:
        raise ValidationError(f"{package} has no draft: create one, and change the charges of that.")
    wished = list(charges)
    _check_type(package, pricing_type, wished)
    if package.pricing_type != pricing_type:
        package.pricing_type = pricing_type
        package.validate_constraints()
        package.save(update_fields=["pricing_type"])
    old = package.prices.filter(version_number=draft)
    billing_ids = {_shape(price): price.billing_id for price in old.select_related("feature")}
    for price in old:
        price.delete()
    made = [_make(package, draft, charge, billing_ids) for charge in wished]
    if problems := [f"{price}: {problem}" for price in made for problem in price_problems(price)]:
        raise ValidationError(problems)


def _check_type(package: Plan | Addon, pricing_type: PricingType, charges: Sequence[Charge]) -> None:
    if package.is_published and package.pricing_type != pricing_type:
        raise ValidationError(f"{package} is sold as {package.pricing_type}: for {pricing_type}, make another one.")
    if package.is_published and not charges:
        raise ValidationError(f"{package} would have no charges left: remove the draft instead, or archive it.")
    if pricing_type != PricingType.PAID and charges:
        raise ValidationError(f"What is {pricing_type} has no charges: leave them out, or make it PAID.")
    shapes = Counter(_shape_wished(charge) for charge in charges)
    if twice := [shape for shape, count in shapes.items() if count > 1]:
        period, cadence, model, feature = twice[0]
        of = f" of {feature}" if feature else ""
        raise ValidationError(f"There are two charges {model}{of}, {cadence} {period}: put their amounts into one.")


_Shape = tuple[str, str, str, str]


def _shape(price: Price) -> _Shape:
    feature = price.feature.ref_id if price.feature else ""
    return price.billing_period, price.billing_cadence, price.billing_model, feature


def _shape_wished(charge: Charge) -> _Shape:
    feature = charge.feature.ref_id if charge.feature else ""
    return charge.billing_period, charge.billing_cadence, charge.billing_model, feature


def _make(package: Plan | Addon, version: int, charge: Charge, billing_ids: dict[_Shape, str]) -> Price:
    price = Price(
        plan=package if isinstance(package, Plan) else None,
        addon=package if isinstance(package, Addon) else None,
        version_number=version,
        billing_model=charge.billing_model,
        billing_cadence=charge.billing_cadence,
        billing_period=charge.billing_period,
        feature=charge.feature,
        tiers_mode=charge.tiers_mode or "",
        block_size=charge.block_size,
        min_unit_quantity=charge.min_unit_quantity,
        max_unit_quantity=charge.max_unit_quantity,
        # Whoever linked a charge in the billing system meant the charge, not this row.
        billing_id=billing_ids.get(_shape_wished(charge), ""),
    )
    price.full_clean()
    price.save()
    for amount in charge.amounts:
        _make_amount(price, amount)
    return price


def _make_amount(price: Price, amount: Amount) -> None:
    row = PriceAmount(price=price, currency=amount.currency, billing_country_code=amount.country, amount=amount.amount)
    row.full_clean()
    row.save()
    for tier in amount.tiers:
        step = PriceTier(price_amount=row, up_to=tier.up_to, unit_price=tier.unit_price, flat_price=tier.flat_price)
        step.full_clean()
        step.save()
