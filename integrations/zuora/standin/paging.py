"""Pages of the v1 lists: 10 by default, 40 at most, `nextPage` as a full URL.

Source: https://developer.zuora.com/v1-api-reference/pagination/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from integrations.zuora.standin.errors import Kind, Refusal

if TYPE_CHECKING:
    from integrations.zuora.standin.wire import Request

DEFAULT = 10
MAXIMUM = 40


def whole_number(request: Request, name: str, default: int) -> int:
    """A query parameter that counts.

    Raises:
        Refusal: it is not a positive whole number.
    """
    text = request.parameter(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:  # noqa: PLR2004 - far past any page
        raise Refusal(Kind.QUERY_PARAMETER, f"The value of query parameter '{name}' is invalid: '{text[:40]}'.")
    return int(text)


def page_of(rows: list[Any], request: Request) -> tuple[list[Any], str | None]:
    """The rows of the page asked for, and the URL of the next one if there is one."""
    size = min(whole_number(request, "pageSize", DEFAULT), MAXIMUM)
    page = whole_number(request, "page", 1)
    shown = rows[(page - 1) * size : page * size]
    if page * size >= len(rows):
        return shown, None
    parameters = {name: values[0] for name, values in request.query.items()} | {"page": page + 1, "pageSize": size}
    return shown, f"{request.origin}{request.path}?{urlencode(parameters)}"
