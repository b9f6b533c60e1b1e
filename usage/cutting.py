"""What an hour of a source is cut into: parts that are charged apart, and time that is nobody's; pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from hashlib import blake2b
from itertools import product

from catalog.models import Price
from subscriptions.models import Subscription
from subscriptions.tenure import Stretch
from usage.carrying import Charge, Draft
from usage.counting import Source, Span, Used
from usage.metering import NEVER
from usage.models import Slice
from usage.selling import Sold, owner_of, unbroken
from usage.windows import Run, Window, charged_windows, ends_at, period_of, uncovered_windows, unsold_windows


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an hour as one price of a subscription charges it; `stored` is its slice, where there is one."""

    subscription: Subscription
    price: Price
    window: Window
    stored: Slice | None


@dataclass(frozen=True, slots=True)
class Cut:
    """An hour of a source: what is charged, the slices to which nothing reaches any more, and what is nobody's.

    What is nobody's may be of a time with a subscription, which does not sell it then.
    """

    source: Source
    hour: datetime
    parts: tuple[Part, ...]
    beyond: tuple[Slice, ...]
    nobodys: tuple[tuple[Window, Subscription | None], ...]

    @property
    def spans(self) -> Iterator[Span]:
        """What has to be counted."""
        for window in {part.window for part in self.parts} | {window for window, _ in self.nobodys}:
            yield self.source, window


def cut_hour(source: Source, hour: datetime, *, sold: Sold, stored: Sequence[Slice], zone: tzinfo) -> Cut:
    """Cut an hour; `stored` are the slices that the source's subscriptions have in it.

    What another meter counts is left out: it is another source's. The present one counts what is nobody's.
    """
    tenures = sold.tenures.get((source.customer_id, source.resource_id), [])
    left = {
        (one.subscription_id, owner_of(one.price), one.starts_at): one
        for one in stored
        if not _is_another_holders(one, source, sold.stretches[one.subscription_id])
        and source.counts(sold.stretches[one.subscription_id][0].subscription, one.starts_at)
    }
    parts = tuple(
        Part(
            subscription=stretch.subscription,
            price=price,
            window=window,
            stored=left.pop((stretch.subscription.pk, owner_of(price), window.start), None),
        )
        for stretch in tenures
        for window, price in _charged(source, stretch, hour, sold=sold, stored=stored, zone=zone)
    )
    nobodys = tuple(_nobodys(source, tenures, hour, sold=sold)) if source.until == NEVER else ()
    return Cut(source=source, hour=hour, parts=parts, beyond=tuple(left.values()), nobodys=nobodys)


def _nobodys(
    source: Source, tenures: Sequence[Stretch], hour: datetime, *, sold: Sold
) -> Iterator[tuple[Window, Subscription | None]]:
    for window in uncovered_windows(tenures, hour=hour):
        yield window, None
    others = [one for one in tenures if not sold.settles(one.terms, feature_id=source.feature_id)]
    if others:
        yield from unsold_windows([one for one in tenures if one not in others], others, hour=hour)


def drafts_of(cut: Cut, counted: Mapping[Span, Used]) -> Iterator[tuple[Charge, Draft]]:
    """Yield the slices of an hour as they are to be, before anything is carried; of no usage there is none."""
    for part in cut.parts:
        found = counted[cut.source, part.window]
        if part.stored is not None or found.events:
            one = part.stored or Slice(
                subscription_id=part.subscription.pk,
                price_id=part.price.pk,  # objects in their places cost more than the rest of the row
                starts_at=part.window.start,
                quantity=Decimal(0),
            )
            yield _charge(one, part.price, cut), _draft(one, part.window, found)
    for one in cut.beyond:  # its subscription no longer reaches here
        yield _charge(one, one.price, cut), _draft(one, Window(one.starts_at, one.ends_at), Used())


def _charged(
    source: Source, stretch: Stretch, hour: datetime, *, sold: Sold, stored: Iterable[Slice], zone: tzinfo
) -> Iterable[tuple[Window, Price]]:
    """Yield the parts of the hour that are charged, each with every price that was sold then.

    Where nothing is known of a change, an hour that was counted before keeps its charges.
    """
    prices = sold.of(stretch.terms, feature_id=source.feature_id)
    if len(sold.stretches[stretch.subscription.pk]) == 1:
        before = {owner_of(one.price): one.price for one in stored if one.subscription_id == stretch.subscription.pk}
        prices = list(before.values()) or prices
    windows = charged_windows(stretch, hour=hour, zone=zone) if prices else []
    for window, price in product(windows, prices):
        if not source.counts(stretch.subscription, window.start):
            continue
        if source.meter is None or source.meter.adds_up:
            yield window, price
        else:
            yield replace(window, run=_run(window, price, stretch, sold)), price


def _run(window: Window, price: Price, stretch: Stretch, sold: Sold) -> Run:
    """Return the run that the window lies in: what was counted in it already is not counted again."""
    subscription = stretch.subscription
    held = unbroken(sold.stretches[subscription.pk], price)
    sold_since = max((one.start for one in held if one.start <= window.start), default=stretch.start)
    since = max(sold_since, subscription.billing_anchor)
    if subscription.billing_period:
        since = max(since, period_of(subscription, window.start).start)
    return Run(subscription.pk, owner_of(price), since)


def _is_another_holders(one: Slice, source: Source, held: Iterable[Stretch]) -> bool:
    """Whether another customer, or another resource, had the slice's subscription at its time."""
    at = one.starts_at
    holders = [
        (some.terms.customer_id, some.terms.resource_id)
        for some in held
        if some.start <= at and (some.end is None or at < some.end)
    ]
    return bool(holders) and (source.customer_id, source.resource_id) not in holders


def _charge(one: Slice, price: Price, cut: Cut) -> Charge:
    return Charge(one.subscription_id, owner_of(price), cut.source.feature_id)


def _draft(one: Slice, window: Window, counted: Used) -> Draft:
    draft = Draft(one)
    one.ends_at, one.change, one.event_count = window.end, counted.change, counted.events
    return draft


def basis_of(source: Source, *, sold: Sold, zone: tzinfo) -> str:
    """Return what the cuts of a source's hours rest on, but for its events: as long as it is the same, so are they."""
    meter = source.meter
    told: list[object] = [str(zone), *((meter.aggregation, meter.field, meter.filters) if meter else ())]
    held = {one.subscription.pk for one in sold.tenures.get((source.customer_id, source.resource_id), ())}
    for pk in sorted(held):
        for one in sold.stretches[pk]:
            terms, subscription = one.terms, one.subscription
            told += [pk, one.start, one.end, subscription.billing_anchor, ends_at(subscription)]
            told += [subscription.billing_period, terms.customer_id, terms.resource_id, terms.billing_period]
            told += [terms.plan_id, terms.plan_version_number, sorted(terms.addons)]
            told.append(sorted(price.pk for price in sold.of(terms, feature_id=source.feature_id)))
    return blake2b(json.dumps(told, default=str).encode(), digest_size=32).hexdigest()
