"""How much was used in a window: always the absolute amount, from all events that are stored by now.

Many windows are counted by as few statements as one, each by the index, however many events there ever were.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import connection

from subscriptions.models import Subscription
from usage import meters
from usage.adding import SUM
from usage.metering import EVER, NEVER
from usage.models import Counting
from usage.raw import read_raw
from usage.spans import SOURCE, WINDOW, exact, moment_of, read, rows_of
from usage.windows import Window, counted_until

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Source:
    """What usage is counted by: a customer's feature, in one resource. `meter` counts raw events where there is one.

    It counts the billing periods that end after `since`, up to `until`: where the feature had another meter before,
    that is another source.
    """

    customer_id: int
    feature_id: int
    resource_id: str
    meter: Counting | None = None
    since: datetime = field(default=EVER, compare=False)
    until: datetime = NEVER

    def counts(self, subscription: Subscription, moment: datetime) -> bool:
        """Whether the meter counts the billing period of the subscription in which a moment lies."""
        if self.since == EVER and self.until == NEVER:
            return True
        return self.since < counted_until(subscription, moment) <= self.until


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
    """Return the same of many windows; three statements, one of them for what meters count.

    What a meter counts over a run is not in it: `runs` tells what it adds to a window.
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
    alone = [(source, window) for source, window in given if source.meter is not None and window.run is None]
    for one, metered in _metered(alone):
        found[one] = Used(found[one].change + metered.change, found[one].events + metered.events)
    return found


def in_use(source: Source, *, before: datetime) -> Decimal:
    """Return what was in use just before a moment: the last SET, and what was added since."""
    return in_use_at([(source, before)])[source, before]


def in_use_at(moments: Iterable[tuple[Source, datetime]]) -> dict[tuple[Source, datetime], Decimal]:
    """Return the same of many moments; one statement."""
    given = list(dict.fromkeys(moments))
    if not given:
        return {}
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), EVER, before) for source, before in given])
    found = read(_IN_USE[connection.vendor].format(rows=rows, sum=SUM[connection.vendor]), texts)
    return {given[n - 1]: exact(last) + exact(added) for n, last, added in found}


def reached(source: Source, *, since: datetime | None, before: datetime) -> Decimal | None:
    """Return how far a count had come that began at zero, or long ago; None when nothing was reported by then."""
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), since or EVER, before)])
    [(_, last, added)] = read(_IN_USE[connection.vendor].format(rows=rows, sum=SUM[connection.vendor]), texts)
    return None if last is None and added is None else exact(last) + exact(added)


def next_sets(gaps: Iterable[tuple[Source, datetime, datetime | None]]) -> dict[tuple[Source, datetime], datetime]:
    """Return when the first SET from a moment on was, before another: its difference rests on all that came before it.

    Those without one are left out; one statement.
    """
    given = list(gaps)
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), low, high or NEVER) for source, low, high in given])
    found = read(_NEXT_SET.format(rows=rows), texts)
    return {given[n - 1][:2]: moment_of(moment) for n, moment in found if moment is not None}


_MATCHING = """event.customer_id = span.customer_id AND event.feature_id = span.feature_id
  AND event.resource_id = span.resource_id"""
_COUNTED = "{sum}(event.value), count(*), max(CASE WHEN event.update_behavior = 'SET' THEN 1 ELSE 0 END)"
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
_LAST_SET = f"""FROM usage_usageevent event WHERE {_WITHIN} AND event.update_behavior = 'SET'
  ORDER BY event.occurred_at DESC, event.id DESC LIMIT 1"""
#: Apart where there was none: so much may lie before that only the index is to be read, which knows no ids.
_USED_SINCE = f"""
SELECT span.n, set_.value, CASE WHEN set_.id IS NULL THEN (
  SELECT {{sum}}(event.value) FROM usage_usageevent event WHERE {_WITHIN}
) ELSE (
  SELECT {{sum}}(event.value) FROM usage_usageevent event
  WHERE {_MATCHING} AND event.occurred_at < span.high AND event.occurred_at >= set_.occurred_at
  AND (event.occurred_at > set_.occurred_at OR event.id > set_.id)
) END
FROM {{rows}}"""  # noqa: S608 - our own words
_IN_USE = {
    "postgresql": f"{_USED_SINCE} LEFT JOIN LATERAL (SELECT event.* {_LAST_SET}) set_ ON true",
    "sqlite": f"{_USED_SINCE} LEFT JOIN usage_usageevent set_ ON set_.id = (SELECT event.id {_LAST_SET})",
}
_NEXT_SET = f"""
SELECT span.n, (
  SELECT event.occurred_at FROM usage_usageevent event
  WHERE {_WITHIN} AND event.update_behavior = 'SET'
  ORDER BY event.occurred_at LIMIT 1
) FROM {{rows}}"""  # noqa: S608 - our own words


def _sums(given: list[Span]) -> list[tuple[int, Decimal | str | None, int, int | None]]:
    rows, texts = rows_of(SOURCE | WINDOW, [(*_whose(source), window.start, window.end) for source, window in given])
    found: list[tuple[int, Decimal | str | None, int, int | None]] = read(
        _SUMS[connection.vendor].format(rows=rows, sum=SUM[connection.vendor]), texts
    )
    return found


def _whose(source: Source) -> tuple[int, int, str]:
    return source.customer_id, source.feature_id, source.resource_id


def _metered(given: Iterable[Span]) -> Iterator[tuple[Span, Used]]:
    """Yield what raw events come to in windows, each counted by itself."""
    counted: dict[tuple[int, str, datetime, datetime], list[Span]] = defaultdict(list)
    for source, window in given:
        counted[source.customer_id, source.resource_id, window.start, window.end].append((source, window))
    places = list(counted.values())
    tallies: dict[Span, meters.Tally] = {}
    events: dict[Span, int] = defaultdict(int)
    for place, event in read_raw(list(counted)):
        for span in places[place]:
            meter = span[0].meter
            if meter is not None and meters.counts(filters=meter.filters, event=event):
                if span not in tallies:
                    tallies[span] = meters.Tally(aggregation=meter.aggregation, field=meter.field)
                tallies[span].add(event)
                events[span] += 1
    for span, tally in tallies.items():
        yield span, Used(tally.value, events[span])
