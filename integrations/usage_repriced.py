"""What is made up for at another price than it was billed at: within a charge's number only the quantity is."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import BillingModel, Price
from integrations.models import UsageCharge, UsageRecord
from subscriptions.tenure import Stretch
from usage.selling import own_price_at, was_sold

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


def taken_at_another_price(charge: UsageCharge, records: Iterable[UsageRecord], *, held: Sequence[Stretch]) -> Decimal:
    """Return what these records give for billed ones that were sold at another price.

    `held` is what the subscription held when.
    """
    givers = [(one, one.slice.price_id, one.slice.starts_at) for one in records if one.taken and one.slice is not None]
    if not givers:
        return ZERO
    owing = charge.records.filter(is_billed=True, owed__lt=0, slice__isnull=False)
    sold = list(owing.values_list("charge_number", "slice__price", "slice__starts_at"))
    terms = _Paid({pk for _, pk, _ in [*givers, *sold]}, held)
    others = {(charge.pool_of(number), terms.of(pk, at=at)) for number, pk, at in sold}
    return sum(
        (
            one.taken
            for one, pk, at in givers
            if any(pool == charge.pool_of(one.charge_number) and other != terms.of(pk, at=at) for pool, other in others)
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
    owed = list(owing.values_list("charge_number", "slice__price", "slice__starts_at", "owed"))
    versions = list(
        Price.objects.filter(
            plan=price.plan_id,
            addon=price.addon_id,
            feature=price.feature_id,
            billing_period=price.billing_period,
            billing_model=BillingModel.USAGE_BASED,
        )
    )
    terms = _Paid({one.pk for one in versions} | {pk for _, pk, _, _ in owed}, held)
    total = ZERO
    for one in added:
        now = _sold_at(one.starts_at, versions, held)
        others = (
            quantity
            for number, pk, at, quantity in owed
            if charge.pool_of(number) == charge.pool_of(one.charge_number)
            and (now is None or terms.of(pk, at=at) != terms.of(now.pk, at=one.starts_at))
        )
        total += min(one.wanted, sum(others, ZERO))
    return total


def _sold_at(moment: datetime, versions: Iterable[Price], held: Iterable[Stretch]) -> Price | None:
    then = [one for one in held if one.start <= moment and (one.end is None or moment < one.end)]
    return next((one for one in versions if was_sold(then, one)), None)


class _Paid:
    """What some prices come to for a subscription: two that come to the same are equal."""

    def __init__(self, price_ids: Collection[int], held: Sequence[Stretch]) -> None:
        found: dict[int, set[tuple[Any, ...]]] = {pk: set() for pk in price_ids}
        for pk, *terms in Price.objects.filter(pk__in=price_ids).values_list("pk", *_PRICED).order_by():
            found[pk].add(tuple(terms))
        self._listed = {pk: frozenset(terms) for pk, terms in found.items()}
        self._held = held

    def of(self, price_id: int, *, at: datetime) -> Terms | str:
        """Return the price of its own that it paid then, or else the list's."""
        return own_price_at(self._held, price_id, at=at) or self._listed[price_id]
