"""Lists, page by page: by the key that rows are given once and in order, so that a page costs the same everywhere."""

from collections.abc import Callable
from typing import TypeVar

from django.db import models

from integrations.api.schema import Page, Pagination, Paging

_Row = TypeVar("_Row", bound=models.Model)
_Out = TypeVar("_Out")

_LARGEST_KEY = 2**63 - 1


def page(rows: models.QuerySet[_Row], *, query: Paging, write: Callable[[list[_Row]], list[_Out]]) -> Page[_Out]:
    """Return the page that `query` asks for, oldest first; `write` makes the answers of a whole page at once."""
    if query.before:
        found = list(rows.filter(pk__lt=_key(query.before)).order_by("-pk")[: query.limit + 1])
        is_more = len(found) > query.limit
        found = found[: query.limit][::-1]
        has_next, has_prev = bool(found), is_more
    else:
        after = rows.filter(pk__gt=_key(query.after)) if query.after else rows
        found = list(after.order_by("pk")[: query.limit + 1])
        has_next = len(found) > query.limit
        found = found[: query.limit]
        has_prev = bool(query.after and found)
    pagination = Pagination(next=str(found[-1].pk) if has_next else None, prev=str(found[0].pk) if has_prev else None)
    return Page(data=write(found), pagination=pagination)


def _key(cursor: str) -> int:
    return min(int(cursor), _LARGEST_KEY)
