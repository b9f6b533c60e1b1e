"""How much was used in a window: always the absolute amount, from all events that are stored by now."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from usage import meters
from usage.models import Meter, UpdateBehavior, UsageEvent
from usage.windows import Window

ZERO = Decimal(0)
_CHUNK = 5000
_IN_ORDER = ("-occurred_at", "-pk")  # of two events of the same instant the one stored later counts


@dataclass(frozen=True, slots=True)
class Source:
    """What usage is counted by: a customer's feature, in one resource. `meter` counts raw events where there is one."""

    customer_id: int
    feature_id: int
    resource_id: str
    meter: Meter | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """`change` is negative where a SET took back more than was added; `has_set` tells that there was a SET."""

    change: Decimal = ZERO
    events: int = 0
    has_set: bool = False


def used(source: Source, window: Window) -> Used:
    """Return what the window's events changed.

    A DELTA adds. A SET says what is in use from then on, so it adds its difference to what was in use before it.
    """
    reported = _reported(source).filter(occurred_at__gte=window.start, occurred_at__lt=window.end)
    sums = reported.order_by().aggregate(
        change=Sum("value"), events=Count("pk"), sets=Count("pk", filter=Q(update_behavior=UpdateBehavior.SET))
    )
    change = sums["change"] or ZERO
    if sums["sets"]:
        change = in_use(source, before=window.end) - in_use(source, before=window.start)
    metered = _metered(source, source.meter, window) if source.meter is not None else Used()
    return Used(change + metered.change, sums["events"] + metered.events, bool(sums["sets"]))


def next_set(source: Source, *, after: datetime, before: datetime | None) -> datetime | None:
    """Return when the next SET in that time was: its difference rests on everything that came before it."""
    sets = _reported(source).filter(update_behavior=UpdateBehavior.SET, occurred_at__gte=after)
    if before is not None:
        sets = sets.filter(occurred_at__lt=before)
    return sets.order_by("occurred_at").values_list("occurred_at", flat=True).first()


def in_use(source: Source, *, before: datetime) -> Decimal:
    """Return what was in use just before a moment: the last SET, and what was added since."""
    events = _reported(source).filter(occurred_at__lt=before)
    last = events.filter(update_behavior=UpdateBehavior.SET).order_by(*_IN_ORDER).first()
    if last is None:
        return _sum(events)
    later = Q(occurred_at__gt=last.occurred_at) | Q(occurred_at=last.occurred_at, pk__gt=last.pk)
    return (last.value or ZERO) + _sum(events.filter(later, occurred_at__gte=last.occurred_at))


def _sum(events: QuerySet[UsageEvent]) -> Decimal:
    total: Decimal | None = events.order_by().aggregate(total=Sum("value"))["total"]
    return total or ZERO


def _reported(source: Source) -> QuerySet[UsageEvent]:
    return UsageEvent.objects.filter(
        customer_id=source.customer_id, feature_id=source.feature_id, resource_id=source.resource_id
    )


def _metered(source: Source, meter: Meter, window: Window) -> Used:
    raw = UsageEvent.objects.filter(
        customer_id=source.customer_id,
        feature=None,
        resource_id=source.resource_id,
        occurred_at__gte=window.start,
        occurred_at__lt=window.end,
    )
    tally = meters.Tally(aggregation=meter.aggregation, field=meter.field)
    events = 0
    for event in raw.order_by().iterator(chunk_size=_CHUNK):
        if meters.counts(filters=meter.filters, event=event):
            tally.add(event)
            events += 1
    return Used(tally.value, events)
