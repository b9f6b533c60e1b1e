"""Pages by key: as fast on the last page as on the first, and no row is skipped when others come or go."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Field, Func, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from django.http import HttpRequest

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows; `before` and `after` are the keys to ask for what comes before and after them, or empty."""

    rows: list[M]
    before: str
    after: str


@dataclass(frozen=True)
class Reach:
    """The place of a row on a way: its moment, and the key that a page goes on from."""

    moment: Any
    key: str


class _Row(Func):
    """Several values compared as one, first by the first: what an index over the same columns answers at once."""

    template = "(%(expressions)s)"


@dataclass(frozen=True)
class Way(Generic[M]):
    """Rows in an order, from an edge on; `keys` name what the order compares, and `falls` whether it descends."""

    rows: QuerySet[M]
    keys: Sequence[str]
    falls: bool
    backwards: bool
    begun: bool

    def reach(self, most: int, *, moment: str) -> Reach | None:
        """Return the place of the last one of so many rows, or None where there are no more: found along the index."""
        edges = list(self.rows.values(*{*self.keys, moment})[most - 1 : most + 1])
        if len(edges) < 2:  # noqa: PLR2004 - the last one and one beyond
            return None
        last = self.rows.model(**edges[0])
        return Reach(edges[0][moment], _key(last, self.keys))

    def first_of(self, few: QuerySet[M], most: int) -> list[M]:
        """Return the first of few rows: no index has their keys as one value, and so none is walked along for them."""
        order = _row(self.keys)
        return list(few.order_by(order.desc() if self.falls else order.asc())[:most])

    def page(self, found: list[M], *, size: int) -> Page[M]:
        """Return the page of the first rows that were found, one more than it holds where there are more."""
        more, found = len(found) > size, found[:size]
        if self.backwards:
            found.reverse()
        keys = [_key(row, self.keys) for row in (found[:1] + found[-1:])]
        earlier, later = (more, True) if self.backwards else (self.begun, more)
        return Page(found, keys[0] if keys and earlier else "", keys[-1] if keys and later else "")


def way_of(rows: QuerySet[M], *, key: str | Sequence[str], after: str = "", before: str = "") -> Way[M]:
    """Return the rows after (or before) a key; a key that makes no sense is the first page.

    `key` is one or more fields that are unique together and never NULL; "-pk" style descends, all of them or none.
    """
    fields = [key] if isinstance(key, str) else list(key)
    names = [name.lstrip("-") for name in fields]
    descends = fields[0].startswith("-")
    edge = _edge(rows.model, names, after or before)
    backwards = bool(before) and not after and edge is not None
    falls = descends != backwards
    if edge is not None:
        compare: Any = LessThan if falls else GreaterThan
        rows = rows.filter(compare(_row(names), edge))
    ordered = rows.order_by(*(f"-{name}" if falls else name for name in names))
    return Way(ordered, names, falls, backwards, edge is not None)


def page_of(rows: QuerySet[M], *, key: str | Sequence[str], after: str = "", before: str = "", size: int) -> Page[M]:
    """Return a page of rows along a way, in one query: see `way_of`."""
    way = way_of(rows, key=key, after=after, before=before)
    return way.page(list(way.rows[: size + 1]), size=size)


def edges_of(request: HttpRequest) -> dict[str, str]:
    """Return the keys that an address pages by."""
    return {name: request.GET.get(name, "") for name in ("after", "before")}


def _row(names: Sequence[str]) -> Any:
    return _Row(*names, output_field=Field())


def _key(row: Model, names: Sequence[str]) -> str:
    """Return the place of a row: the value of its only field, or a JSON list of several."""
    values = [_field(type(row), name).value_to_string(row) for name in names]
    return values[0] if len(values) == 1 else json.dumps(values, ensure_ascii=False)


def _edge(model: type[Model], names: Sequence[str], key: str) -> Any:
    """Return what `_key` wrote as an expression, or None where it makes no sense."""
    if not key or "\0" in key:
        return None
    try:
        texts = [key] if len(names) == 1 else json.loads(key)
        values = [_value(_field(model, name), text) for name, text in zip(names, texts, strict=True)]
    except (ValueError, TypeError, ValidationError):
        return None
    return _Row(*values, output_field=Field())


def _value(field: Field[Any, Any], text: Any) -> Value:
    value = field.to_python(text)
    if isinstance(value, int):
        field.run_validators(value)  # no database takes a number that is too large for its column
    return Value(value, field)


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    options = model._meta  # noqa: SLF001 - Django's public name for it
    if name == "pk":
        return options.pk
    field = options.get_field(name)
    if not isinstance(field, Field):
        raise FieldDoesNotExist(name)
    return field
