"""Adds quantities up to the last digit, on SQLite as well: it keeps decimals as floats, and adds floats."""

import sqlite3
from decimal import Decimal
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DecimalField, Sum
from django.db.models.sql.compiler import SQLCompiler

from usage.spans import exact

#: The function that adds up, by database.
SUM = {"postgresql": "sum", "sqlite": "exact_sum"}


class _Adding:
    """SQLite's exact_sum: each float is the decimal that it was stored as, and they are added as decimals."""

    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: float | None) -> None:
        if value is not None:
            self._total = (self._total or Decimal(0)) + exact(value)

    def finalize(self) -> str | None:
        return None if self._total is None else format(self._total, "f")


def teach(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let a new connection to SQLite add up exactly; receives `connection_created`."""
    if isinstance(connection.connection, sqlite3.Connection):
        # Its type knows of whole numbers alone.
        connection.connection.create_aggregate(SUM["sqlite"], 1, _Adding)  # type: ignore[arg-type]


class _Exactly(DecimalField):  # type: ignore[type-arg]
    """A decimal that Django does not read by way of a float."""

    def get_internal_type(self) -> str:
        return "ExactDecimal"

    def from_db_value(self, value: Decimal | str | None, *_: Any) -> Decimal | None:
        return None if value is None else exact(value)


class Total(Sum):
    """What a column adds up to, exactly; in SQL it is a text on SQLite, so compare it in Python."""

    def __init__(self, column: str) -> None:
        super().__init__(column, output_field=_Exactly())

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        return self.as_sql(compiler, connection, function=SUM["sqlite"], **more)
