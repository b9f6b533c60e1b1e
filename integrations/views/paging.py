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


class _Row(Func):
    """Several values compared as one, first by the first: what an index over the same columns answers at once."""

    template = "(%(expressions)s)"


def page_of(rows: QuerySet[M], *, key: str | Sequence[str], after: str = "", before: str = "", size: int) -> Page[M]:
    """Return the rows after (or before) a key, in one query; a key that makes no sense is the first page.

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
    found = list(rows.order_by(*(f"-{name}" if falls else name for name in names))[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    keys = [_key(row, names) for row in (found[:1] + found[-1:])]
    earlier, later = (more, True) if backwards else (edge is not None, more)
    return Page(found, keys[0] if keys and earlier else "", keys[-1] if keys and later else "")


def edges_of(request: HttpRequest) -> dict[str, str]:
    """Return the keys that an address pages by, where the key is a number: anything else is left out."""
    return {name: key for name in ("after", "before") if (key := request.GET.get(name, "")).isdecimal()}


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
