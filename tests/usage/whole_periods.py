"""Counts hours as one would who remembers nothing: where a meter does not add up, each time the whole billing period.

Nothing of `usage.runs` and `usage.remembering` is used: what they make is compared with it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import accumulate, zip_longest

from django.db.models import Q

from usage import meters
from usage.counting import Source, Used, next_sets, used_in
from usage.cutting import Cut, Part, cut_hour
from usage.hours import Counted
from usage.models import Slice, UsageEvent
from usage.selling import Sold
from usage.windows import HOUR, Run, Window, period_of

ZERO = Decimal(0)
EDGES = (timedelta(0), HOUR - timedelta(microseconds=1))


def count_hours(hours: Mapping[Source, Sequence[datetime]], *, sold: Sold, zone: tzinfo) -> Counted:
    """Do what `usage.hours.count_hours` does."""
    cuts = list(_cut(hours, sold=sold, zone=zone))
    counted = used_in(span for cut in cuts for span in cut.spans)
    runs: dict[tuple[Source, Run], list[Window]] = defaultdict(list)
    for source, window in counted:
        if source.meter is not None and window.run is not None:
            runs[source, window.run].append(window)
    sliced = {(cut.source, part.window) for cut in cuts for part in cut.parts if part.stored is not None}
    for (source, run), windows in runs.items():
        # Told without anything that counts: there will be no slice.
        kept = {one for one in windows if (source, one) in sliced or counted[source, one].events}
        for window, metered in _metered(source, run.since, sorted(windows, key=lambda one: one.start), kept):
            reported = counted[source, window]
            counted[source, window] = Used(reported.change + metered.change, reported.events + metered.events)
    return Counted(cuts, counted)


def _cut(hours: Mapping[Source, Sequence[datetime]], *, sold: Sold, zone: tzinfo) -> Iterator[Cut]:
    gaps = [
        (source, hour + HOUR, following)
        for source, some in hours.items()
        for hour, following in zip_longest(some, some[1:])
    ]
    wanted = {source: dict.fromkeys(some, True) for source, some in hours.items()}
    for (source, _), moment in next_sets(gaps).items():
        wanted[source].setdefault(_hour_of(moment), False)
    told = {source: list(some) for source, some in wanted.items()}
    for source, own_hours in told.items():
        if source.meter is not None and not source.meter.adds_up:
            wanted[source] |= dict.fromkeys(_hours_of_runs(source, own_hours, sold) - set(own_hours), False)
    for source, some in wanted.items():
        held = {one.subscription.pk for one in sold.tenures.get((source.customer_id, source.resource_id), ())}
        for hour, is_told in some.items():
            own = list(
                Slice.objects.filter(
                    subscription__in=held,
                    price__feature=source.feature_id,
                    starts_at__gte=hour,
                    starts_at__lt=hour + HOUR,
                )
                .select_related("price")
                .order_by("starts_at", "pk")
            )
            if is_told or own:
                cut = cut_hour(source, hour, sold=sold, stored=own, zone=zone)
                # Of an hour in which a period begins or ends, only the part that lies in a period of those told.
                parts = tuple(part for part in cut.parts if is_told or _is_within(part, told[source]))
                yield replace(cut, parts=parts)


def _is_within(part: Part, hours: Iterable[datetime]) -> bool:
    one, at = part.subscription, part.window.start
    return any(period_of(one, hour + edge) == period_of(one, at) for hour in hours for edge in EDGES)


def _hours_of_runs(source: Source, hours: Iterable[datetime], sold: Sold) -> set[datetime]:
    """Return the hours that have slices in the billing periods of these hours."""
    periods = Q()
    for one in {held.subscription for held in sold.tenures.get((source.customer_id, source.resource_id), ())}:
        for period in {period_of(one, hour + edge) for hour in hours for edge in EDGES}:
            periods |= Q(subscription=one, starts_at__gte=period.start, starts_at__lt=period.end)
    counted = Slice.objects.filter(periods, price__feature=source.feature_id) if periods else Slice.objects.none()
    return {_hour_of(at) for at in counted.order_by().values_list("starts_at", flat=True)}


def _metered(
    source: Source, since: datetime, windows: Sequence[Window], kept: Collection[Window]
) -> Iterator[tuple[Window, Used]]:
    """Yield what raw events add to windows that follow each other, by what they have come to since a moment."""
    meter = source.meter
    assert meter is not None
    reached, events = [ZERO] * len(windows), [0] * len(windows)
    tally, place = meters.Tally(aggregation=meter.aggregation, field=meter.field), 0
    raw = UsageEvent.objects.filter(
        customer_id=source.customer_id,
        feature=None,
        resource_id=source.resource_id,
        occurred_at__gte=since,
        occurred_at__lt=windows[-1].end,
    )
    for event in raw.order_by("occurred_at"):
        while event.occurred_at >= windows[place].end:
            reached[place] = tally.value
            place += 1
        if meters.counts(filters=meter.filters, event=event):
            tally.add(event)
            events[place] += windows[place].start <= event.occurred_at
    reached[place:] = [tally.value] * (len(windows) - place)
    those = [place for place, window in enumerate(windows) if events[place] or window in kept]
    lasting = list(accumulate(reversed([reached[place] for place in those]), min))[::-1]
    for place, before, after in zip(those, [ZERO, *lasting], lasting, strict=False):
        window, count = windows[place], events[place]
        yield window, Used(after - before, count)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
