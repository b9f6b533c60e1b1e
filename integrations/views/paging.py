"""Pages by key: as fast on the last page as on the first, and no row is skipped when others come or go."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """Some rows; `before` and `after` are the keys to ask for what comes before and after them, or empty."""

    rows: list[M]
    before: str
    after: str


def page_of(rows: QuerySet[M], *, key: str, after: str = "", before: str = "", size: int) -> Page[M]:
    """Return the rows after (or before) a key, in one query. `key` is a unique field; "-pk" style descends."""
    name, descends = key.lstrip("-"), key.startswith("-")
    backwards = bool(before) and not after
    edge: dict[str, Any] = {}
    if after or before:
        edge = {f"{name}__{'lt' if descends != backwards else 'gt'}": after or before}
    order = name if descends == backwards else f"-{name}"
    found = list(rows.filter(**edge).order_by(order)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    keys = [str(getattr(row, name)) for row in (found[:1] + found[-1:])]
    earlier, later = (more, True) if backwards else (bool(after), more)
    return Page(found, keys[0] if keys and earlier else "", keys[-1] if keys and later else "")


def edges_of(request: HttpRequest) -> dict[str, str]:
    """Return the keys that an address pages by, where the key is a number: anything else is left out."""
    return {name: key for name in ("after", "before") if (key := request.GET.get(name, "")).isdecimal()}
