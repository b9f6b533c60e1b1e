"""What is made up for at another price than it was billed at: within a charge's number only the quantity is."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import BillingModel, Price
from integrations.models import UsageCharge, UsageRecord
from subscriptions.tenure import Stretch
from usage.selling import was_sold

ZERO = Decimal(0)
#: What a price comes to, wherever it is written down.
_PRICED = (
    "tiers_mode",
    "amounts__currency",
    "amounts__billing_country_code",
    "amounts__amount",
    *(f"amounts__tiers__{name}" for name in ("up_to", "unit_price", "flat_price")),
)
Terms = frozenset[tuple[Any, ...]]


def taken_at_another_price(charge: UsageCharge, records: Iterable[UsageRecord]) -> Decimal:
    """Return what these records give for billed ones that were sold at another price."""
    givers = [(one, one.slice.price_id) for one in records if one.taken and one.slice is not None]
    if not givers:
        return ZERO
    owing = charge.records.filter(is_billed=True, owed__lt=0, slice__isnull=False)
    sold = {(charge.pool_of(number), pk) for number, pk in owing.values_list("charge_number", "slice__price")}
    terms = _terms_of({pk for _, pk in givers} | {pk for _, pk in sold})
    return sum(
        (
            one.taken
            for one, pk in givers
            if any(pool == charge.pool_of(one.charge_number) and terms[other] != terms[pk] for pool, other in sold)
        ),
        ZERO,
    )


def added_at_another_price(
    charge: UsageCharge, records: Iterable[UsageRecord], *, price: Price, held: Sequence[Stretch]
) -> Decimal:
    """Return what corrections among these records add for billed ones that were sold at another price.

    `price` is the charge's in any version, `held` what the subscription held when.
    """
    added = [one for one in records if one.slice is None and one.wanted > 0 and one.starts_at is not None]
    if not added:
        return ZERO
    owing = charge.records.filter(is_billed=True, owed__gt=0, slice__isnull=False)
    owed = list(owing.values_list("charge_number", "slice__price", "owed"))
    versions = list(
        Price.objects.filter(
            plan=price.plan_id,
            addon=price.addon_id,
            feature=price.feature_id,
            billing_period=price.billing_period,
            billing_model=BillingModel.USAGE_BASED,
        )
    )
    terms = _terms_of({one.pk for one in versions} | {pk for _, pk, _ in owed})
    total = ZERO
    for one in added:
        now = _sold_at(one.starts_at, versions, held)
        others = (
            quantity
            for number, pk, quantity in owed
            if charge.pool_of(number) == charge.pool_of(one.charge_number)
            and (now is None or terms[pk] != terms[now.pk])
        )
        total += min(one.wanted, sum(others, ZERO))
    return total


def _sold_at(moment: datetime, versions: Iterable[Price], held: Iterable[Stretch]) -> Price | None:
    then = [one for one in held if one.start <= moment and (one.end is None or moment < one.end)]
    return next((one for one in versions if was_sold(then, one)), None)


def _terms_of(price_ids: Collection[int]) -> dict[int, Terms]:
    """Return what these prices come to, by the id of the price: two that come to the same are equal."""
    found: dict[int, set[tuple[Any, ...]]] = {pk: set() for pk in price_ids}
    for pk, *terms in Price.objects.filter(pk__in=price_ids).values_list("pk", *_PRICED).order_by():
        found[pk].add(tuple(terms))
    return {pk: frozenset(terms) for pk, terms in found.items()}
