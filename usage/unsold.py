"""Usage that a subscription did not sell: whether it is sold by now, by another one or in hindsight."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from usage.metering import NEVER
from usage.selling import sold_to
from usage.spans import SOURCE, WINDOW, moment_of, of_each, read, rows_of
from usage.windows import HOUR, ends_at

_TOGETHER = 500


def sold_by_now(sources: Sequence[tuple[int, int, str]]) -> set[tuple[int, str, int, datetime]]:
    """Return the hours of these sources that were not sold, and that something reaches into that settles them.

    Counted again they are others, as it is told here as there (`Sold.settles`): so this ends.
    """
    hours = set()
    for place in range(0, len(sources), _TOGETHER):
        spans = list(_settled(sources[place : place + _TOGETHER]))
        rows, texts = rows_of(SOURCE | {"near": "timestamptz"} | WINDOW, spans)
        statement = of_each("noted.starts_at", of="usage_unattributedusage noted", where=_FOUND)
        for n, moment in read(statement.format(rows=rows), texts) if spans else ():
            customer_id, feature_id, resource_id, *_ = spans[n - 1]
            hours.add((customer_id, resource_id, feature_id, moment_of(moment)))
    return hours


def _settled(
    sources: Sequence[tuple[int, int, str]],
) -> Iterator[tuple[int, int, str, datetime, datetime, datetime]]:
    """Yield the times in which usage of the sources is charged, or paid for otherwise, each after the hour before."""
    sold = sold_to(customers={one[0] for one in sources}, features={one[1] for one in sources})
    by_usage = sold.by_usage()  # of other features nothing is counted
    for customer_id, feature_id, resource_id in sources:
        for one in sold.tenures.get((customer_id, resource_id), ()) if feature_id in by_usage else ():
            end = min(ends_at(one.subscription) or NEVER, one.end or NEVER)
            if one.start < end and sold.settles(one.terms, feature_id=feature_id):
                yield customer_id, feature_id, resource_id, one.start - HOUR, one.start, end


#: None is longer than an hour: so the index knows where to begin.
_FOUND = """noted.customer_id = span.customer_id AND noted.feature_id = span.feature_id
  AND noted.resource_id = span.resource_id AND noted.unsold_by_id IS NOT NULL AND noted.starts_at > span.near
  AND noted.starts_at < span.high AND noted.ends_at > span.low"""
