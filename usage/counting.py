"""How much was used in a window: always the absolute amount, from all events that are stored by now.

Many windows are counted by as few statements as one, each by the index, however many events there ever were.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate

from django.db import connection

from usage import meters
from usage.models import Meter, UsageEvent
from usage.spans import SOURCE, WINDOW, exact, moment_of, read, rows_of
from usage.windows import Run, Window

ZERO = Decimal(0)
_CHUNK = 5000
_NEVER = datetime.max.replace(tzinfo=UTC)
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """What usage is counted by: a customer's feature, in one resource. `meter` counts raw events where there is one."""

    customer_id: int
    feature_id: int
    resource_id: str
    meter: Meter | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """`change` is negative where a SET took back more than was added."""

    change: Decimal = ZERO
    events: int = 0


Span = tuple[Source, Window]


def used(source: Source, window: Window) -> Used:
    """Return what the window's events changed.

    A DELTA adds. A SET says what is in use from then on, so it adds its difference to what was in use before it.
    """
    return used_in([(source, window)])[source, window]


def used_in(spans: Iterable[Span]) -> dict[Span, Used]:
    """Return the same of many windows; two statements, and one more for each window, or run, of a meter.

    What does not add up is counted over the run that windows lie in: each gets by how much it has grown at its end. All
    windows of a run that have events are to be given, or what is missing goes to those that follow.
    """
    given = list(dict.fromkeys(spans))
    found = dict.fromkeys(given, Used())
    with_set = []
    for n, change, events, has_set in _sums(given):
        found[given[n - 1]] = Used(exact(change), events)
        if has_set:
            with_set.append(given[n - 1])
    edges = [(source, edge) for source, window in with_set for edge in (window.start, window.end)]
    held = in_use_at(edges)
    for source, window in with_set:
        change = held[source, window.end] - held[source, window.start]
        found[source, window] = Used(change, found[source, window].events)
    runs: dict[tuple[Source, Meter, Run | Window], list[Window]] = defaultdict(list)
    for source, window in given:
        if source.meter is not None:
            runs[source, source.meter, window.run or window].append(window)
    for (source, meter, run), windows in runs.items():
        since = run.since if isinstance(run, Run) else run.start
        for window, metered in _metered(source, meter, since, sorted(windows, key=_start)):
            reported = found[source, window]
            found[source, window] = Used(reported.change + metered.change, reported.events + metered.events)
    return found


def in_use(source: Source, *, before: datetime) -> Decimal:
    """Return what was in use just before a moment: the last SET, and what was added since."""
    return in_use_at([(source, before)])[source, before]


def in_use_at(moments: Iterable[tuple[Source, datetime]]) -> dict[tuple[Source, datetime], Decimal]:
    """Return the same of many moments; one statement."""
    given = list(dict.fromkeys(moments))
    if not given:
        return {}
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), _EVER, before) for source, before in given])
    found = read(_IN_USE.format(rows=rows), texts)
    return {given[n - 1]: exact(last) + exact(added) for n, last, added in found}


def reached(source: Source, *, since: datetime | None, before: datetime) -> Decimal | None:
    """Return how far a count had come that began at zero, or long ago; None when nothing was reported by then."""
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), since or _EVER, before)])
    [(_, last, added)] = read(_IN_USE.format(rows=rows), texts)
    return None if last is None and added is None else exact(last) + exact(added)


def next_sets(gaps: Iterable[tuple[Source, datetime, datetime | None]]) -> dict[tuple[Source, datetime], datetime]:
    """Return when the first SET from a moment on was, before another: its difference rests on all that came before it.

    Those without one are left out; one statement.
    """
    given = list(gaps)
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), low, high or _NEVER) for source, low, high in given])
    found = read(_NEXT_SET.format(rows=rows), texts)
    return {given[n - 1][:2]: moment_of(moment) for n, moment in found if moment is not None}


_MATCHING = """event.customer_id = span.customer_id AND event.feature_id = span.feature_id
  AND event.resource_id = span.resource_id"""
_COUNTED = "sum(event.value), count(*), max(CASE WHEN event.update_behavior = 'SET' THEN 1 ELSE 0 END)"
_WITHIN = f"{_MATCHING} AND event.occurred_at >= span.low AND event.occurred_at < span.high"
#: LATERAL, because a join that is grouped may as well read the whole table; SQLite has no LATERAL, and joins in order.
_SUMS = {
    "postgresql": f"""
SELECT span.n, counted.* FROM {{rows}}
CROSS JOIN LATERAL (SELECT {_COUNTED} FROM usage_usageevent event WHERE {_WITHIN}) counted""",  # noqa: S608 - our own words
    "sqlite": f"""
SELECT span.n, {_COUNTED} FROM {{rows}} CROSS JOIN usage_usageevent event WHERE {_WITHIN} GROUP BY span.n""",  # noqa: S608 - our own words
}
#: Of two events of the same instant the one stored later counts.
_IN_USE = f"""
SELECT span.n, set_.value, (
  SELECT sum(event.value) FROM usage_usageevent event
  WHERE {_MATCHING} AND event.occurred_at < span.high AND event.occurred_at >= coalesce(set_.occurred_at, span.low)
  AND (set_.id IS NULL OR event.occurred_at > set_.occurred_at OR event.id > set_.id)
)
FROM {{rows}} LEFT JOIN usage_usageevent set_ ON set_.id = (
  SELECT event.id FROM usage_usageevent event
  WHERE {_WITHIN} AND event.update_behavior = 'SET'
  ORDER BY event.occurred_at DESC, event.id DESC LIMIT 1
)"""  # noqa: S608 - our own words
_NEXT_SET = f"""
SELECT span.n, (
  SELECT event.occurred_at FROM usage_usageevent event
  WHERE {_WITHIN} AND event.update_behavior = 'SET'
  ORDER BY event.occurred_at LIMIT 1
) FROM {{rows}}"""  # noqa: S608 - our own words


def _sums(given: list[Span]) -> list[tuple[int, Decimal | float | None, int, int | None]]:
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), window.start, window.end) for source, window in given])
    found: list[tuple[int, Decimal | float | None, int, int | None]] = read(
        _SUMS[connection.vendor].format(rows=rows), texts
    )
    return found


def _whose(source: Source) -> tuple[int, int, str]:
    return source.customer_id, source.feature_id, source.resource_id


def _start(window: Window) -> datetime:
    return window.start


def _metered(source: Source, meter: Meter, since: datetime, windows: Sequence[Window]) -> Iterator[tuple[Window, Used]]:
    """Yield what raw events add to windows that follow each other, by what they have come to since a moment.

    An average falls, and a minimum: what later events take back is left out of the earlier windows, so that all of them
    together are what it is at the end.
    """
    reached, events = [ZERO] * len(windows), [0] * len(windows)
    tally, place = meters.Tally(aggregation=meter.aggregation, field=meter.field), 0
    raw = UsageEvent.objects.filter(
        customer_id=source.customer_id,
        feature=None,
        resource_id=source.resource_id,
        occurred_at__gte=since,
        occurred_at__lt=windows[-1].end,
    )
    for event in raw.order_by("occurred_at").iterator(chunk_size=_CHUNK):
        while event.occurred_at >= windows[place].end:
            reached[place] = tally.value
            place += 1
        if meters.counts(filters=meter.filters, event=event):
            tally.add(event)
            events[place] += windows[place].start <= event.occurred_at
    reached[place:] = [tally.value] * (len(windows) - place)
    lasting = list(accumulate(reversed(reached), min))[::-1]
    for window, before, after, count in zip(windows, [ZERO, *lasting], lasting, events, strict=False):
        yield window, Used(after - before, count)
