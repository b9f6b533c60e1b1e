"""Closes hours: turns the events of an hour into slices, by counting them all again each time.

Nothing is added up from run to run, so closing twice, in two workers at once, or after a week off ends in the same
slices. What is to be closed stands in DirtyHour, written with the events; a row goes when its hour is counted.
Hours are closed by the hundred: as many statements as for one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import Max, QuerySet

from customers.models import Customer
from subscriptions.models import Subscription
from usage.carrying import Charge, Draft, carried_before, carry_through
from usage.counting import Source, Span, Used
from usage.cutting import Cut, drafts_of
from usage.hours import TooMuch, count_hours
from usage.inserting import insert
from usage.metering import NEVER, in_force
from usage.models import DirtyHour, Slice, UnattributedUsage
from usage.reopening import had, reopen
from usage.selling import Sold, sold_to
from usage.spans import SOURCE, WINDOW, among, of_each, read, rows_of
from usage.windows import HOUR

log = structlog.get_logger(__name__)
_CHUNK = 500
#: The first are few, and then as many as there were before, so that what is done with closed hours begins soon.
_FIRST_CHUNK = 100
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


def close(
    *,
    upto: datetime,
    now: datetime,
    zone: tzinfo = UTC,
    subscription: Subscription | None = None,
    on_closed: Callable[[set[int]], None] = lambda _: None,
) -> Closed:
    """Count every hour with new events that began before `upto`, everybody's or one subscription's.

    For whole hours give the last full hour; `now` closes the running one as far as it has come, and what comes later
    is counted when it is closed again. `zone` is that of the bills. Usage at a time without a subscription is kept as
    UnattributedUsage, and so is that of one that does not sell the feature and is not free. What cannot be counted
    stays dirty, and the log says why; the rest goes on. `on_closed` is told each time that some hundred hours are
    closed for good: the ids of the subscriptions with slices whose quantity is new or another.
    """
    reopen(now=now, subscription=subscription)
    dirty = DirtyHour.objects.filter(hour__lt=upto)
    if subscription is not None:
        dirty = dirty.filter(had(subscription))
    done, closed = 0, Closed()
    most = dirty.aggregate(most=Max("pk"))["most"] or 0
    while done < most:
        size = min(max(_FIRST_CHUNK, closed.hours), _CHUNK)
        some = _close_some(dirty.filter(pk__gt=done, pk__lte=most), size, now=now, zone=zone)
        done = some.last or most
        if some.stuck and some.hours + len(some.stuck) > 1:
            # What cannot be counted holds up the other hours of its source no longer than until here.
            alone, some.stuck = some.stuck, []
            for pk in alone:
                some.add(_close_some(dirty.filter(pk=pk), 1, now=now, zone=zone))
        closed += Closed(hours=some.hours, slices=some.slices, stuck=len(some.stuck))
        on_closed(some.subscriptions)
    return closed


class _Row(NamedTuple):
    """What is told of a dirty hour: a model's object costs more than the rest of its reading."""

    pk: int
    customer_id: int
    feature_id: int
    resource_id: str
    hour: datetime


@dataclass
class _Some:
    """What became of some hours: `last` is the last row, `stuck` are those that could not be counted.

    `subscriptions` are the ids of those with slices whose quantity is new or another.
    """

    last: int = 0
    hours: int = 0
    slices: int = 0
    stuck: list[int] = field(default_factory=list)
    subscriptions: set[int] = field(default_factory=set)

    def add(self, other: "_Some") -> None:
        """Let it be what became of both; `last` stays."""
        self.hours, self.slices = self.hours + other.hours, self.slices + other.slices
        self.stuck += other.stuck
        self.subscriptions |= other.subscriptions


def _close_some(dirty: QuerySet[DirtyHour], size: int, *, now: datetime, zone: tzinfo) -> _Some:
    """Close so many of these hours: by one transaction, or by several where they rest on very many others."""
    chunk: list[_Row] = []
    try:
        with transaction.atomic():
            # A row that somebody is writing events to, or is closing, is left to them.
            rows = dirty.select_for_update(skip_locked=True, of=("self",)).order_by("pk")
            chunk = [_Row(*row) for row in rows.values_list(*_Row._fields)[:size]]
            return _close_chunk(chunk, now=now, zone=zone)
    except TooMuch:
        # By halves, until it is little, or one source's: so it needs little memory, and who tells of usage waits less.
        some = _Some(last=chunk[-1].pk)
        for half in _halves(chunk):
            some.add(_close_some(dirty.filter(pk__in=among(half)), len(half), now=now, zone=zone))
        return some


def _halves(chunk: Iterable[_Row]) -> Iterator[list[int]]:
    """Yield the rows of the first half of the sources, and those of the others."""
    by_source: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for row in chunk:
        by_source[row.customer_id, row.feature_id, row.resource_id].append(row.pk)
    sources = list(by_source.values())
    for some in (sources[: len(sources) // 2], sources[len(sources) // 2 :]):
        yield sorted(pk for rows in some for pk in rows)


def _close_chunk(chunk: Sequence[_Row], *, now: datetime, zone: tzinfo) -> _Some:
    """Close these hours.

    Raises:
        TooMuch: those of several sources rest on very many others; nothing is stored.
    """
    customers = {row.customer_id for row in chunk}
    # One closes a customer's hours at a time: the slices of a charge build on each other. Events are stored meanwhile.
    list(
        Customer.objects.select_for_update(no_key=True).filter(pk__in=among(customers)).order_by("pk").values_list("pk")
    )
    features = {row.feature_id for row in chunk}
    sold = sold_to(customers=customers, features=features)
    metered = in_force(features, now=now)
    by_source: dict[Source, list[_Row]] = defaultdict(list)
    for row in chunk:
        for one in metered[row.feature_id]:
            if row.hour < one.until:
                source = Source(row.customer_id, row.feature_id, row.resource_id, one.meter, one.since, one.until)
                by_source[source].append(row)
    by_usage = sold.by_usage()
    hours = {
        source: sorted(row.hour for row in rows) for source, rows in by_source.items() if source.feature_id in by_usage
    }
    counted = count_hours(hours, sold=sold, zone=zone)
    stuck = {source for (source, _), found in counted.used.items() if abs(found.change) >= _LARGEST}
    drafts = [(charge, cut.source, draft) for cut in counted.cuts for charge, draft in drafts_of(cut, counted.used)]
    changed = _carry(drafts, stuck, sold=sold)
    _store(changed, now=now)
    counted.remember(but=stuck)
    _note_unattributed([cut for cut in counted.cuts if cut.source not in stuck], counted.used, now=now)
    for source in stuck:
        log.warning("usage is too much to be closed", customer=source.customer_id, feature=source.feature_id)
    # The rows are locked since they were read, so no event has come to them meanwhile.
    left = {row.pk for source in stuck for row in by_source[source]}
    closed = [row.pk for row in chunk if row.pk not in left]
    DirtyHour.objects.filter(pk__in=among(closed)).delete()
    new = [one.slice for one in changed if one.quantity_has_changed]
    return _Some(
        last=chunk[-1].pk if chunk else 0,
        hours=len(closed),
        slices=len(new),
        stuck=sorted(left),
        subscriptions={one.subscription_id for one in new},
    )


_UNATTRIBUTED = """noted.customer_id = span.customer_id AND noted.feature_id = span.feature_id
  AND noted.resource_id = span.resource_id AND noted.starts_at >= span.low AND noted.starts_at < span.high"""


def _carry(drafts: Collection[tuple[Charge, Source, Draft]], stuck: set[Source], *, sold: Sold) -> list[Draft]:
    """Let the slices of each charge carry what they cannot give; return those to store.

    What would carry more than a slice can hold adds its sources to the stuck ones.
    """
    by_charge: dict[Charge, list[Draft]] = defaultdict(list)
    sources: dict[Charge, set[Source]] = defaultdict(set)
    for charge, source, draft in drafts:
        if source not in stuck:
            by_charge[charge].append(draft)
            sources[charge].add(source)
    moments = [(charge, one.slice.starts_at) for charge, some in by_charge.items() for one in some]
    carried = carried_before(moments, sold=sold)
    changed, too_much = list[Draft](), set[Source]()
    for charge, some in by_charge.items():
        reached = carry_through(charge, some, carried=carried)
        changed += reached
        if any(-one.slice.carry >= _LARGEST for one in reached):
            too_much |= sources[charge]
    if too_much:
        stuck |= too_much
        return _carry(drafts, stuck, sold=sold)
    return changed


def _store(drafts: Iterable[Draft], *, now: datetime) -> None:
    fresh, known = [], []
    for draft in drafts:
        one = draft.slice
        one.closed_at = now
        if one._state.adding:  # noqa: SLF001 - Django's public name for it
            fresh.append(one)
        else:
            one.revision += draft.quantity_has_changed
            known.append(one)
    insert(fresh, into=Slice.objects)
    # They are there: this is an UPDATE at a tenth of the cost of `bulk_update`.
    Slice.objects.bulk_create(known, update_conflicts=True, unique_fields=["pk"], update_fields=_STORED)


def _note_unattributed(cuts: Sequence[Cut], counted: Mapping[Span, Used], *, now: datetime) -> None:
    spans = [
        (cut.source.customer_id, cut.source.feature_id, cut.source.resource_id, cut.hour, cut.hour + HOUR)
        for cut in cuts
        if cut.source.until == NEVER  # else a former meter's, which counts nothing that is nobody's
    ]
    rows, texts = rows_of(SOURCE | WINDOW, spans)
    noted = of_each("noted.id", of="usage_unattributedusage noted", where=_UNATTRIBUTED)
    if before := read(noted.format(rows=rows), texts):
        UnattributedUsage.objects.filter(pk__in=[pk for _, pk in before]).delete()
    UnattributedUsage.objects.bulk_create(
        UnattributedUsage(
            customer_id=cut.source.customer_id,
            feature_id=cut.source.feature_id,
            resource_id=cut.source.resource_id,
            starts_at=window.start,
            ends_at=window.end,
            unsold_by=subscription,
            change=found.change,
            event_count=found.events,
            noted_at=now,
        )
        for cut in cuts
        for window, subscription in cut.nobodys
        if (found := counted[cut.source, window]).events
    )
