"""What is billed, or made up for, at another price than it was used at, or billed: Zuora changes prices by whole days.

Within a charge's number only the quantity is made up for.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from catalog.models import BillingModel, Price
from catalog.models.reference import plain_number
from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from integrations.zuora.mapping.amounts import localised
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from subscriptions.periods import Period
from subscriptions.tenure import Stretch, stretches
from usage.selling import own_price_at, stretches_of, was_sold

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


@dataclass(frozen=True, slots=True)
class Repriced:
    """So much was used at one price, in words, and is billed at another."""

    quantity: Decimal
    used_at: str
    billed_at: str


def billed_at_another_price(
    charge: UsageCharge, records: Iterable[UsageRecord], *, price: Price, held: Sequence[Stretch], tenant: Tenant
) -> list[Repriced]:
    """Return what these records bill at another price than it was used at, by both prices.

    A day has one price in Zuora, its last one: of others that were paid on that day, nothing can be billed. `price` is
    the charge's in any version, `held` what the subscription held when.
    """
    if len(held) == 1:
        return []
    sold = stretches_of(held, price)
    versions = {(one.plan_id or one.addon_id, one.version_number): one for one in _versions(price)}
    named = {one.pk: one for one in versions.values()}
    terms = _Paid(named, held)
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for record in records:
        if record.slice is None or not record.wanted or record.state == UsageState.FAILED:
            continue
        day, used_on = tenant.day(record.starts_at), tenant.day(record.slice.starts_at)
        if record.is_billed and day == used_on and day != charge.time_of(record.charge_number)[0]:
            continue  # it was billed before another price came, or it would have been moved
        midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=tenant.time_zone)
        last = next((one for one in reversed(sold) if one.start < midnight), None)
        billed = versions.get(_version_in(last, price)) if last else None
        used = named.get(record.slice.price_id)
        if last is None or billed is None or used is None:
            continue
        if terms.of(used.pk, at=record.slice.starts_at) == terms.of(billed.pk, at=last.start):
            continue  # the same tiers
        own = own_price_at(held, used.pk, at=record.slice.starts_at), own_price_at(held, billed.pk, at=last.start)
        prices = _in_words(used, own[0], last.subscription), _in_words(billed, own[1], last.subscription)
        if prices[0] != prices[1]:
            found[prices] += record.wanted
    return [Repriced(quantity, *prices) for prices, quantity in found.items()]


def repriced_in(subscription: Subscription, connection: Connection | None, period: Period) -> dict[str, list[Repriced]]:
    """Return the same of a billing period by the key of the charge; one query where nothing ever changed."""
    if connection is None or not subscription.past_terms.exists():
        return {}
    held = list(stretches(subscription))
    slices = subscription.slices.filter(starts_at__gte=period.start, starts_at__lt=period.end)
    rows = UsageRecord.objects.filter(connection=connection, slice__in=slices).order_by("starts_at")
    by_charge: dict[UsageCharge, list[UsageRecord]] = defaultdict(list)
    for one in rows.select_related("charge", "slice__price"):
        by_charge[one.charge].append(one)
    tenant = tenant_of(connection)
    return {
        charge.key: billed_at_another_price(charge, records, price=records[0].slice.price, held=held, tenant=tenant)
        for charge, records in by_charge.items()
        if records[0].slice is not None
    }


def _version_in(one: Stretch, price: Price) -> tuple[int | None, int]:
    if price.plan_id is not None:
        return price.plan_id, one.terms.plan_version_number
    return price.addon_id, dict(one.terms.addons)[price.addon_id or 0]


def _in_words(price: Price, own: str | None, subscription: Subscription) -> str:
    """Return a price as people say it: "2.5 EUR", or of which version, or whose own, the tiers are."""
    payer = subscription.payer
    if own is not None:
        amount = json.loads(own)[0]
        return f"{amount} {payer.billing_currency}" if amount is not None else f"tiers of its own, {own}"
    listed = localised(price.amounts.all(), currency=payer.billing_currency, country=payer.billing_country)
    if listed is None or listed.amount is None:
        return f"the tiers of version {price.version_number}"
    return f"{plain_number(listed.amount)} {payer.billing_currency}"


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
    versions = _versions(price)
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


def _versions(price: Price) -> list[Price]:
    """Return all versions of a charge by usage."""
    rows = Price.objects.filter(
        plan=price.plan_id,
        addon=price.addon_id,
        feature=price.feature_id,
        billing_period=price.billing_period,
        billing_model=BillingModel.USAGE_BASED,
    )
    return list(rows.prefetch_related("amounts"))


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
