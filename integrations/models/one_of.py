from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Q
from django.db.models.sql.compiler import SQLCompiler


class _IsOneOf(Func):
    output_field = BooleanField()

    def __init__(self, field: str, values: Sequence[int] | Sequence[str]) -> None:
        super().__init__(F(field))
        self.values = list(values)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> tuple[str, Any]:  # type: ignore[override]  # an operator, not a call
        del connection
        sql, params = compiler.compile(self.get_source_expressions()[0])
        kind = "text" if isinstance(self.values[0], str) else "bigint"
        return f"({sql} = ANY(%s::{kind}[]))", [*params, self.values]


def one_of(field: str, values: Sequence[int] | Sequence[str]) -> Q:
    """Return the condition that a field is one of thousands of numbers or texts.

    PostgreSQL is told them as one value: as many values they take longer to be written down than to be found.
    """
    if not values:
        return Q(pk__in=[])
    return Q(_IsOneOf(field, values)) if connection.vendor == "postgresql" else Q(**{f"{field}__in": values})
