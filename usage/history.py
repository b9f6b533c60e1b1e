"""What a customer used of a feature over time, as a line that can be drawn.

A point per hour in which something happened holds the running value at the end of that hour, as Stigg's API describes
it (https://docs.stigg.io/api-reference/usage/get-usage-history): it grows with each DELTA, becomes what a SET says, and
starts again from zero where a billing period ends, unless the feature is FLUCTUATING: seats stay taken.

Raw events are counted by the meter that counts them for the bill: that of the subscription whose billing period began
last before them; before any began, by the present one.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Q

from catalog.models import BillingPeriod, Feature, MeterType
from customers.models import Customer
from subscriptions.models import Subscription
from subscriptions.periods import current_period
from usage import meters
from usage.counting import Source, reached
from usage.metering import InForce, in_force, meter_of
from usage.models import Aggregation, Counting, UpdateBehavior, UsageEvent

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


@dataclass(frozen=True, slots=True)
class _Edge:
    """From `at` on this meter counts; `kind` is a Marker's, or empty where nothing starts again."""

    at: datetime
    meter: Counting | None
    kind: str


@dataclass
class _Course:
    """By which meter a line begins, since when its value has not started again, and its edges from there on."""

    meter: Counting | None
    began: datetime | None = None
    edges: list[_Edge] = field(default_factory=list)

    @property
    def has_meter(self) -> bool:
        """Whether raw events may count."""
        return any(meter is not None for meter in (self.meter, *(edge.meter for edge in self.edges)))

    def counted(self, events: Iterable[UsageEvent]) -> Iterator[UsageEvent]:
        """Yield those that count, of events in the order of time."""
        meter, ahead = self.meter, deque(self.edges)
        for event in events:
            while ahead and ahead[0].at <= event.occurred_at:
                meter = ahead.popleft().meter
            if event.feature_id is not None or (meter and meters.counts(filters=meter.filters, event=event)):
                yield event


def read_history(
    *,
    customer: Customer,
    feature: Feature,
    resource_id: str,
    start: datetime,
    end: datetime,
    now: datetime,
    group_by: str = "",
) -> History:
    """Return the usage from `start` up to, and without, `end`, by the meters that are known `now`.

    Usage of other resources of the customer is not in it. `group_by` names a dimension: a series for each of its
    values, and one with an empty value for events without it.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    known = in_force([feature.pk], now=now)[feature.pk]
    starts_again = feature.meter_type != MeterType.FLUCTUATING
    edges = _edges(customer, resource_id, end, known) if starts_again or len(known) > 1 else ()
    course = _course(edges, known[-1].meter, start=start, starts_again=starts_again)
    lines: dict[str, _Line] = {}

    def line(group: str) -> _Line:
        if group not in lines:
            lines[group] = _Line(course, start=start)
        return lines[group]

    reported = Q(feature=feature)
    if not group_by:
        # However much lies before the start: the database adds it up, and only what is drawn is read.
        source = Source(customer.pk, feature.pk, resource_id)
        if (before := reached(source, since=course.began, before=start)) is not None:
            line("").go_on_from(before)
        reported &= Q(occurred_at__gte=start)
    told = reported | Q(feature=None) if course.has_meter else reported
    events = UsageEvent.objects.filter(told, customer=customer, resource_id=resource_id, occurred_at__lt=end)
    if course.began is not None:
        events = events.filter(occurred_at__gte=course.began)
    for event in course.counted(events.order_by("occurred_at", "pk").iterator(chunk_size=_CHUNK)):
        line(_group(event, group_by)).add(event)
    series = [Series(((group_by, group),) if group_by else (), one.finish()) for group, one in sorted(lines.items())]
    return History(tuple(series), tuple(Marker(edge.at, edge.kind) for edge in course.edges if edge.kind))


def _group(event: UsageEvent, group_by: str) -> str:
    if not group_by:
        return ""
    value = event.dimensions.get(group_by)
    return "" if value is None else meters.as_text(value)


def _course(edges: Iterable[_Edge], meter: Counting | None, *, start: datetime, starts_again: bool) -> _Course:
    course = _Course(meter)
    for edge in edges:
        if not starts_again:
            if edge.meter is not meter:
                course.edges.append(replace(edge, kind=""))
            meter = edge.meter
        elif edge.at > start:
            course.edges.append(edge)
        else:
            course.meter, course.began = edge.meter, edge.at
    return course


def _edges(customer: Customer, resource_id: str, end: datetime, known: Sequence[InForce]) -> Iterator[_Edge]:
    """Yield where billing periods begin, before `end`, in order."""
    subscriptions = Subscription.objects.filter(customer=customer, resource_id=resource_id, start_date__lt=end).exclude(
        billing_period=""
    )
    edges: dict[datetime, _Edge] = {}
    for subscription in subscriptions.order_by("start_date", "pk"):
        began = subscription.billing_anchor
        if began < end:
            meter = meter_of(known, subscription, at=began)
            edges[began] = _Edge(began, meter, "SUBSCRIPTION_CHANGE_RESET")
        last = min(end, subscription.cancellation_date or subscription.effective_end_date or end)
        at = began
        while at < last:
            period = current_period(start=began, billing_period=BillingPeriod(subscription.billing_period), now=at)
            at = period.end
            if at < last:
                edges.setdefault(at, _Edge(at, meter_of(known, subscription, at=at), "PERIODIC_RESET"))
    yield from (edges[at] for at in sorted(edges))


class _Line:
    """The running value of one series, event by event in the order of time."""

    def __init__(self, course: _Course, *, start: datetime) -> None:
        self._start, self._edges = start, deque(course.edges)
        self._points: list[Point] = []
        self._since = start
        self._reported, self._counted, self._tally = Decimal(0), Decimal(0), _tally(course.meter)

    def go_on_from(self, value: Decimal) -> None:
        """Let so much have been reported before the line begins."""
        self._reported = value

    def add(self, event: UsageEvent) -> None:
        while self._edges and self._edges[0].at <= event.occurred_at:
            self._cross(self._edges.popleft())
        if event.feature_id is None:
            self._tally.add(event)
        elif event.update_behavior == UpdateBehavior.SET:
            self._reported = event.value or Decimal(0)
        else:
            self._reported += event.value or Decimal(0)
        if event.occurred_at >= self._start:
            self._note(max(event.occurred_at.replace(minute=0, second=0, microsecond=0), self._since))

    def finish(self) -> tuple[Point, ...]:
        while self._edges:
            self._cross(self._edges.popleft())
        return tuple(self._points)

    def _note(self, at: datetime) -> None:
        value = self._reported + self._counted + self._tally.value
        if self._points and self._points[-1].at == at:
            self._points[-1] = replace(self._points[-1], value=value)
        else:
            self._points.append(Point(at, value))

    def _cross(self, edge: _Edge) -> None:
        self._counted += self._tally.value  # by a meter that counts no more
        if edge.kind:
            self._since = edge.at
            self._reported = self._counted = Decimal(0)
            self._points.append(Point(self._since, Decimal(0), is_reset=True))
        self._tally = _tally(edge.meter)


def _tally(meter: Counting | None) -> meters.Tally:
    if meter is None:  # nothing will be added
        return meters.Tally(aggregation=Aggregation.COUNT, field="")
    return meters.Tally(aggregation=meter.aggregation, field=meter.field)
