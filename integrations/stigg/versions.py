"""Brings the charges of a version on sale to what Stigg's are.

What was sold stays as it is: another price is another version.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.models import Addon, Feature, Plan, Price, PriceAmount, PriceTier, PricingType
from catalog.tiers import Tier
from catalog.validation import version_problems
from integrations.stigg.reading import Amount, Charge
from integrations.stigg.values import Unreadable


def write_version(
    package: Plan | Addon, charges: Sequence[Charge], *, features: Mapping[str, Feature], version: int
) -> bool:
    """Store the charges of a version of the package, and return whether anything changed.

    Raises:
        Unreadable: the version is here with other charges, or nothing could be sold by them.
    """
    wanted = charges if package.pricing_type == PricingType.PAID else ()
    stored = list(package.prices.of_version(version))
    if not stored:
        for charge in wanted:
            _store(package, version, charge, features)
        if problems := version_problems(package=package, version_number=version):
            raise Unreadable(" ".join(problems))
        return bool(wanted)
    here = {_shape(price): price for price in stored}
    if {shape: _content(price) for shape, price in here.items()} != {one.shape: _wanted(one) for one in wanted}:
        raise Unreadable(
            f"Stigg's version {version} has other charges than the one that is sold here: publish a "
            "new version in Stigg, so that nobody's price changes unseen."
        )
    renamed = [(here[one.shape], one.billing_id) for one in wanted if here[one.shape].billing_id != one.billing_id]
    for price, billing_id in renamed:
        price.billing_id = billing_id
        price.save(update_fields=["billing_id"])
    return bool(renamed)


def _store(package: Plan | Addon, version: int, charge: Charge, features: Mapping[str, Feature]) -> None:
    owner = {"plan": package} if isinstance(package, Plan) else {"addon": package}
    price = Price(
        **owner,
        version_number=version,
        feature=features[charge.feature] if charge.feature else None,
        billing_id=charge.billing_id,
        **charge.fields,
    )
    price.clean_fields()
    price.validate_constraints()
    price.save()
    for one in charge.amounts:
        amount = PriceAmount(price=price, currency=one.currency, billing_country_code=one.country, amount=one.amount)
        amount.full_clean()
        amount.save()
        for tier in one.tiers:
            row = PriceTier(
                price_amount=amount, up_to=tier.up_to, unit_price=tier.unit_price, flat_price=tier.flat_price
            )
            row.full_clean()
            row.save()


def _shape(price: Price) -> tuple[Any, ...]:
    feature = price.feature.ref_id if price.feature else ""
    return (price.billing_period, price.billing_cadence, price.billing_model, feature)


def _content(price: Price) -> tuple[Any, ...]:
    fields = (price.tiers_mode, price.block_size, price.min_unit_quantity, price.max_unit_quantity)
    return (*fields, stored_amounts(price.amounts.all()))


def _wanted(charge: Charge) -> tuple[Any, ...]:
    names = ("tiers_mode", "block_size", "min_unit_quantity", "max_unit_quantity")
    return (*(charge.fields[name] for name in names), frozenset(charge.amounts))


def stored_amounts(amounts: Iterable[PriceAmount]) -> frozenset[Amount]:
    """Return what a price costs, as values that can be compared with what Stigg says."""
    return frozenset(
        Amount(one.currency, one.billing_country_code, one.amount, tuple(Tier.of(tier) for tier in one.tiers.all()))
        for one in amounts
    )
