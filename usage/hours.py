"""Cuts and counts hours that are closed, and those of other hours on whose slices they tell."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from itertools import zip_longest

from usage import remembering
from usage.counting import Source, Span, Used, next_sets, used_in
from usage.cutting import Cut, basis_of, cut_hour
from usage.models import Slice
from usage.remembering import Key
from usage.runs import Standing, count_runs
from usage.selling import Sold
from usage.spans import WINDOW, moment_of, of_each, read, rows_of
from usage.windows import HOUR, Run, Window, period_of

_TICK = timedelta(microseconds=1)
#: So many slices are counted again because of others: what is in memory grows with them, and not with their events.
_MOST = 2_000
#: Hours by source; whether they are closed, or only cut because of others.
Wanted = dict[Source, dict[datetime, bool]]
#: Billing periods by source and subscription.
Periods = dict[tuple[Source, int], set[tuple[datetime, datetime]]]


class TooMuch(Exception):  # noqa: N818 - no error: it says how to go on
    """These hours of several sources rest on too many others to be counted at once."""


@dataclass
class Counted:
    """Hours that are cut, and what was used in their windows; `standings` is what of it is to be remembered."""

    cuts: list[Cut]
    used: dict[Span, Used]
    standings: list[Standing] = field(default_factory=list)
    basis: dict[Source, str] = field(default_factory=dict)

    def remember(self, *, but: Collection[Source]) -> None:
        """Store what runs have been counted to; of some sources nothing was stored: theirs are counted anew."""
        rows, basis = [], {}
        for one in self.standings:
            source, _ = one.key
            if one.run_id is not None and source not in but:
                rows += [(one.run_id, row) for row in [*one.earlier, *one.rows]]
            if one.run_id is not None and (source in but or not one.is_known):
                basis[one.run_id] = "" if source in but else self.basis[source]
        remembering.store_rows(rows, basis=basis)


def count_hours(hours: Mapping[Source, Sequence[datetime]], *, sold: Sold, zone: tzinfo) -> Counted:
    """Cut and count these hours, and those in between with a SET: what it adds rests on what was before it.

    Where a meter does not add up, also those of their billing periods whose slices are others by now.

    Raises:
        TooMuch: these would be very many, of several sources.
    """
    wanted: Wanted = {source: dict.fromkeys(some, True) for source, some in hours.items()}
    gaps = [
        (source, hour + HOUR, following)
        for source, some in hours.items()
        for hour, following in zip_longest(some, some[1:])
    ]
    for (source, _), moment in next_sets(gaps).items():
        wanted[source].setdefault(_hour_of(moment), False)
    cuts = list(_cut(wanted, sold=sold, zone=zone))
    if all(source.meter is None or source.meter.adds_up for source in hours):
        return Counted(cuts, used_in(_spans(cuts)))
    return _count_with_runs(wanted, cuts, sold=sold, zone=zone)


def _count_with_runs(wanted: Wanted, cuts: list[Cut], *, sold: Sold, zone: tzinfo) -> Counted:
    basis = {
        source: basis_of(source, sold=sold, zone=zone)
        for source in wanted
        if source.meter is not None and not source.meter.adds_up
    }
    mine = [cut for cut in cuts if cut.source in basis]

    def is_counted(source: Source, run: Run) -> bool:
        return all(source.counts(one.subscription, run.since) for one in sold.stretches[run.subscription_id][:1])

    known = remembering.known_runs({key for key, _ in _in_runs(mine)}, sources=basis, is_counted=is_counted)
    periods = _unknown_periods(mine, known, sold)
    anew = _hours_in(periods)
    cuts += _only(
        _cut(_but(anew, wanted), sold=sold, zone=zone),
        lambda source, run, at: (
            (source, run) not in known and any(low <= at < high for low, high in periods[source, run.subscription_id])
        ),
    )
    counted = Counted(cuts, used_in(_spans(cuts)), basis=basis)
    windows: dict[Key, dict[Window, bool]] = defaultdict(dict)
    for cut in cuts:
        for part in cut.parts:
            if part.window.run is not None:
                key = cut.source, part.window.run
                if key not in known or cut.hour in wanted[cut.source]:
                    has_some = part.stored is not None or counted.used[cut.source, part.window].events > 0
                    windows[key][part.window] = has_some
    begun = remembering.begin_runs([key for key in windows if key not in known])
    counted.standings = count_runs(windows, known=known, begun=begun)
    metered = {(one.key, start): used for one in counted.standings for start, used in one.touched}
    touched: dict[Source, set[datetime]] = defaultdict(set)
    for (source, _), start in metered:
        touched[source].add(_hour_of(start))
    for cut in cuts:
        touched[cut.source].discard(cut.hour)
    if any(touched.values()):
        others = _cut(_but(touched, wanted), sold=sold, zone=zone)
        more = _only(others, lambda source, run, at: ((source, run), at) in metered)
        counted.used |= used_in(_spans(more))
        counted.cuts += more
    for key, window in dict.fromkeys(_in_runs(counted.cuts)):
        found, reported = metered.get((key, window.start), Used()), counted.used[key[0], window]
        counted.used[key[0], window] = Used(reported.change + found.change, reported.events + found.events)
    return counted


def _only(cuts: Iterable[Cut], is_meant: Callable[[Source, Run, datetime], bool]) -> list[Cut]:
    """Leave out of hours that are cut because of others what is not meant: its slices stay as they are."""
    return [
        replace(
            cut,
            parts=tuple(
                part
                for part in cut.parts
                if part.window.run and is_meant(cut.source, part.window.run, part.window.start)
            ),
        )
        for cut in cuts
    ]


def _spans(cuts: Iterable[Cut]) -> Iterator[Span]:
    for cut in cuts:
        yield from cut.spans


def _in_runs(cuts: Iterable[Cut]) -> Iterator[tuple[Key, Window]]:
    for cut in cuts:
        for part in cut.parts:
            if part.window.run is not None:
                yield (cut.source, part.window.run), part.window


def _but(hours: Mapping[Source, Iterable[datetime]], wanted: Wanted) -> Wanted:
    return {source: dict.fromkeys(set(some) - set(wanted[source]), False) for source, some in hours.items()}


def _cut(wanted: Wanted, *, sold: Sold, zone: tzinfo) -> Iterator[Cut]:
    if not any(wanted.values()):
        return
    stored = _stored(wanted, sold)
    for source, some in wanted.items():
        held = {one.subscription.pk for one in sold.tenures.get((source.customer_id, source.resource_id), ())}
        for hour, is_told in some.items():
            own = [one for pk in held for one in stored.get((pk, source.feature_id, hour), ())]
            if is_told or own:  # else it was not closed yet: it will be, by itself
                yield cut_hour(source, hour, sold=sold, stored=own, zone=zone)


def _unknown_periods(cuts: Iterable[Cut], known: Collection[Key], sold: Sold) -> Periods:
    """Return the billing periods of these hours that have to be counted anew.

    One is known of which a run is: when it began to be, all of the period was counted on the same terms.
    """
    since: dict[tuple[Source, int], list[datetime]] = defaultdict(list)
    for source, run in known:
        since[source, run.subscription_id].append(run.since)
    periods: Periods = defaultdict(set)
    for cut in cuts:
        source, runs = cut.source, {key for key, _ in _in_runs([cut])}
        new = [(run.subscription_id, run.since) for _, run in runs.difference(known)]
        for one in {held.subscription for held in sold.tenures.get((source.customer_id, source.resource_id), ())}:
            if one.billing_period:
                for edge in (timedelta(0), HOUR - _TICK):
                    period = period_of(one, cut.hour + edge)
                    if not source.counts(one, period.start):
                        continue
                    is_known = any(period.start <= at < period.end for at in since[source, one.pk])
                    is_new = any(pk == one.pk and period.start <= at < period.end for pk, at in new)
                    if is_new or not is_known:
                        periods[source, one.pk].add((period.start, period.end))
    return periods


def _hours_in(periods: Periods) -> dict[Source, set[datetime]]:
    """Return the hours that have slices in billing periods of subscriptions.

    Raises:
        TooMuch: there are more than can be counted at once, of several sources.
    """
    hours: dict[Source, set[datetime]] = defaultdict(set)
    sources = [source for (source, _), some in periods.items() for _ in some]
    spans = [(pk, source.feature_id, *period) for (source, pk), some in periods.items() for period in some]
    if spans:
        rows, texts = rows_of({"subscription_id": "bigint", "feature_id": "bigint", **WINDOW}, spans)
        are_several = len(set(sources)) > 1
        statement = of_each("slice.starts_at", of=_OF_FEATURE, where=_IN_SPAN).format(rows=rows)
        found = read(statement + (f" LIMIT {_MOST + 1}" if are_several else ""), texts)
        if are_several and len(found) > _MOST:
            raise TooMuch
        for n, moment in found:
            hours[sources[n - 1]].add(_hour_of(moment_of(moment)))
    return hours


def _stored(wanted: Wanted, sold: Sold) -> dict[tuple[int, int, datetime], list[Slice]]:
    """Return the slices that there are of the sources' subscriptions in these hours, by subscription and feature."""
    spans = {
        (one.subscription.pk, hour, hour + HOUR)
        for source, some in wanted.items()
        for one in sold.tenures.get((source.customer_id, source.resource_id), ())
        for hour in some
    }
    rows, texts = rows_of({"subscription_id": "bigint", **WINDOW}, sorted(spans))
    found = read(of_each("slice.id", of=_SLICES, where=_IN_SPAN).format(rows=rows), texts)
    stored: dict[tuple[int, int, datetime], list[Slice]] = defaultdict(list)
    slices = Slice.objects.filter(pk__in=[pk for _, pk in found]).select_related("price").order_by("starts_at", "pk")
    for one in slices:
        stored[one.subscription_id, one.price.feature_id or 0, _hour_of(one.starts_at)].append(one)
    return stored


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


_SLICES = "usage_slice slice"
_OF_FEATURE = f"{_SLICES} JOIN catalog_price price ON price.id = slice.price_id AND price.feature_id = span.feature_id"
_IN_SPAN = """slice.subscription_id = span.subscription_id
  AND slice.starts_at >= span.low AND slice.starts_at < span.high"""
