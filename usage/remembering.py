"""Where it stands what runs have been counted to; on PostgreSQL only.

SQLite holds no exact decimals: there a run is counted anew from its events each time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection

from usage.counting import Source
from usage.inserting import insert
from usage.meters import Part
from usage.models import CountedRun
from usage.spans import SOURCE, read, rows_of
from usage.windows import Run

#: A run of a source: all of it is counted by one meter, for one charge.
Key = tuple[Source, Run]
#: Runs that ended so long before the one that is counted now are forgotten: they can be counted again.
_KEPT = timedelta(days=70)


@dataclass(slots=True, eq=False)
class Row:
    """A window of a run as CountedWindow holds it; `was` is how it is stored, `is_unread` while it is counted again."""

    start: datetime
    end: datetime
    events: int
    own: Part
    total: Part
    change: Decimal
    lasting: Decimal | None
    was: tuple[object, ...] | None = None
    is_unread: bool = False

    @property
    def state(self) -> tuple[object, ...]:
        """All that is stored."""
        parts = (self.own.count, self.own.amount, self.total.count, self.total.amount)
        return (self.start, self.end, self.events, *parts, self.change, self.lasting)


def is_kept() -> bool:
    """Return whether this database keeps what was counted."""
    return connection.vendor == "postgresql"


def known_runs(
    keys: Collection[Key], *, sources: Mapping[Source, str], is_counted: Callable[[Source, Run], bool]
) -> dict[Key, int]:
    """Return the ids of all runs of sources that were counted on the terms that they have; forget those on others.

    `keys` are the runs that are counted now: what is far older is forgotten, too. Runs that a source does not count,
    because the feature had another meter then, are left alone.
    """
    if not is_kept():
        return {}
    oldest: dict[Source, datetime] = {}
    for source, run in keys:
        oldest[source] = min(run.since, oldest.get(source, run.since))
    given = list(sources)
    rows, texts = rows_of(SOURCE, map(_whose, given))
    found: dict[Key, int] = {}
    forgotten = []
    for n, pk, subscription_id, plan_id, addon_id, since, basis in read(_RUNS.format(rows=rows), texts):
        source = given[n - 1]
        run = Run(subscription_id, (plan_id, addon_id), since)
        is_recent = source not in oldest or since > oldest[source] - _KEPT
        if not is_counted(source, run):
            continue
        if basis == sources[source] and is_recent:
            found[source, run] = pk
        else:
            forgotten.append(pk)
    for statement in _FORGET if forgotten else ():
        with connection.cursor() as cursor:
            cursor.execute(statement, [f"{{{','.join(map(str, forgotten))}}}"])
    return found


def begin_runs(keys: Sequence[Key]) -> dict[Key, int]:
    """Return the ids of runs of which nothing is known yet; their basis is told when they are stored."""
    if not is_kept() or not keys:
        return {}
    made = [
        CountedRun(
            customer_id=source.customer_id,
            feature_id=source.feature_id,
            resource_id=source.resource_id,
            subscription_id=run.subscription_id,
            plan_id=run.owner[0],
            addon_id=run.owner[1],
            since=run.since,
        )
        for source, run in keys
    ]
    insert(made, into=CountedRun.objects)
    return {key: one.pk for key, one in zip(keys, made, strict=True)}


def rows_since(wanted: Mapping[int, datetime]) -> dict[int, list[Row]]:
    """Return by run its windows from a moment on, in order, after the last one before it where there is one."""
    return _rows(_SINCE, {"run_id": "bigint", "low": "timestamptz"}, wanted.items())


def rows_before(wanted: Collection[tuple[int, datetime, Decimal | None]]) -> dict[int, list[Row]]:
    """Return by run its windows before a moment with a change that lasts at more than so much; None: all of them."""
    return _rows(_BEFORE, {"run_id": "bigint", "low": "timestamptz", "most": "numeric"}, wanted)


def _rows(statement: str, columns: Mapping[str, str], wanted: Collection[tuple[object, ...]]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    if wanted:
        rows, texts = rows_of(columns, wanted)
        for run_id, start, end, events, count, amount, total_count, total_amount, change, lasting in read(
            statement.format(rows=rows), texts
        ):
            row = Row(start, end, events, Part(count, amount), Part(total_count, total_amount), change, lasting)
            row.was = row.state
            found.setdefault(run_id, []).append(row)
    return found


def add_values(first: Mapping[tuple[int, UUID], datetime], *, known: Collection[int]) -> list[tuple[int, datetime]]:
    """Keep when values came first in runs; return when those did that came later, in runs that were known before."""
    values = {"run_id": "bigint", "value": "uuid", "first_at": "timestamptz"}
    moved: list[tuple[int, datetime]] = []
    if earlier := [(*key, at) for key, at in first.items() if key[0] in known]:
        rows, texts = rows_of(values, earlier)
        moved = [(run_id, at) for run_id, at in read(_MOVED.format(rows=rows), texts)]
    rows, texts = rows_of(values, [(*key, at) for key, at in sorted(first.items())])
    with connection.cursor() as cursor:
        cursor.execute(_ADD.format(rows=rows).strip(), texts)
    return moved


def count_values(wanted: Sequence[tuple[int, datetime, datetime]]) -> list[int]:
    """Return how many values came first in runs from a moment up to another."""
    rows, texts = rows_of({"run_id": "bigint", "low": "timestamptz", "high": "timestamptz"}, wanted)
    return [count for _, count in sorted(read(_COUNT.format(rows=rows), texts))]


def store_rows(rows: Iterable[tuple[int, Row]], *, basis: Mapping[int, str]) -> None:
    """Store the windows of runs that differ from how they are stored, and on what runs rest, where that is told."""
    if changed := [(run_id, *row.state) for run_id, row in rows if row.was != row.state]:
        given, texts = rows_of(_STORED, changed)
        with connection.cursor() as cursor:
            cursor.execute(_STORE.format(rows=given).strip(), texts)
    if basis:
        given, texts = rows_of({"run_id": "bigint", "basis": "text"}, basis.items())
        with connection.cursor() as cursor:
            cursor.execute(_REST.format(rows=given).strip(), texts)


def _whose(source: Source) -> tuple[int, int, str]:
    return source.customer_id, source.feature_id, source.resource_id


_RUNS = """
SELECT span.n, run.id, run.subscription_id, run.plan_id, run.addon_id, run.since, run.basis
FROM {rows} JOIN usage_countedrun run ON run.customer_id = span.customer_id AND run.feature_id = span.feature_id
AND run.resource_id = span.resource_id"""
_FORGET = (
    "DELETE FROM usage_countedvalue WHERE run_id = ANY(%s::bigint[])",
    "DELETE FROM usage_countedwindow WHERE run_id = ANY(%s::bigint[])",
    "DELETE FROM usage_countedrun WHERE id = ANY(%s::bigint[])",
)
_STORED = {
    "run_id": "bigint",
    "starts_at": "timestamptz",
    "ends_at": "timestamptz",
    "events": "bigint",
    "count": "bigint",
    "amount": "numeric",
    "total_count": "bigint",
    "total_amount": "numeric",
    "change": "numeric",
    "lasting": "numeric",
}
_OWN = ", ".join(f"counted.{name}" for name in _STORED)
_SINCE = f"""
SELECT found.* FROM {{rows}} CROSS JOIN LATERAL (
  (SELECT {_OWN} FROM usage_countedwindow counted WHERE counted.run_id = span.run_id AND counted.starts_at < span.low
   ORDER BY counted.starts_at DESC LIMIT 1)
  UNION ALL
  SELECT {_OWN} FROM usage_countedwindow counted WHERE counted.run_id = span.run_id AND counted.starts_at >= span.low
) found ORDER BY found.starts_at"""  # noqa: S608 - our own words
#: By the index of what lasts, however many windows there are that change nothing.
_BEFORE = f"""
SELECT found.* FROM {{rows}} CROSS JOIN LATERAL (
  SELECT {_OWN} FROM usage_countedwindow counted WHERE counted.run_id = span.run_id AND counted.starts_at < span.low
  AND counted.lasting > span.most
  UNION ALL
  SELECT {_OWN} FROM usage_countedwindow counted WHERE counted.run_id = span.run_id AND counted.starts_at < span.low
  AND span.most IS NULL
) found ORDER BY found.starts_at"""  # noqa: S608 - our own words
_MOVED = """
SELECT known.run_id, known.first_at FROM {rows} JOIN usage_countedvalue known ON known.run_id = span.run_id
AND known.value = span.value WHERE known.first_at > span.first_at"""
_ADD = """
INSERT INTO usage_countedvalue AS known (run_id, value, first_at) SELECT run_id, value, first_at FROM {rows}
ON CONFLICT (run_id, value) DO UPDATE SET first_at = EXCLUDED.first_at WHERE known.first_at > EXCLUDED.first_at"""
_COUNT = """
SELECT span.n, (SELECT count(*) FROM usage_countedvalue known WHERE known.run_id = span.run_id
  AND known.first_at >= span.low AND known.first_at < span.high) FROM {rows}"""
_REST = "UPDATE usage_countedrun SET basis = span.basis FROM {rows} WHERE usage_countedrun.id = span.run_id"
_STORE = f"""
INSERT INTO usage_countedwindow ({", ".join(_STORED)}) SELECT {", ".join(_STORED)} FROM {{rows}}
ON CONFLICT (run_id, starts_at) DO UPDATE
SET {", ".join(f"{name} = EXCLUDED.{name}" for name in list(_STORED)[2:])}"""  # noqa: S608 - our own words
