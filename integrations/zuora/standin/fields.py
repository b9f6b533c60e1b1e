"""The shapes of request bodies, as data, and the one walk that checks a body against its shape.

`fields.tsv` holds a line for each member that Zuora's API reference documents: path, type, required, maximum
length, format, allowed values. A type that starts with @ names another shape of the file; an object without
members of its own is open. Source: https://developer.zuora.com/v1-api-reference/api/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing, together

CUSTOM = re.compile(r"^[A-Za-z][A-Za-z0-9_]*__c$")
NETSUITE = re.compile(r"^[A-Za-z]+__(NS|QT)$")
DATE = re.compile(r"^\d{4}-\d\d-\d\d$")
CUSTOM_TEXT_MAXIMUM = 255


@dataclass
class Node:
    """One member of a body."""

    kind: str = "object"
    required: bool = False
    max_length: int | None = None
    form: str = ""
    allowed: frozenset[str] = frozenset()
    wsdl: int = 0
    members: dict[str, Node] = field(default_factory=dict)
    item: Node | None = None


@dataclass(frozen=True)
class Rules:
    """How strict a family is with members it does not know."""

    unknown: str = "refuse"  # or "ignore"
    custom_fields: frozenset[str] = frozenset()
    unknown_custom: str = "refuse"
    wsdl: int = 9999
    numbers_as_text: bool = False


@cache
def shapes() -> dict[str, Node]:
    """Every shape of the file, with references resolved."""
    roots: dict[str, Node] = {}
    references: list[tuple[Node, str]] = []
    root = Node()
    for line in Path(__file__).with_name("fields.tsv").read_text().splitlines():
        if line.startswith("#") or not line:
            continue
        if line.startswith("["):
            root = roots[line[1:-1]] = Node()
            continue
        path, kind, required, length, form, allowed, wsdl = (line.split("\t") + [""] * 6)[:7]
        node = _node_at(root, path)
        node.kind = kind
        node.required = required == "Y"
        node.max_length = int(length) if length and kind == "string" else None
        node.form = form
        node.allowed = frozenset(allowed.split("|")) if allowed else frozenset()
        node.wsdl = int(wsdl) if wsdl.isdigit() else 0
        if kind.startswith("@"):
            references.append((node, kind[1:]))
    for node, name in references:
        node.kind, node.members = "object", roots[name].members
    return roots


def _node_at(root: Node, path: str) -> Node:
    node = root
    for part in path.split("/"):
        name = part.removesuffix("[]")
        if name:
            node = node.members.setdefault(name, Node())
        if part.endswith("[]"):
            node.item = node.item or Node()
            node = node.item
    return node


def check(body: Any, shape: str, rules: Rules) -> dict[str, Any]:
    """The body with nulls and ignored members left out.

    Raises:
        Refusal: with one reason for each thing that is wrong, in the order met.
    """
    wrong: list[Refusal] = []
    clean = _checked(body, shapes()[shape], "", rules, wrong)
    if wrong:
        raise together(wrong)
    return dict(clean)


def _checked(value: Any, node: Node, path: str, rules: Rules, wrong: list[Refusal]) -> Any:
    if node.kind == "object":
        if isinstance(value, dict):
            return _checked_object(value, node, path, rules, wrong)
        wrong.append(_type_error(path, "an object"))
        return {}
    if node.kind == "array":
        items = (
            value if isinstance(value, list) else [value] if rules.numbers_as_text and isinstance(value, str) else None
        )
        if items is None:
            wrong.append(_type_error(path, "an array"))
            return []
        item = node.item or Node(kind="any")
        return [_checked(one, item, f"{path}[{index}]", rules, wrong) for index, one in enumerate(items)]
    return _checked_scalar(value, node, path, rules, wrong)


def _checked_object(value: dict[str, Any], node: Node, path: str, rules: Rules, wrong: list[Refusal]) -> dict[str, Any]:
    if not node.members:
        return {name: member for name, member in value.items() if member is not None}
    clean: dict[str, Any] = {}
    for name, member in value.items():
        if member is None:
            continue
        inner = f"{path}.{name}" if path else name
        known = node.members.get(name)
        if known is not None and known.wsdl <= rules.wsdl:
            clean[name] = _checked(member, known, inner, rules, wrong)
        elif CUSTOM.match(name) or NETSUITE.match(name):
            if _custom_allowed(name, member, inner, rules, wrong):
                clean[name] = member
        elif rules.unknown == "refuse":
            wrong.append(Refusal(Kind.UNKNOWN_FIELD, f"Error - unrecognised fields: {inner}"))
    for name, known in node.members.items():
        if known.required and value.get(name) in (None, ""):
            wrong.append(missing(f"{path}.{name}" if path else name))
    return clean


def _custom_allowed(name: str, member: Any, path: str, rules: Rules, wrong: list[Refusal]) -> bool:
    if name.endswith("__c") and name not in rules.custom_fields:
        if rules.unknown_custom == "refuse":
            wrong.append(Refusal(Kind.UNKNOWN_FIELD, f"Error - unrecognised fields: {path}"))
        return False
    if isinstance(member, str) and len(member) > CUSTOM_TEXT_MAXIMUM:
        wrong.append(_too_long(path, CUSTOM_TEXT_MAXIMUM))
    elif isinstance(member, (dict, list)):
        wrong.append(_type_error(path, "a single value"))
    return True


def _checked_scalar(value: Any, node: Node, path: str, rules: Rules, wrong: list[Refusal]) -> Any:
    if node.kind == "boolean":
        if isinstance(value, bool):
            return value
        if rules.numbers_as_text and value in ("true", "false"):
            return value == "true"
        wrong.append(_type_error(path, "true or false"))
    elif node.kind in ("number", "integer"):
        return _checked_number(value, node, path, rules, wrong)
    elif node.kind == "string":
        return _checked_text(value, node, path, wrong)
    return value


def _checked_number(value: Any, node: Node, path: str, rules: Rules, wrong: list[Refusal]) -> Any:
    if isinstance(value, str) and rules.numbers_as_text:
        try:
            value = Decimal(value)
        except InvalidOperation:
            value = None
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole or (node.kind == "number" and isinstance(value, Decimal) and value.is_finite()):
        return value
    if node.kind == "integer" and isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    wrong.append(_type_error(path, "a number" if node.kind == "number" else "a whole number"))
    return 0


def _checked_text(value: Any, node: Node, path: str, wrong: list[Refusal]) -> Any:
    if not isinstance(value, str):
        wrong.append(_type_error(path, "text"))
        return ""
    if node.max_length is not None and len(value) > node.max_length:
        wrong.append(_too_long(path, node.max_length))
    if node.allowed and value not in node.allowed:
        wrong.append(
            invalid(f"The value of {path} is not valid: '{value[:80]}'. Allowed: {', '.join(sorted(node.allowed))}.")
        )
    if node.form == "date":
        read_date(value, path, wrong)
    elif node.form == "date-time":
        read_moment(value, path, wrong)
    return value


def read_date(value: str, path: str, wrong: list[Refusal]) -> None:
    try:
        date.fromisoformat(value if DATE.match(value) else "")
    except ValueError:
        wrong.append(invalid(f"The value of {path} is not a date in the form yyyy-mm-dd: '{value[:40]}'."))


def read_moment(value: str, path: str, wrong: list[Refusal]) -> None:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        wrong.append(invalid(f"The value of {path} is not a date and time: '{value[:40]}'."))


def _type_error(path: str, wanted: str) -> Refusal:
    return invalid(f"The value of {path or 'the body'} must be {wanted}.")


def _too_long(path: str, maximum: int) -> Refusal:
    return invalid(f"The value of {path} is longer than {maximum} characters.")
