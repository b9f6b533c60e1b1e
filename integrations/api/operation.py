"""What an operation of the API is: one function, with what it reads and answers written in its types."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, get_type_hints

from pydantic import BaseModel

from integrations.models import ApiKey, Scope


class RateClass(StrEnum):
    """What is counted together, per key and minute; how many are allowed stands in `settings.API_RATE_LIMITS`."""

    WRITE = "write"
    READ = "read"
    LIST = "list"
    COUPON = "coupon"
    USAGE = "usage"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, and when."""

    key: ApiKey
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation that Stigg's SDK knows: built, or answered 501 with the sentence in `not_built`.

    `body`, `query` and `answer` are its schemas; `raw` gives the action the body's bytes instead, for what is read
    faster than row by row, and which the action stores in one transaction of its own. `holds_transaction` is False for
    what asks Zuora, which nobody does in a transaction.
    """

    method: str
    path: str
    tag: str
    rate: RateClass
    scopes: frozenset[Scope]
    name: str = ""
    summary: str = ""
    description: str = ""
    status: HTTPStatus = HTTPStatus.OK
    action: Callable[..., Any] | None = field(default=None, compare=False)
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: Any = None
    raw: bool = False
    holds_transaction: bool = True
    not_built: str = ""

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def path_names(self) -> list[str]:
        """The names in its path, in their order."""
        return re.findall(r"{(\w+)}", self.path)


def operation(
    method: str,
    path: str,
    *,
    tag: str,
    name: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    rate: RateClass | None = None,
    also: Scope | None = None,
    reads: type[BaseModel] | None = None,
    answers: Any = None,
    holds_transaction: bool = True,
) -> Callable[[Callable[..., Any]], Operation]:
    """Make an operation of `action(call, *, body, query, <names in the path>) -> a schema`.

    What the action does not ask for it does not get. In the document it has the action's name, unless it is given one,
    and the first line of the action's docstring as its summary.
    A key that may write may do everything, one that may read all that is GET; `also` lets another scope in.
    `reads` and `answers` describe a body that the action reads by itself, from bytes, and a plain dict that it returns.
    """

    def build(action: Callable[..., Any]) -> Operation:
        hints = get_type_hints(action, include_extras=True)
        summary, _, description = inspect.cleandoc(action.__doc__ or "").partition("\n")
        is_list = "query" in hints and not re.search(r"{\w+}$", path)
        usual = RateClass.WRITE if method != "GET" else RateClass.LIST if is_list else RateClass.READ
        return Operation(
            method=method,
            path=path,
            tag=tag,
            rate=rate or usual,
            scopes=scopes_of(method) | ({also} if also else set()),
            name=name or action.__name__,
            summary=summary.rstrip("."),
            description=description.strip(),
            status=status,
            action=action,
            body=reads or hints.get("body"),
            query=hints.get("query"),
            answer=answers or hints["return"],
            raw=reads is not None,
            holds_transaction=holds_transaction,
        )

    return build


def scopes_of(method: str) -> frozenset[Scope]:
    """Return the scopes of the keys that may do it."""
    return frozenset({Scope.WRITE, Scope.READ} if method == "GET" else {Scope.WRITE})
