"""Who had a subscription when, and what was sold in it then: its past, and its present."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import PriceAmount
from subscriptions.models import PriceOverride, Subscription

#: The columns from which a subscription's stretches, windows and days are told: the others cost when many are read.
TOLD_BY = (
    "ref_id",
    "customer_id",
    "resource_id",
    "plan_id",
    "plan_version_number",
    "billing_period",
    "status",
    "start_date",
    "trial_end_date",
    "cancellation_date",
    "effective_end_date",
)


@dataclass(frozen=True)
class Terms:
    """Whose it is, and in which versions it was sold what, at which prices of its own.

    `addons` are pairs of a row id and a version, `own_prices` of a price's row id and what is paid instead, as JSON.
    """

    customer_id: int
    resource_id: str
    plan_id: int
    plan_version_number: int
    billing_period: str
    addons: tuple[tuple[int, int], ...]
    own_prices: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Stretch:
    """A subscription under the same terms, from `start` up to, and without, `end`; None: to this day and on."""

    subscription: Subscription
    terms: Terms
    start: datetime
    end: datetime | None


def present_terms(subscription: Subscription) -> Terms:
    """Return what it is now; reads `addons` and `price_overrides__tiers`, which a list prefetches."""
    return _terms(
        subscription,
        addons=[(held.addon_id, held.addon_version_number) for held in subscription.addons.all()],
        own_prices=sorted((row.price_id, json.dumps(own_price(row))) for row in subscription.price_overrides.all()),
    )


def only_terms(subscription: Subscription, *, addons: Iterable[tuple[int, int]]) -> Terms:
    """Return what one is that has had no other terms: at which price of its own makes no difference then."""
    return _terms(subscription, addons=addons, own_prices=())


def own_price(row: PriceOverride | PriceAmount) -> list[Any]:
    """Return what is paid instead of a price, or for it, as JSON: an amount, and tiers by where they end."""
    tiers = [[tier.up_to, _text(tier.unit_price), _text(tier.flat_price)] for tier in row.tiers.all()]
    return [_text(row.amount), tiers]


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _terms(
    subscription: Subscription, *, addons: Iterable[tuple[int, int]], own_prices: Iterable[tuple[int, str]]
) -> Terms:
    return Terms(
        customer_id=subscription.customer_id,
        resource_id=subscription.resource_id,
        plan_id=subscription.plan_id,
        plan_version_number=subscription.plan_version_number,
        billing_period=subscription.billing_period,
        addons=tuple(addons),
        own_prices=tuple(own_prices),
    )


def stretches(subscription: Subscription) -> Iterator[Stretch]:
    """Yield its stretches in order; reads past terms, add-ons and own prices with tiers, which a list prefetches."""
    start, pasts = subscription.start_date, list(subscription.past_terms.all())
    if not pasts:
        held = [(held.addon_id, held.addon_version_number) for held in subscription.addons.all()]
        yield Stretch(subscription, only_terms(subscription, addons=held), start, None)
        return
    for past in pasts:
        terms = Terms(
            customer_id=past.customer_id,
            resource_id=past.resource_id,
            plan_id=past.plan_id,
            plan_version_number=past.plan_version_number,
            billing_period=past.billing_period,
            addons=tuple((addon_id, version) for addon_id, version in past.addons),
            own_prices=tuple((price_id, text) for price_id, text in past.own_prices),
        )
        yield Stretch(subscription, terms, past.starts_at, past.ends_at)
        start = past.ends_at
    yield Stretch(subscription, present_terms(subscription), start, None)
