"""What a subscription was: kept when it changes, and looked at again by whoever has to bill it.

`tenure` tells the same of who had it in which versions; that alone is what usage asks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from catalog.models import Addon, Coupon, Feature, Plan, Price
from subscriptions.models import (
    PastContent,
    PastTerms,
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
    SubscriptionStatus,
)
from subscriptions.tenure import Terms, own_price, present_terms

_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True)
class Present:
    """What a subscription is before somebody changes it; its own prices are in `currency`, which is empty without any.

    Beside the content: to be billed in another currency is not to hold something else.
    """

    terms: Terms
    content: dict[str, Any]
    currency: str


@dataclass(frozen=True)
class Past:
    """A subscription as it was from `since` to `until`, not to be saved; `coupon` is its own, or its customer's.

    Its own prices are in `currency`, which is empty where nobody noted it.
    """

    subscription: Subscription
    coupon: Coupon | None
    currency: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class HeldCoupon:
    """A coupon that a subscription held, or None, under one billing period, from `since` to `until`; None: to this day.

    It is its own, or its customer's.
    """

    coupon: Coupon | None
    billing_period: str
    since: datetime
    until: datetime | None


def present(subscription: Subscription) -> Present:
    """Return what it is now; reads add-ons, quantities, overrides and coupons, which a list prefetches."""
    content = _content(subscription)
    currency = subscription.payer.billing_currency if content["overrides"] else ""
    return Present(present_terms(subscription), content, currency)


def coupon_of(subscription: Subscription) -> Coupon | None:
    """Return the subscription's own coupon, else the customer's."""
    if subscription.coupon is not None:
        return subscription.coupon
    held = getattr(subscription.customer, "customer_coupon", None)
    return held.coupon if held else None


def coupons_held(subscription: Subscription) -> list[HeldCoupon]:
    """Return which coupons it has held since its start, in order; two queries at the most, and its customer's coupon.

    One that is there no more counts as none.
    """
    rows = list(PastContent.objects.filter(subscription=subscription).order_by("starts_at"))
    now = coupon_of(subscription)
    coupons = Coupon.objects.in_bulk({pk for row in rows if (pk := row.content["coupon"])}) if rows else {}
    held = [
        HeldCoupon(coupons.get(row.content["coupon"]), row.content["billing_period"], row.starts_at, row.ends_at)
        for row in rows
    ]
    since = rows[-1].ends_at if rows else subscription.start_date
    joined: list[HeldCoupon] = []
    for one in [*held, HeldCoupon(now, subscription.billing_period, since, None)]:
        last = joined[-1] if joined else None
        if last is not None and (last.coupon, last.billing_period) == (one.coupon, one.billing_period):
            joined[-1] = replace(last, until=one.until)
        else:
            joined.append(one)
    return joined


def keep_past(subscription: Subscription, *, before: Present, at: datetime) -> None:
    """Note what it was until `at`, when that was something else, and since when it is otherwise.

    What nobody had for a moment is not noted.
    """
    now = present(subscription)
    if before.terms != now.terms and (start := _since(subscription, PastTerms)) < at:
        PastTerms.objects.create(
            subscription=subscription,
            customer_id=before.terms.customer_id,
            resource_id=before.terms.resource_id,
            plan_id=before.terms.plan_id,
            plan_version_number=before.terms.plan_version_number,
            billing_period=before.terms.billing_period,
            addons=[list(pair) for pair in before.terms.addons],
            own_prices=[list(pair) for pair in before.terms.own_prices],
            starts_at=start,
            ends_at=at,
        )
    if before.content == now.content:
        return
    if (start := _since(subscription, PastContent)) < at:
        content = before.content | {"currency": before.currency}
        PastContent.objects.create(subscription=subscription, content=content, starts_at=start, ends_at=at)
    subscription.effective_from = max(at, subscription.effective_from or at)
    # Whoever listens to saves has heard of the change itself.
    Subscription.objects.filter(pk=subscription.pk).update(effective_from=subscription.effective_from)


def presents_of(*, customer_id: int) -> dict[int, Present]:
    """Return what a customer's subscriptions are, by their row id, before the customer's coupon changes."""
    over = [SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]
    rows = Subscription.objects.filter(customer=customer_id, coupon=None).exclude(status__in=over)
    return {row.pk: present(row) for row in _whole(rows)}


def keep_pasts(before: Mapping[int, Present], *, at: datetime) -> None:
    """Note of several subscriptions what they were until `at`."""
    for row in _whole(Subscription.objects.filter(pk__in=before)):
        keep_past(row, before=before[row.pk], at=max(at, row.start_date))


@contextmanager
def changed_with_customer(*, customer_id: int, at: datetime) -> Iterator[None]:
    """Note what a customer's subscriptions were, where what happens inside changes what they are billed."""
    before = presents_of(customer_id=customer_id)
    yield
    keep_pasts(before, at=at)


def _whole(rows: QuerySet[Subscription]) -> QuerySet[Subscription]:
    held = ("addons", "quantities", "price_overrides__tiers")
    return (
        rows.select_related("customer__customer_coupon__coupon", "paying_customer")
        .prefetch_related(*held)
        .order_by("pk")
    )


def contents_since(subscription: Subscription, moment: datetime | None) -> list[Past]:
    """Return the subscription as it was in each stretch that began after a moment (None: in all), but for today's."""
    rows = PastContent.objects.filter(subscription=subscription).order_by("starts_at")
    found = list(rows if moment is None else rows.filter(starts_at__gt=moment))
    return list(_read(subscription, found)) if found else []


def latest_contents(subscription: Subscription, *, most: int) -> list[Past]:
    """Return the subscription as it was before today's content, the latest first."""
    found = list(PastContent.objects.filter(subscription=subscription).order_by("-starts_at")[:most])
    return list(_read(subscription, found)) if found else []


def _since(subscription: Subscription, model: type[PastTerms | PastContent]) -> datetime:
    ends = model._default_manager.filter(subscription=subscription).order_by("-ends_at")  # noqa: SLF001
    return ends.values_list("ends_at", flat=True).first() or subscription.start_date


def _content(subscription: Subscription) -> dict[str, Any]:
    coupon = coupon_of(subscription)
    return {
        "plan": [subscription.plan_id, subscription.plan_version_number],
        "billing_period": subscription.billing_period,
        "addons": sorted(
            [held.addon_id, held.addon_version_number, held.quantity] for held in subscription.addons.all()
        ),
        "quantities": sorted([held.feature_id, held.quantity] for held in subscription.quantities.all()),
        "overrides": sorted([row.price_id, *own_price(row)] for row in subscription.price_overrides.all()),
        "coupon": coupon.pk if coupon else None,
    }


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _read(subscription: Subscription, rows: list[PastContent]) -> Iterator[Past]:
    """Make the rows of then again, in memory; what they refer to is read at once for all of them."""
    contents = [row.content for row in rows]
    priced = ("prices__amounts__tiers", "prices__feature")
    plans = Plan.objects.prefetch_related(*priced).in_bulk({one["plan"][0] for one in contents})
    addons = Addon.objects.prefetch_related(*priced).in_bulk({held[0] for one in contents for held in one["addons"]})
    features = Feature.objects.in_bulk({held[0] for one in contents for held in one["quantities"]})
    coupons = Coupon.objects.prefetch_related("amounts").in_bulk({one["coupon"] for one in contents if one["coupon"]})
    prices = Price.objects.select_related("plan", "addon", "feature").in_bulk(
        {held[0] for one in contents for held in one["overrides"]}
    )
    for row in rows:
        content = row.content
        was = copy(subscription)
        was.plan, was.plan_version_number = plans[content["plan"][0]], content["plan"][1]
        was.billing_period, was.effective_from = content["billing_period"], row.starts_at
        was.status, was.effective_end_date = SubscriptionStatus.ACTIVE, None
        was.cancellation_date, was.cancellation_time = None, ""
        _give(
            was,
            addons=[
                SubscriptionAddon(
                    subscription=was, addon=addons[addon], addon_version_number=version, quantity=quantity
                )
                for addon, version, quantity in content["addons"]
            ],
            quantities=[
                SubscriptionQuantity(subscription=was, feature=features[feature], quantity=quantity)
                for feature, quantity in content["quantities"]
            ],
            price_overrides=[
                _overridden(was, prices[price], amount, tiers)
                for price, amount, tiers in content["overrides"]
                if price in prices
            ],
        )
        yield Past(was, coupons.get(content["coupon"]), content.get("currency", ""), row.starts_at, row.ends_at)


def _overridden(was: Subscription, price: Price, amount: str | None, tiers: list[list[Any]]) -> PriceOverride:
    row = PriceOverride(pk=price.pk, subscription=was, price=price, amount=_number(amount))  # Django asks for a key
    steps = [
        PriceOverrideTier(price_override=row, up_to=up_to, unit_price=_number(unit), flat_price=_number(flat))
        for up_to, unit, flat in tiers
    ]
    return _give(row, tiers=steps)


def _give(row: _Row, **related: list[Any]) -> _Row:
    """Have a row find these when it is asked for what belongs to it."""
    row._prefetched_objects_cache = related  # type: ignore[attr-defined]  # noqa: SLF001 - where Django looks
    return row
