"""What a customer used of a feature over time, as a line that can be drawn.

A point per hour in which something happened holds the running value at the end of that hour, as Stigg's API describes
it (https://docs.stigg.io/api-reference/usage/get-usage-history): it grows with each DELTA, becomes what a SET says, and
starts again from zero where a billing period ends, unless the feature is FLUCTUATING: seats stay taken.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Q, QuerySet

from catalog.models import BillingPeriod, Feature, MeterType
from customers.models import Customer
from subscriptions.models import Subscription
from subscriptions.periods import current_period
from usage import meters
from usage.counting import Source, reached
from usage.models import Aggregation, Meter, UpdateBehavior, UsageEvent

_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Point:
    """The running value at the end of the hour that begins at `at`, or at the reset that happens at `at`."""

    at: datetime
    value: Decimal
    is_reset: bool = False


@dataclass(frozen=True, slots=True)
class Marker:
    """Where the running value starts again: PERIODIC_RESET or SUBSCRIPTION_CHANGE_RESET."""

    at: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class Series:
    """A line; its tags say which value of the dimension it was grouped by."""

    tags: tuple[tuple[str, str], ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class History:
    series: tuple[Series, ...]
    markers: tuple[Marker, ...]


def read_history(
    *, customer: Customer, feature: Feature, resource_id: str, start: datetime, end: datetime, group_by: str = ""
) -> History:
    """Return the usage from `start` up to, and without, `end`.

    Usage of other resources of the customer is not in it. `group_by` names a dimension: a series for each of its
    values, and one with an empty value for events without it.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    meter = Meter.objects.filter(feature=feature).first()
    resets: list[Marker] = []
    if feature.meter_type != MeterType.FLUCTUATING:
        resets = list(_resets(customer, resource_id, end))
    began = max((reset.at for reset in resets if reset.at <= start), default=None)
    inside = tuple(reset for reset in resets if start < reset.at < end)
    lines: dict[str, _Line] = {}

    def line(group: str) -> _Line:
        if group not in lines:
            lines[group] = _Line(meter=meter, start=start, resets=[reset.at for reset in inside])
        return lines[group]

    reported = Q(feature=feature)
    if not group_by:
        # However much lies before the start: the database adds it up, and only what is drawn is read.
        source = Source(customer.pk, feature.pk, resource_id)
        if (before := reached(source, since=began, before=start)) is not None:
            line("").go_on_from(before)
        reported &= Q(occurred_at__gte=start)
    events = _events(customer, reported, meter, resource_id).filter(occurred_at__lt=end)
    if began is not None:
        events = events.filter(occurred_at__gte=began)
    for event in events.order_by("occurred_at", "pk").iterator(chunk_size=_CHUNK):
        if event.feature_id is None and (meter is None or not meters.counts(filters=meter.filters, event=event)):
            continue
        line(_group(event, group_by)).add(event)
    series = [Series(((group_by, group),) if group_by else (), one.finish()) for group, one in sorted(lines.items())]
    return History(tuple(series), inside)


def _events(customer: Customer, reported: Q, meter: Meter | None, resource_id: str) -> QuerySet[UsageEvent]:
    counted = reported if meter is None else reported | Q(feature=None)
    return UsageEvent.objects.filter(counted, customer=customer, resource_id=resource_id)


def _group(event: UsageEvent, group_by: str) -> str:
    if not group_by:
        return ""
    value = event.dimensions.get(group_by)
    return "" if value is None else meters.as_text(value)


def _resets(customer: Customer, resource_id: str, end: datetime) -> Iterator[Marker]:
    """Yield where usage starts again, before `end`, in order."""
    subscriptions = Subscription.objects.filter(customer=customer, resource_id=resource_id, start_date__lt=end).exclude(
        billing_period=""
    )
    markers: dict[datetime, Marker] = {}
    for subscription in subscriptions.order_by("start_date", "pk"):
        began = subscription.billing_anchor
        if began < end:
            markers[began] = Marker(began, "SUBSCRIPTION_CHANGE_RESET")
        last = min(end, subscription.cancellation_date or subscription.effective_end_date or end)
        at = began
        while at < last:
            period = current_period(start=began, billing_period=BillingPeriod(subscription.billing_period), now=at)
            at = period.end
            if at < last:
                markers.setdefault(at, Marker(at, "PERIODIC_RESET"))
    yield from (markers[at] for at in sorted(markers))


class _Line:
    """The running value of one series, event by event in the order of time."""

    def __init__(self, *, meter: Meter | None, start: datetime, resets: Sequence[datetime]) -> None:
        self._meter, self._start = meter, start
        self._resets = deque(resets)
        self._points: list[Point] = []
        self._since = start
        self._reported, self._tally = Decimal(0), _tally(meter)

    def go_on_from(self, value: Decimal) -> None:
        """Let so much have been reported before the line begins."""
        self._reported = value

    def add(self, event: UsageEvent) -> None:
        while self._resets and self._resets[0] <= event.occurred_at:
            self._reset()
        if event.feature_id is None:
            self._tally.add(event)
        elif event.update_behavior == UpdateBehavior.SET:
            self._reported = event.value or Decimal(0)
        else:
            self._reported += event.value or Decimal(0)
        if event.occurred_at >= self._start:
            self._note(max(event.occurred_at.replace(minute=0, second=0, microsecond=0), self._since))

    def finish(self) -> tuple[Point, ...]:
        while self._resets:
            self._reset()
        return tuple(self._points)

    def _note(self, at: datetime) -> None:
        value = self._reported + self._tally.value
        if self._points and self._points[-1].at == at:
            self._points[-1] = replace(self._points[-1], value=value)
        else:
            self._points.append(Point(at, value))

    def _reset(self) -> None:
        self._since = self._resets.popleft()
        self._reported, self._tally = Decimal(0), _tally(self._meter)
        self._points.append(Point(self._since, Decimal(0), is_reset=True))


def _tally(meter: Meter | None) -> meters.Tally:
    if meter is None:  # nothing will be added
        return meters.Tally(aggregation=Aggregation.COUNT, field="")
    return meters.Tally(aggregation=meter.aggregation, field=meter.field)
