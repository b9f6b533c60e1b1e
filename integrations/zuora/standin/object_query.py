"""Object Query: only the listed filters, AND only, pages of 1 to 99.

Source: https://developer.zuora.com/other-api/object-query/ (filter, expand, sort, fields, pageSize, cursor).
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import Kind, Refusal, not_found
from integrations.zuora.standin.expand import expanded
from integrations.zuora.standin.objects import OBJECTS, Queryable, shown_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

FILTER = re.compile(r"^([A-Za-z0-9_]+)\.([A-Z]+):(.*)$", re.DOTALL)
SORT = re.compile(r"^([A-Za-z0-9_]+)\.(ASC|DESC)$")
EMPTY_TEXT = "\x02\x03"
DEFAULT_PAGE = 10


def bad(message: str) -> Refusal:
    return Refusal(Kind.QUERY_PARAMETER, message)


def camel(name: str) -> str:
    """Object Query lowers the first letter and no other: `sKU`, `uOM`, `productRatePlanId`."""
    return name[0].lower() + name[1:]


def list_objects(tenant: Tenant, request: Request) -> Any:
    thing = _thing(request)
    size = _page_size(tenant, request)
    rows = [thing.shown(tenant, row) for row in _filtered(tenant, request, thing)]
    rows = _visible(tenant, rows)
    _sort(request, rows)
    start = _cursor(request)
    page = rows[start : start + size]
    answer: dict[str, Any] = {"data": [_render(tenant, request, thing, row) for row in page]}
    if start + size < len(rows):
        answer["nextPage"] = base64.urlsafe_b64encode(b"from:%d" % (start + size)).decode()
    return answer


def read_object(tenant: Tenant, request: Request) -> Any:
    thing = _thing(request)
    key = request.params["key"]
    for row in _candidates(tenant, thing, key):
        if row["Id"] == key or (thing.key and row.get(thing.key) == key and row.get("IsLatestVersion", True)):
            return _render(tenant, request, thing, thing.shown(tenant, row))
    raise not_found(thing.name, key)


def _candidates(tenant: Tenant, thing: Queryable, key: str) -> Any:
    direct = tenant.store.get(thing.name, key) if thing.stored else None
    return [direct] if direct is not None else thing.rows(tenant)


def _thing(request: Request) -> Queryable:
    thing = OBJECTS.get(request.params["object"])
    if thing is None:
        raise not_found("object", request.params["object"])
    return thing


def _visible(tenant: Tenant, rows: list[Row]) -> list[Row]:
    """Rows written less than the configured lag ago are not seen yet; there is no lag by default."""
    lag = tenant.switches.query_lag_seconds
    if not lag:
        return rows
    now = tenant.clock.now()
    return [row for row in rows if (now - datetime.fromisoformat(row["UpdatedDate"])).total_seconds() >= lag]


def _page_size(tenant: Tenant, request: Request) -> int:
    text = request.parameter("pageSize") or str(DEFAULT_PAGE)
    maximum = tenant.switches.query_page_maximum
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= maximum):  # noqa: PLR2004 - far past any page
        raise bad(f"pageSize must be between 1 and {maximum}.")
    return int(text)


def _cursor(request: Request) -> int:
    text = request.parameter("cursor")
    if not text:
        return 0
    try:
        return int(base64.urlsafe_b64decode(text.encode()).decode().removeprefix("from:"))
    except (ValueError, binascii.Error) as wrong:
        raise bad("The cursor is invalid.") from wrong


def _filtered(tenant: Tenant, request: Request, thing: Queryable) -> list[Row]:
    tests: list[Callable[[Row], bool]] = []
    chosen: list[Row] | None = None
    for text in request.query.get("filter[]", []) + request.query.get("filter", []):
        match = FILTER.match(text)
        if match is None:
            raise bad(f"The filter '{text[:80]}' is invalid; it must be field.OPERATOR:value.")
        name, operator, value = match.groups()
        column = _column(tenant, thing, name)
        index = dict(thing.indexed).get(name.lower())
        if operator == "EQ" and index and chosen is None and value not in ("null", EMPTY_TEXT):
            chosen = tenant.store.where(thing.name, index, value.casefold() if index.islower() else value)
        elif operator == "IN" and index and chosen is None:
            wanted = {one.strip() for one in value.strip("[]").split(",")}
            keys = {one.casefold() for one in wanted} if index.islower() else wanted
            chosen = [row for key in sorted(keys) for row in tenant.store.where(thing.name, index, key)]
        elif operator == "EQ" and name.lower() == "id" and thing.stored:
            found = tenant.store.get(thing.name, value)
            chosen = [found] if found else []
        tests.append(_test(tenant, column, operator, value))
    source = chosen if chosen is not None else thing.rows(tenant)
    derived = thing.name in ("Usage", "Account")
    return (
        [row for row in source if all(test(thing.shown(tenant, row) if derived else row) for test in tests)]
        if tests
        else list(source)
    )


def _column(tenant: Tenant, thing: Queryable, name: str) -> str:
    lowered = name.lower()
    if lowered.endswith("__c"):
        custom = {one.lower(): one for one in tenant.switches.custom_fields.get(thing.name, ())}
        if lowered in custom and custom[lowered] in tenant.switches.indexed_fields:
            return f"={custom[lowered]}"
    elif lowered in thing.filters:
        return lowered
    raise bad(f"The field '{name}' cannot be used to filter {thing.name}.")


def _value(row: Row, column: str) -> Any:
    if column.startswith("="):
        return row.get(column[1:])
    for name, value in row.items():
        if name.lower() == column:
            return value
    return None


def _test(tenant: Tenant, column: str, operator: str, text: str) -> Callable[[Row], bool]:
    fold = (lambda value: value) if tenant.switches.query_case_sensitive else str.casefold
    if operator == "IN":
        if not (text.startswith("[") and text.endswith("]")):
            raise bad("The value of IN must be a list in brackets.")
        wanted = {fold(one.strip()) for one in text[1:-1].split(",")}
        return lambda row: fold(_as_text(_value(row, column))) in wanted
    if operator in ("EQ", "NE"):
        equal = _equal(column, text, fold)
        return equal if operator == "EQ" else lambda row: not equal(row)
    if operator == "SW":
        return lambda row: fold(_as_text(_value(row, column))).startswith(fold(text))
    if operator in ("LT", "GT", "LE", "GE"):
        return lambda row: _ordered(_value(row, column), operator, text)
    raise bad(f"The operator '{operator}' is unknown.")


def _equal(column: str, text: str, fold: Callable[[str], str]) -> Callable[[Row], bool]:
    if text == "null":
        return lambda row: _value(row, column) is None
    if text == EMPTY_TEXT:
        return lambda row: _value(row, column) == ""
    return lambda row: _value(row, column) is not None and fold(_as_text(_value(row, column))) == fold(text)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def _ordered(value: Any, operator: str, text: str) -> bool:
    if value is None:
        return False
    left, right = _comparable(value, text)
    if operator in ("LE", "GE") and left == right:
        return True
    return bool(left < right) if operator in ("LT", "LE") else bool(left > right)


def _comparable(value: Any, text: str) -> tuple[Any, Any]:
    if isinstance(value, (int, Decimal)):
        try:
            return value, Decimal(text)
        except InvalidOperation as wrong:
            raise bad(f"'{text[:40]}' is not a number.") from wrong
    try:
        if "T" in str(value):
            moment = datetime.fromisoformat(text)
            present = datetime.fromisoformat(str(value))
            return present, moment if moment.tzinfo else moment.replace(tzinfo=present.tzinfo)
    except ValueError as wrong:
        raise bad(f"'{text[:40]}' is not a date and time.") from wrong
    return str(value), text


def _sort(request: Request, rows: list[Row]) -> None:
    for text in reversed(request.query.get("sort[]", []) + request.query.get("sort", [])):
        match = SORT.match(text)
        if match is None:
            raise bad(f"The sort '{text[:80]}' is invalid; it must be field.ASC or field.DESC.")
        column = match[1].lower()
        rows.sort(key=lambda row: _sort_key(_value(row, column)), reverse=match[2] == "DESC")


def _sort_key(value: Any) -> tuple[int, Any, str]:
    if value is None:
        return (0, 0, "")
    if isinstance(value, (int, Decimal)):
        return (1, value, "")
    return (2, 0, str(value))


def _render(tenant: Tenant, request: Request, thing: Queryable, row: Row) -> dict[str, Any]:
    shown = {camel(name): shown_value(value) for name, value in row.items() if value is not None}
    wanted = _fields(request, thing)
    if wanted:
        shown = {name: value for name, value in shown.items() if name.lower() in wanted}
    for path in request.query.get("expand[]", []) + request.query.get("expand", []):
        shown.update(expanded(tenant, thing, row, path))
    return shown


def _fields(request: Request, thing: Queryable) -> set[str]:
    word = camel(thing.name).lower()
    found: set[str] = set()
    for name, values in request.query.items():
        if name.lower() in (f"{word}.fields[]", f"{word}.fields", "fields[]", "fields"):
            for value in values:
                found.update(one.strip().lower() for one in value.split(","))
    return found
