"""Pages of a log that is searched: each looks at no more rows than it has time for, and says how far it came.

A filter has an index in the order of the log, which lists its rows at once, or is judged row by row. Where a page ends
before it is full, its reader looks further from there: nothing is left out, and no page takes longer in a long log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, F, Model, Q, QuerySet, Value, When

from integrations.filters import Narrowing
from integrations.views.paging import Page, Way, way_of

M = TypeVar("M", bound=Model)
#: So many rows of a log are looked at for one page.
LOOKED_AT = 20_000
_EXPORTED_AT_ONCE = 1000


@dataclass(frozen=True)
class Seen(Page[M]):
    """A page, and the moment until which was looked for its rows: None where no more of them are to be looked at.

    Where it stopped before it was full, `after` (or `before`, on the way back) goes on from there.
    """

    until: datetime | None
    begun: bool
    backwards: bool


def look_back(
    rows: QuerySet[M],
    asked: Narrowing,
    *,
    key: Sequence[str],
    moment: str,
    after: str = "",
    before: str = "",
    size: int,
) -> Seen[M]:
    """Return a page of a log; `moment` names the field that says how far it came.

    One query where an index lists what is asked for. Else two, and one for each condition that has an index: it is
    looked along that which few rows meet.
    """
    rows = rows.filter(asked.within)
    if not asked.judged and len(asked.along) <= 1:
        way = way_of(rows.filter(*asked.along), key=key, after=after, before=before)
        page = way.page(list(way.rows[: size + 1]), size=size)
        return Seen(page.rows, page.before, page.after, None, way.begun, way.backwards)
    for along in asked.along or [Q()]:
        way = way_of(rows.filter(along), key=key, after=after, before=before)
        others = asked.judged & Q(*(other for other in asked.along if other is not along))
        reach = way.reach(LOOKED_AT, moment=moment)
        if reach is None:
            break
    found = _fitting(way, others, most=size + 1)
    kept = rows.in_bulk(found)
    page = way.page([kept[pk] for pk in found if pk in kept], size=size)
    if reach is None or len(found) > size:
        return Seen(page.rows, page.before, page.after, None, way.begun, way.backwards)
    edges = (reach.key, page.after) if way.backwards else (page.before, reach.key)
    return Seen(page.rows, *edges, reach.moment, way.begun, way.backwards)


def _fitting(way: Way[M], judged: Q, *, most: int) -> list[int]:
    """Return the numbers of the first rows that a condition holds for, of those that may be looked at.

    The rows are taken first, and judged then: whatever a database expects of the condition, it reads no more of them.
    """
    keys = {f"key_{name}": F(name) for name in way.keys}
    judgement = Case(When(judged, then=Value(True)), default=Value(False))
    looked = way.rows.values(number=F("pk"), fits=judgement, **keys)[:LOOKED_AT]
    order = ", ".join(f"{name} {'DESC' if way.falls else 'ASC'}" for name in keys)
    try:
        sql, params = looked.query.sql_with_params()
    except EmptyResultSet:  # Django knows without asking
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT number FROM ({sql}) AS looked WHERE fits ORDER BY {order} LIMIT {most}",  # noqa: S608 - Django's own
            params,
        )
        return [number for (number,) in cursor.fetchall()]


def all_of(rows: QuerySet[M], asked: Narrowing, *, key: Sequence[str], moment: str) -> Iterator[M]:
    """Yield the whole of what a filter asks for, by short queries: nothing is held open while somebody downloads."""
    after = ""
    while True:
        page = look_back(rows, asked, key=key, moment=moment, after=after, size=_EXPORTED_AT_ONCE)
        yield from page.rows
        after = page.after
        if not after:
            return
