"""Which part of an hour is charged apart: pure.

Windows are anchored to the schedule, never to when somebody looked: an hour of UTC, cut where something ends that is
billed apart. That is the start of a subscription's charging, its end, a change of what it is sold, the end of its
billing period, and midnight where the bills are made: billing systems bill by days, and in Kolkata a day ends in the
middle of an hour of UTC.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise

from catalog.models import BillingPeriod
from subscriptions.models import Subscription
from subscriptions.periods import Period, current_period
from subscriptions.tenure import Stretch

HOUR = timedelta(hours=1)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """A billing period of a charge, from `since` on: as long as it was sold without a gap to the same customer."""

    subscription_id: int
    owner: tuple[int | None, int | None]
    since: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` up to, and without, `end`; aware UTC. What does not add up is counted over the run it lies in."""

    start: datetime
    end: datetime
    run: Run | None = None


def ends_at(subscription: Subscription) -> datetime | None:
    """Return the first instant at which the subscription is no more; None while no end is known."""
    if subscription.cancellation_date is not None:
        return subscription.cancellation_date
    return subscription.effective_end_date if subscription.is_ended else None


def charged_windows(stretch: Stretch, *, hour: datetime, zone: tzinfo) -> list[Window]:
    """Return the parts of the hour in which the subscription is charged for usage, each of which is billed apart.

    A trial is not charged; it begins with the billing anchor. `zone` is that in which the bills' days begin.
    """
    subscription = stretch.subscription
    start = max(hour, subscription.billing_anchor, stretch.start)
    end = min(hour + HOUR, *(moment for moment in (ends_at(subscription), stretch.end) if moment), _NEVER)
    if start >= end:
        return []
    cuts = {start, end, *(edge for edge in _edges(subscription, hour, zone) if start < edge < end)}
    return _between(sorted(cuts))


def uncovered_windows(tenures: Iterable[Stretch], *, hour: datetime) -> list[Window]:
    """Return the parts of the hour in which there is none of these subscriptions, charged or not."""
    free = [Window(hour, hour + HOUR)]
    for one in tenures:
        end = min((moment for moment in (ends_at(one.subscription), one.end) if moment), default=None)
        free = [rest for window in free for rest in _without(window, one.start, end)]
    return free


def unsold_windows(
    tenures: Iterable[Stretch], others: Iterable[Stretch], *, hour: datetime
) -> Iterator[tuple[Window, Subscription]]:
    """Yield the parts of the hour in which there is none of `tenures`, and one of the others, each with that one."""
    free = uncovered_windows(tenures, hour=hour)
    for one in others:
        rest = uncovered_windows([one], hour=hour)
        for window in free:
            for part in _outside(rest, window):
                yield part, one.subscription
        free = [part for window in free for part in _inside(rest, window)]


def _inside(windows: Iterable[Window], other: Window) -> Iterator[Window]:
    for one in windows:
        if max(one.start, other.start) < min(one.end, other.end):
            yield Window(max(one.start, other.start), min(one.end, other.end))


def _outside(windows: Iterable[Window], other: Window) -> list[Window]:
    left = [other]
    for one in windows:
        left = [part for window in left for part in _without(window, one.start, one.end)]
    return left


def _edges(subscription: Subscription, hour: datetime, zone: tzinfo) -> Iterator[datetime]:
    day = hour.astimezone(zone).date()
    yield datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)
    if subscription.billing_period:
        yield period_of(subscription, hour).end


def period_of(subscription: Subscription, moment: datetime) -> Period:
    """Return the billing period in which a moment lies, of a subscription that has one."""
    return current_period(
        start=subscription.billing_anchor, billing_period=BillingPeriod(subscription.billing_period), now=moment
    )


def counted_until(subscription: Subscription, moment: datetime) -> datetime:
    """Return the end of the billing period in which a moment lies, or that of the subscription, if it comes first."""
    end = period_of(subscription, moment).end if subscription.billing_period else _NEVER
    return min(end, ends_at(subscription) or _NEVER)


def _without(window: Window, start: datetime, end: datetime | None) -> Iterator[Window]:
    if window.start < min(window.end, start):
        yield Window(window.start, min(window.end, start))
    if end is not None and max(window.start, end) < window.end:
        yield Window(max(window.start, end, start), window.end)


def _between(moments: list[datetime]) -> list[Window]:
    return [Window(start, end) for start, end in pairwise(moments)]
