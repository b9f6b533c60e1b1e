"""ZOQL, as far as it goes: one object, `and` before `or`, no joins, no parentheses.

Source: https://docs.zuora.com/en/zuora-platform/extensibility/zoql
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.describe import known_fields
from integrations.zuora.standin.errors import Kind, Refusal
from integrations.zuora.standin.objects import BY_NAME, Queryable, shown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

STATEMENT = re.compile(r"^\s*select\s+([\w\s,]+?)\s+from\s+(\w+)\s*(?:\swhere\s+(.+))?$", re.DOTALL)
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>[+-]?\d+(?:\.\d+)?)(?![\w.])|(?P<operator>!=|<=|>=|=|<|>)|(?P<word>\w+))\s*"
)
MOST_CONDITIONS = 200
OPERATORS = ("=", "!=", "<", ">", "<=", ">=", "like")
# Columns that rows may have beside those that describe tells.
MORE_FIELDS = {
    "Usage": ("RbeStatus", "SubmissionDateTime", "SourceType", "SubscriptionId", "ChargeId", "InvoiceId"),
    "Subscription": (
        "Currency",
        "OrderId",
        "IsLatestVersion",
        "CancelledDate",
        "RenewalTerm",
        "InitialTerm",
        "CurrentTerm",
    ),
    "RatePlanCharge": (
        "ProductRatePlanChargeId",
        "ChargeModel",
        "ChargeType",
        "EffectiveStartDate",
        "EffectiveEndDate",
        "IsLastSegment",
    ),
    "ProductRatePlanChargeTier": ("ProductRatePlanChargeId", "DiscountAmount", "DiscountPercentage"),
    "Invoice": ("Currency",),
    "Account": ("CommunicationProfileId",),
}


def malformed(message: str) -> Refusal:
    return Refusal(Kind.MALFORMED, f"You have an error in your ZOQL syntax: {message}")


@dataclass(frozen=True)
class Condition:
    field: str
    operator: str
    value: Any

    def holds(self, row: Row) -> bool:
        present = row.get(self.field)
        if self.operator == "=":
            return _same(present, self.value)
        if self.operator == "!=":
            return not _same(present, self.value)
        if self.operator == "like":
            return isinstance(present, str) and _like(present, self.value)
        return present is not None and self.value is not None and _ordered(present, self.operator, self.value)


@dataclass(frozen=True)
class Query:
    fields: list[str]
    thing: Queryable
    # `or` of `and`s; none: every row.
    alternatives: list[list[Condition]]


def parse(tenant: Tenant, text: str) -> Query:
    """The query.

    Raises:
        Refusal: malformed, or about an object or field that is unknown.
    """
    match = STATEMENT.match(text)
    if match is None:
        raise malformed("expected: select <fields> from <object> [where <conditions>], keywords in lower case")
    thing = BY_NAME.get(match[2])
    if thing is None:
        raise Refusal(Kind.BAD_TYPE, f"invalid object type: {match[2]}")
    known = field_names(tenant, thing.name)
    fields = [_known(one.strip(), known, thing.name) for one in match[1].split(",")]
    return Query(fields, thing, _alternatives(match[3], known, thing.name) if match[3] else [])


def field_names(tenant: Tenant, name: str) -> dict[str, str]:
    """Lower-case name to the name itself."""
    fields = [*(known_fields(tenant, name) or ()), *MORE_FIELDS.get(name, ()), *BY_NAME[name].more_fields]
    return {one.lower(): one for one in fields}


def _known(name: str, known: dict[str, str], thing: str) -> str:
    found = known.get(name.lower())
    if found is None:
        raise Refusal(Kind.QUERY_FIELD, f"invalid field for query: {thing}.{name}")
    return found


def _alternatives(text: str, known: dict[str, str], thing: str) -> list[list[Condition]]:
    tokens = _tokens(text)
    alternatives: list[list[Condition]] = [[]]
    index = count = 0
    while True:
        if index + 3 > len(tokens):
            raise malformed("a condition is incomplete")
        alternatives[-1].append(_condition(tokens[index : index + 3], known, thing))
        index += 3
        count += 1
        if count > MOST_CONDITIONS:
            raise malformed("there are more than 200 conditions")
        if index == len(tokens):
            return alternatives
        kind, word = tokens[index]
        if kind != "word" or word not in ("and", "or"):
            raise malformed(f"expected 'and' or 'or', not '{word}'")
        if word == "or":
            alternatives.append([])
        index += 1


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, index = [], 0
    while index < len(text):
        match = TOKEN.match(text, index)
        if match is None or match.end() == index:
            raise malformed(f"unexpected '{text[index : index + 20]}'")
        kind = match.lastgroup or ""
        tokens.append((kind, match[kind]))
        index = match.end()
    return tokens


def _condition(tokens: list[tuple[str, str]], known: dict[str, str], thing: str) -> Condition:
    (kind, name), (_, operator), value = tokens
    if kind != "word" or operator not in OPERATORS:
        raise malformed(f"expected a condition, not '{name} {operator}'")
    field = _known(name, known, thing)
    if thing == "Usage" and field == "UniqueKey":
        raise Refusal(Kind.QUERY_FIELD, "invalid field for query: Usage.UniqueKey cannot be filtered")
    literal = _literal(*value)
    if operator == "like" and not (isinstance(literal, str) and literal.count("%") == 1 and literal.endswith("%")):
        raise malformed("like takes a text that ends with the only %")
    return Condition(field, operator, literal)


def _literal(kind: str, text: str) -> Any:
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "number":
        return Decimal(text)
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    raise malformed(f"expected a value, not '{text}'")


def _same(present: Any, value: Any) -> bool:
    if value is None or present is None:
        return present is value
    if isinstance(present, bool) or isinstance(value, bool):
        return str(present).lower() == str(value).lower()
    left, right = _pair(present, value)
    return bool(left == right)


def _pair(present: Any, value: Any) -> tuple[Any, Any]:
    """Both as numbers, moments or texts, whichever the row's own value is."""
    if isinstance(present, (int, Decimal)):
        try:
            return Decimal(present), Decimal(value)
        except ArithmeticError as wrong:
            raise malformed(f"'{value}' is not a number") from wrong
    if "T" in str(present) and "T" in str(value):
        try:
            left, right = datetime.fromisoformat(str(present)), datetime.fromisoformat(str(value))
        except ValueError:
            return str(present), str(value)
        return left, right if right.tzinfo else right.replace(tzinfo=left.tzinfo)
    return str(present), str(value)


def _like(present: str, pattern: str) -> bool:
    return present.casefold().startswith(pattern[:-1].casefold())


ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


def _ordered(present: Any, operator: str, value: Any) -> bool:
    left, right = _pair(present, value)
    return bool(ORDERINGS[operator](left, right))


def run(tenant: Tenant, query: Query) -> list[dict[str, Any]]:
    """The records, each with its Id and the fields asked for that are not null."""
    names = ["Id", *(name for name in query.fields if name != "Id")]
    found = []
    for raw in _candidates(tenant, query):
        row = query.thing.shown(tenant, raw)
        kept = not query.alternatives or any(all(one.holds(row) for one in each) for each in query.alternatives)
        if kept and not _hidden(query, row):
            found.append({name: shown_value(row[name]) for name in names if row.get(name) is not None})
    return found


def _hidden(query: Query, row: Row) -> bool:
    """Removed rate plans are not shown unless asked for."""
    asked = any(one.field == "AmendmentType" for each in query.alternatives for one in each)
    return query.thing.name == "RatePlan" and row.get("AmendmentType") == "RemoveProduct" and not asked


def _candidates(tenant: Tenant, query: Query) -> Iterable[Row]:
    """Through indexes where each alternative has one condition, held by all rows that can match, that has one."""
    found: dict[str, Row] = {}
    for conditions in query.alternatives:
        rows = _indexed(tenant, query.thing, conditions) if query.thing.stored else None
        if rows is None:
            break
        found.update((row["Id"], row) for row in rows)
    else:
        if query.alternatives:
            return list(found.values())
    return list(query.thing.rows(tenant))


def _indexed(tenant: Tenant, thing: Queryable, conditions: list[Condition]) -> list[Row] | None:
    """Return the rows that one of these conditions leaves, or None where none has an index."""
    table = tenant.store.tables[thing.name]
    for one in conditions:
        if one.operator != "=" or not isinstance(one.value, str):
            continue
        if one.field == "Id":
            row = table.rows.get(one.value)
            return [row] if row else []
        if one.field in table.lookups and one.field == table_column(thing.name, one.field):
            return tenant.store.where(thing.name, one.field, one.value)
    return None


def table_column(thing: str, field: str) -> str:
    """The column that a look-up of the same name is about; a few look-ups are not about one."""
    return (
        ""
        if (thing, field) in (("Subscription", "Plan"), ("Subscription", "Charge"), ("Order", "Subscription"))
        else field
    )
