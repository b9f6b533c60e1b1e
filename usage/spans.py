"""Many stretches of time in one statement: rows that the database joins with what lies in them.

A statement for each would cost more than what it reads. The rows are given as a few texts, which costs less than to
give each value by itself; the databases differ in how they read them.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL

#: The columns of what can be given, as PostgreSQL's types.
SOURCE = {"customer_id": "bigint", "feature_id": "bigint", "resource_id": "text"}
WINDOW = {"low": "timestamptz", "high": "timestamptz"}
#: SQLite keeps decimals as floats, which are exact to so many digits.
_FLOAT = Context(prec=sys.float_info.dig)


def rows_of(columns: Mapping[str, str], given: Iterable[tuple[Any, ...]]) -> tuple[str, list[str]]:
    """Return what stands in FROM for the rows given, and its parameters; `n` counts the rows from one."""
    rows = list(given)
    texts = [_texts(column, kind) for column, kind in zip(zip(*rows, strict=True), columns.values(), strict=False)]
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
        filled = [f"{{{','.join(column)}}}" for column in texts] or ["{}"] * len(columns)
        return f"unnest({arrays}) WITH ORDINALITY AS span({', '.join(columns)}, n)", filled
    members = ", ".join(f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(columns))
    lists = ",".join(f"[{','.join(row)}]" for row in zip(*texts, strict=True))
    return f"(SELECT key + 1 AS n, {members} FROM json_each(%s)) AS span", [f"[{lists}]"]  # noqa: S608 - our own words


def of_each(what: str, *, of: str, where: str) -> str:
    """Return the statement that tells `n` and `what` of each row given, its `rows` left open: what is found for it.

    OFFSET 0 has PostgreSQL look for each row's by itself, by the index: it could join all of them at once, and read the
    whole table for that. SQLite has no LATERAL, and joins in order.
    """
    if connection.vendor == "postgresql":
        found = f"SELECT {what} FROM {of} WHERE {where} OFFSET 0"  # noqa: S608 - our own words
        return f"SELECT span.n, found.* FROM {{rows}} CROSS JOIN LATERAL ({found}) found"  # noqa: S608 - the same
    return f"SELECT span.n, {what} FROM {{rows}} CROSS JOIN {of} WHERE {where}"  # noqa: S608 - the same


def read(statement: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return all that a statement finds among the rows given."""
    with connection.cursor() as cursor:
        cursor.execute(statement.strip(), given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def moment_of(value: datetime | str) -> datetime:
    """Return a time as a statement of ours gives it: SQLite tells no zone, it is UTC."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def exact(value: Decimal | float | str | None) -> Decimal:
    """Return a quantity, or a sum of them, as a statement of ours gives it; nothing is zero."""
    if value is None:
        return Decimal(0)
    # As Django reads a stored quantity: nine digits after the point.
    return round(_FLOAT.create_decimal_from_float(value), 9) if isinstance(value, int | float) else Decimal(value)


def among(ids: Iterable[int]) -> RawSQL:
    """Return what stands behind `__in` for many ids: one parameter, where each would be one."""
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::bigint[])", [f"{{{','.join(map(str, ids))}}}"])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(list(ids))])


def _texts(column: Sequence[Any], kind: str) -> list[str]:
    """Write values as the database reads them in a list, each that comes again once."""
    if kind == "bigint":
        return [str(value) for value in column]
    write, null = (quoted, "NULL") if connection.vendor == "postgresql" else (_in_json, "null")
    written = {value: null if value is None else write(value) for value in set(column)}
    return [written[value] for value in column]


def quoted(value: object) -> str:
    """Write a value as it stands in an array of PostgreSQL."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_json(value: str | datetime) -> str:
    return json.dumps(value if isinstance(value, str) else str(connection.ops.adapt_datetimefield_value(value)))
