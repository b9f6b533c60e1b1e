"""What meters that do not add up have come to, hour by hour of a billing period.

An hour is charged by how much the result of the period has grown at its end. An average falls, and a minimum: what
later hours take back is left out of the earlier ones, so that all of them together are what it is at the end. So an
hour adds the least that the result is from its end on, less the same of the hour before.

Of a run that was counted before, only those windows are read again that have new events, and what follows from them:
how far the period had come before is remembered. Each window is counted from all its events, so that nothing is counted
twice or lost, however often it is done.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import pairwise
from operator import attrgetter
from uuid import UUID

from usage import meters, remembering
from usage.counting import Used
from usage.meters import Part
from usage.models import Aggregation, Counting
from usage.raw import read_raw
from usage.remembering import Key, Row
from usage.windows import Window

ZERO = Decimal(0)
#: So many values are held in memory before they are stored.
_VALUES = 10_000


@dataclass
class Standing:
    """A run as far as it is read: `rows` from the first window on that is counted again, `before` the one before it.

    `earlier` are windows before those from which they take something, or give it back.
    """

    key: Key
    meter: Counting
    run_id: int | None
    is_known: bool
    rows: list[Row]
    before: Row | None = None
    earlier: list[Row] = field(default_factory=list)

    @property
    def touched(self) -> Iterator[tuple[datetime, Used]]:
        """What windows add, by their beginning: those that were counted again, and those that this has changed."""
        for row in [*self.earlier, *self.rows]:
            if row.is_unread or row.was != row.state:
                yield row.start, Used(row.change, row.events)

    def value(self, row: Row) -> Decimal:
        """What the period has come to at the end of the window."""
        return meters.result(row.total, self.meter.aggregation)


def count_runs(
    told: Mapping[Key, Mapping[Window, bool]], *, known: Mapping[Key, int], begun: Mapping[Key, int]
) -> list[Standing]:
    """Count these windows of runs again; six statements at the most, and more for many values of UNIQUE.

    All windows that have something are told of runs that are not known. A window is left out that has no events, unless
    it is told to be kept.
    """
    stored = remembering.rows_since({pk: min(map(_start, told[key])) for key, pk in known.items() if key in told})
    standings = []
    for key, windows in told.items():
        source, _ = key
        run_id, first = known.get(key, begun.get(key)), min(map(_start, windows))
        rows = stored.get(known.get(key, 0), [])
        before = rows.pop(0) if rows and rows[0].start < first else None
        if source.meter is not None:
            standings.append(Standing(key, source.meter, run_id, key in known, rows, before))
    least = {one.key: min(map(one.value, one.rows), default=None) for one in standings}
    for one in standings:
        _place(one, told[one.key])
    _read(standings)
    for one in standings:
        kept = told[one.key]
        one.rows = [
            row
            for row in one.rows
            if row.was or row.events or row.own.count or kept[Window(row.start, row.end, one.key[1])]
        ]
        _add_up(one)
    _take_back([one for one in standings if one.rows], least)
    return standings


def _place(one: Standing, told: Iterable[Window]) -> None:
    """Put windows among those that are stored; what follows a new one is read again, too: it held what came between."""
    rows = {row.start: row for row in one.rows}
    new = {window.start for window in told} - set(rows)
    for window in told:
        row = rows.setdefault(window.start, Row(window.start, window.end, 0, Part(), Part(), ZERO, None))
        row.end, row.is_unread = window.end, True
    one.rows = sorted(rows.values(), key=attrgetter("start"))
    for row, after in pairwise(one.rows):
        after.is_unread |= row.start in new


def _spans(one: Standing) -> Iterator[tuple[Row, datetime]]:
    """Yield each window with the moment from which on events are counted to it."""
    low = one.before.end if one.before else one.key[1].since
    for row in one.rows:
        yield row, low
        low = row.end


def _read(standings: Sequence[Standing]) -> None:
    """Count the events of what is unread, each of them read once."""
    counted: dict[tuple[int, str, datetime, datetime], list[tuple[Standing, Row]]] = defaultdict(list)
    for one in standings:
        source, _ = one.key
        for row, low in _spans(one):
            if row.is_unread:
                row.events, row.own = 0, Part()
                counted[source.customer_id, source.resource_id, low, row.end].append((one, row))
    values = _Values(standings)
    places = list(counted.values())
    for place, event in read_raw(list(counted)):
        # The same events may be counted by several meters, and for several charges.
        for one, row in places[place]:
            if meters.counts(filters=one.meter.filters, event=event):
                row.events += row.start <= event.occurred_at
                found = meters.said(event, aggregation=one.meter.aggregation, field=one.meter.field)
                if isinstance(found, str):
                    values.add(one, found, event.occurred_at)
                elif found is not None:
                    row.own.take(found, one.meter.aggregation)
    values.count()


class _Values:
    """The values that UNIQUE counts, each where it came first: in the database, or else in memory."""

    def __init__(self, standings: Sequence[Standing]) -> None:
        self._all = {place: one for place, one in enumerate(standings) if one.meter.aggregation == Aggregation.UNIQUE}
        self._ids = {id(one): one.run_id or -place - 1 for place, one in self._all.items()}
        self._known = {one.run_id for one in self._all.values() if one.run_id and one.is_known}
        self._first: dict[tuple[int, UUID], datetime] = {}
        self._moved: list[tuple[int, datetime]] = []

    def add(self, one: Standing, text: str, at: datetime) -> None:
        """Note that a value came in a run."""
        key = self._ids[id(one)], UUID(bytes=blake2b(text.encode(), digest_size=16).digest())
        first = self._first.get(key)
        if first is None or at < first:
            self._first[key] = at
        if len(self._first) >= _VALUES and remembering.is_kept():
            self._store()

    def _store(self) -> None:
        self._moved += remembering.add_values(self._first, known=self._known)
        self._first.clear()

    def count(self) -> None:
        """Tell the windows that were read how many values came first in them, and those where they do no longer."""
        if not self._all:
            return
        if remembering.is_kept() and self._first:
            self._store()
        moved: dict[int, list[datetime]] = defaultdict(list)
        for run_id, at in self._moved:
            moved[run_id].append(at)
        wanted = [
            (self._ids[id(one)], low, row)
            for one in self._all.values()
            for row, low in _spans(one)
            if row.is_unread or any(low <= at < row.end for at in moved[self._ids[id(one)]])
        ]
        spans = [(run_id, low, row.end) for run_id, low, row in wanted]
        for (_, _, row), count in zip(wanted, self._counts(spans), strict=True):
            row.own = Part(count)

    def _counts(self, spans: Sequence[tuple[int, datetime, datetime]]) -> list[int]:
        if remembering.is_kept():
            return remembering.count_values(spans)
        firsts: dict[int, list[datetime]] = defaultdict(list)
        for (run_id, _), at in self._first.items():
            firsts[run_id].append(at)
        for some in firsts.values():
            some.sort()
        return [bisect_left(firsts[run_id], high) - bisect_left(firsts[run_id], low) for run_id, low, high in spans]


def _add_up(one: Standing) -> None:
    total = one.before.total if one.before else Part()
    for row in one.rows:
        total = meters.put_together(total, row.own, one.meter.aggregation)
        row.total = total


def _take_back(standings: Collection[Standing], least_before: Mapping[Key, Decimal | None]) -> None:
    """Let each window add what lasts of it; `least_before` is the least that the rows had come to."""
    least = {one.key: min(map(one.value, one.rows)) for one in standings}
    wanted = [
        (one.run_id, one.rows[0].start, most)
        for one in standings
        if one.before is not None and one.run_id is not None
        for most in _changed(one.value(one.before), least_before[one.key], least[one.key])
    ]
    found = remembering.rows_before(wanted)
    lasting = {run_id for run_id, _, most in wanted if most is not None}
    for one in standings:
        one.earlier = found.get(one.run_id or 0, [])
        low = least[one.key]
        if one.earlier:
            # Windows without a change stay so when less lasts; else all are there, with what they had come to.
            is_less = one.run_id in lasting
            values = [(row.lasting or ZERO) if is_less else one.value(row) for row in one.earlier]
            first = one.earlier[0]
            _spread(one.earlier, [*values, low], after=(first.lasting or ZERO) - first.change, is_first=True)
        after = ZERO if one.before is None else min(one.value(one.before), low)
        _spread(one.rows, [one.value(row) for row in one.rows], after=after, is_first=one.before is None)


def _changed(before: Decimal, was: Decimal | None, least: Decimal) -> Iterator[Decimal | None]:
    """Yield above what earlier windows no longer last; None where they may last longer: where nothing changes, nothing.

    `before` is what the window before has come to, `was` and `least` the least from there on, then and now.
    """
    if least < (before if was is None else min(before, was)):
        yield least
    elif was is not None and was < min(before, least):
        yield None


def _spread(rows: Sequence[Row], values: Sequence[Decimal], *, after: Decimal, is_first: bool) -> None:
    """Let windows that follow each other add what lasts of their values, and of what comes after them."""
    lasting = list(values)
    for place in range(len(lasting) - 2, -1, -1):
        lasting[place] = min(lasting[place], lasting[place + 1])
    for place, (row, lasts) in enumerate(zip(rows, lasting, strict=False)):
        row.change = lasts - after
        # The first one is always found, because what it takes from is nothing.
        row.lasting = lasts if row.change or (is_first and not place) else None
        after = lasts


def _start(window: Window) -> datetime:
    return window.start
