"""Closes hours: turns the events of an hour into slices, by counting them all again each time.

Nothing is added up from run to run, so closing twice, in two workers at once, or after a week off ends in the same
slices. What is to be closed stands in DirtyHour, written with the events; a row goes when its hour is counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import product, zip_longest

import structlog
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from catalog.models import Price
from customers.models import Customer
from subscriptions.models import PastTerms, Subscription, SubscriptionStatus
from subscriptions.tenure import Stretch, stretches
from usage.carrying import Draft, carry_through
from usage.counting import Source, Used, next_set, used
from usage.models import DirtyHour, Meter, Slice, UnattributedUsage
from usage.selling import Owner, Sold, owner_of, sold_to
from usage.windows import HOUR, Window, charged_windows, uncovered_windows

log = structlog.get_logger(__name__)
_CHUNK = 500
#: An end that is set in hindsight is noticed for so long.
_HINDSIGHT = timedelta(days=40)
_LARGEST = Decimal(10) ** 13
_STORED = ["ends_at", "change", "carry", "quantity", "event_count", "revision", "closed_at"]


@dataclass(frozen=True)
class Closed:
    """What a run did: hours counted, slices whose quantity is new or another, hours that could not be counted."""

    hours: int = 0
    slices: int = 0
    stuck: int = 0

    def __add__(self, other: "Closed") -> "Closed":
        return Closed(self.hours + other.hours, self.slices + other.slices, self.stuck + other.stuck)


class _TooMuchError(Exception):
    """An hour's usage has more digits than a slice, or a bill, can hold."""


def close(*, upto: datetime, now: datetime, zone: tzinfo = UTC, subscription: Subscription | None = None) -> Closed:
    """Count every hour with new events that began before `upto`, everybody's or one subscription's.

    For whole hours give the last full hour; `now` closes the running one as far as it has come, and what comes later
    is counted when it is closed again. `zone` is that of the bills. Usage at a time without a subscription is kept as
    UnattributedUsage; where there is one that does not sell the feature by usage, nobody is charged. What cannot be
    counted stays dirty, and the log says why; the rest goes on.
    """
    _reopen(now=now, subscription=subscription)
    dirty = DirtyHour.objects.filter(hour__lt=upto)
    if subscription is not None:
        dirty = dirty.filter(_had(subscription))
    done, closed = 0, Closed()
    most = dirty.aggregate(most=Max("pk"))["most"] or 0
    while done < most:
        with transaction.atomic():
            # A row that somebody is writing events to, or is closing, is left to them.
            rows = dirty.filter(pk__gt=done, pk__lte=most).select_for_update(skip_locked=True, of=("self",))
            chunk = list(rows.order_by("pk")[:_CHUNK])
            closed += _close_chunk(chunk, now=now, zone=zone)
        done = chunk[-1].pk if chunk else most
    return closed


def _close_chunk(chunk: Sequence[DirtyHour], *, now: datetime, zone: tzinfo) -> Closed:
    customers = {row.customer_id for row in chunk}
    # One closes a customer's hours at a time: the slices of a charge build on each other. Events are stored meanwhile.
    list(Customer.objects.select_for_update(no_key=True).filter(pk__in=customers).order_by("pk").values_list("pk"))
    features = {row.feature_id for row in chunk}
    sold = sold_to(customers=customers, features=features)
    metered = {meter.feature_id: meter for meter in Meter.objects.filter(feature_id__in=features)}
    by_source: dict[Source, list[DirtyHour]] = defaultdict(list)
    for row in chunk:
        source = Source(row.customer_id, row.feature_id, row.resource_id, metered.get(row.feature_id))
        by_source[source].append(row)
    changed, counted = 0, list[DirtyHour]()
    for source, rows in by_source.items():
        try:
            with transaction.atomic():
                changed += _Closer(source, sold, zone=zone, now=now).close([row.hour for row in rows])
        except _TooMuchError as problem:
            log.warning("An hour cannot be closed", customer=source.customer_id, feature=source.feature_id, why=problem)
            continue
        counted += rows
    # The rows are locked since they were read, so no event has come to them meanwhile.
    DirtyHour.objects.filter(pk__in=[row.pk for row in counted]).delete()
    return Closed(hours=len(counted), slices=changed, stuck=len(chunk) - len(counted))


class _Closer:
    """Closes hours of one source."""

    def __init__(self, source: Source, sold: Sold, *, zone: tzinfo, now: datetime) -> None:
        self._source, self._sold, self._zone, self._now = source, sold, zone, now
        self._tenures = sold.tenures.get((source.customer_id, source.resource_id), [])
        self._subscriptions = {one.subscription.pk: one.subscription for one in self._tenures}
        self._slices = Slice.objects.filter(
            subscription__in=self._subscriptions, price__feature_id=source.feature_id
        ).select_related("price")

    def close(self, hours: Iterable[datetime]) -> int:
        """Count these hours; return how many slices have another quantity now."""
        if not self._sold.is_sold_by_usage(self._source.feature_id):
            return 0
        drafts: dict[tuple[int, Owner], list[Draft]] = defaultdict(list)
        for hour, is_told in self._with_next_sets(sorted(hours)):
            stored = list(self._slices.filter(starts_at__gte=hour, starts_at__lt=hour + HOUR))
            if not (is_told or stored):
                continue  # not closed yet: it will be, by itself
            for draft in self._drafts(hour, stored):
                drafts[draft.slice.subscription_id, owner_of(draft.slice.price)].append(draft)
            self._note_unattributed(hour)
        changed = [one for charge, some in drafts.items() for one in carry_through(self._of_charge(charge), some)]
        return self._store(changed)

    def _with_next_sets(self, hours: Sequence[datetime]) -> Iterable[tuple[datetime, bool]]:
        """Yield the hours, and in between, as not told, those with a SET: what it adds rests on what was before it."""
        for hour, following in zip_longest(hours, hours[1:]):
            yield hour, True
            moment = next_set(self._source, after=hour + HOUR, before=following)
            if moment is not None:
                yield moment.replace(minute=0, second=0, microsecond=0), False

    def _drafts(self, hour: datetime, stored: Sequence[Slice]) -> Iterable[Draft]:
        left = {
            (one.subscription_id, owner_of(one.price), one.starts_at): one
            for one in stored
            if not self._is_another_holders(one)
        }
        counted: dict[Window, Used] = {}
        for stretch in self._tenures:
            subscription = stretch.subscription
            for window, price in self._charged(stretch, hour, stored):
                if window not in counted:
                    counted[window] = self._count(window)
                found = left.pop((subscription.pk, owner_of(price), window.start), None)
                if found is not None or counted[window].events:
                    yield self._draft(found or self._new(subscription, price, window), window, counted[window])
        for one in left.values():  # its subscription no longer reaches here
            yield self._draft(one, Window(one.starts_at, one.ends_at), Used())

    def _charged(self, stretch: Stretch, hour: datetime, stored: Iterable[Slice]) -> Iterable[tuple[Window, Price]]:
        """Yield the parts of the hour that are charged, each with every price that was sold then.

        Where nothing is known of a change, an hour that was counted before keeps its charges.
        """
        prices = self._sold.of(stretch.terms, feature_id=self._source.feature_id)
        if not stretch.subscription.past_terms.all():
            before = {
                owner_of(one.price): one.price for one in stored if one.subscription_id == stretch.subscription.pk
            }
            prices = list(before.values()) or prices
        windows = charged_windows(stretch, hour=hour, zone=self._zone) if prices else []
        return product(windows, prices)

    def _is_another_holders(self, one: Slice) -> bool:
        """Whether another customer, or another resource, had the subscription at the time of the slice."""
        at = one.starts_at
        holders = [
            (held.terms.customer_id, held.terms.resource_id)
            for held in stretches(self._subscriptions[one.subscription_id])
            if held.start <= at and (held.end is None or at < held.end)
        ]
        return bool(holders) and (self._source.customer_id, self._source.resource_id) not in holders

    def _count(self, window: Window) -> Used:
        counted = used(self._source, window)
        if abs(counted.change) >= _LARGEST:
            raise _TooMuchError(f"{counted.change} from {window.start} to {window.end} has more than 13 digits")
        return counted

    def _new(self, subscription: Subscription, price: Price, window: Window) -> Slice:
        return Slice(subscription=subscription, price=price, starts_at=window.start, quantity=Decimal(0))

    @staticmethod
    def _draft(one: Slice, window: Window, counted: Used) -> Draft:
        draft = Draft(one)
        one.ends_at, one.change, one.event_count = window.end, counted.change, counted.events
        return draft

    def _of_charge(self, charge: tuple[int, Owner]) -> QuerySet[Slice]:
        subscription_id, (plan_id, addon_id) = charge
        owner = Q(price__plan=plan_id) if plan_id is not None else Q(price__addon=addon_id)
        return self._slices.filter(owner, subscription=subscription_id)

    def _note_unattributed(self, hour: datetime) -> None:
        mine = UnattributedUsage.objects.filter(
            customer_id=self._source.customer_id,
            feature_id=self._source.feature_id,
            resource_id=self._source.resource_id,
        )
        found = []
        for window in uncovered_windows(self._tenures, hour=hour):
            counted = self._count(window)
            if counted.events:
                found.append(
                    UnattributedUsage(
                        customer_id=self._source.customer_id,
                        feature_id=self._source.feature_id,
                        resource_id=self._source.resource_id,
                        starts_at=window.start,
                        ends_at=window.end,
                        change=counted.change,
                        event_count=counted.events,
                        noted_at=self._now,
                    )
                )
        mine.filter(starts_at__gte=hour, starts_at__lt=hour + HOUR).delete()
        UnattributedUsage.objects.bulk_create(found)

    def _store(self, drafts: Iterable[Draft]) -> int:
        fresh, known, changed = [], [], 0
        for draft in drafts:
            one = draft.slice
            one.closed_at = self._now
            changed += draft.quantity_has_changed
            if one._state.adding:  # noqa: SLF001 - Django's public name for it
                fresh.append(one)
                continue
            one.revision += draft.quantity_has_changed
            known.append(one)
        Slice.objects.bulk_create(fresh)
        Slice.objects.bulk_update(known, _STORED, batch_size=_CHUNK)
        return changed


def _reopen(*, now: datetime, subscription: Subscription | None) -> None:
    """Have hours counted again that another beginning or end of a subscription has made another's, or nobody's."""
    beyond = (
        Slice.objects.annotate(end=Coalesce("subscription__cancellation_date", "subscription__effective_end_date"))
        .filter(_ended("subscription__"), end__gt=now - _HINDSIGHT, end__lt=now)
        .filter(starts_at__gt=F("end") - HOUR, ends_at__gt=F("end"))
        .exclude(change=0)
    )
    reached = UnattributedUsage.objects.filter(Exists(_reaching()))
    # A change that was noticed when its hour had been counted: what was before it and after it are counted apart.
    cut = PastTerms.objects.filter(ends_at__gt=now - _HINDSIGHT, ends_at__lt=now).filter(
        subscription__slices__starts_at__lt=F("ends_at"), subscription__slices__ends_at__gt=F("ends_at")
    )
    if subscription is not None:
        beyond, cut = beyond.filter(subscription=subscription), cut.filter(subscription=subscription)
        reached = reached.filter(_had(subscription))
    feature, start = "price__feature_id", "starts_at"
    hours: set[tuple[int, str, int, datetime]] = set(reached.values_list(*_whose(""), "feature_id", start))
    hours |= set(beyond.order_by().values_list(*_whose("subscription__"), feature, start))
    for prefix in ("", "subscription__"):
        slices = "subscription__slices__"
        hours |= set(cut.order_by().values_list(*_whose(prefix), slices + feature, slices + start))
    DirtyHour.objects.bulk_create(
        [
            DirtyHour(
                customer_id=customer,
                feature_id=feature_id,
                resource_id=resource,
                hour=begin.replace(minute=0, second=0, microsecond=0),
                since=now,
            )
            for customer, resource, feature_id, begin in sorted(hours)
        ],
        ignore_conflicts=True,
    )


def _ended(prefix: str = "") -> Q:
    """Whether an end is known, as `windows.ends_at` tells it."""
    over = [SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]
    return Q(**{f"{prefix}cancellation_date__isnull": False}) | Q(
        **{f"{prefix}status__in": over, f"{prefix}effective_end_date__isnull": False}
    )


def _reaching() -> QuerySet[Subscription]:
    """The subscriptions that reach into a row of UnattributedUsage."""
    rows = Subscription.objects.annotate(end=Coalesce("cancellation_date", "effective_end_date")).filter(
        customer_id=OuterRef("customer_id"), resource_id=OuterRef("resource_id"), start_date__lt=OuterRef("ends_at")
    )
    return rows.filter(~_ended() | Q(end__gt=OuterRef("starts_at")))


def _had(subscription: Subscription) -> Q:
    """Whoever has or had the subscription, for whichever resource."""
    mine = Q()
    for one in stretches(subscription):
        mine |= Q(customer_id=one.terms.customer_id, resource_id=one.terms.resource_id)
    return mine


def _whose(prefix: str) -> tuple[str, str]:
    return f"{prefix}customer_id", f"{prefix}resource_id"
