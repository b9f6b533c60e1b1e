"""Conditions of event triggers: comparisons joined by && and ||, such as `changeType == 'UPDATE'`.

Source: https://docs.zuora.com/en/zuora-platform/extensibility/events-and-notifications (custom events).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row

COMPARISON = re.compile(r"^\(*\s*([\w.]+)\s*(==|!=)\s*([\w.]+|'[^']*'|\"[^\"]*\")\s*\)*$")


def holds(condition: str, name: str, change: str, row: Row, before: Row | None) -> bool:
    """Whether a change of an object meets a trigger's condition; what is not understood does not hold.

    Args:
        condition: the trigger's text.
        name: the object, as in `Account.Name` and `Account.Name_old`.
        change: INSERT, UPDATE or DELETE.
        row: the object after the change.
        before: the object before it, if there was one.
    """
    return any(
        all(_compared(part, name, change, row, before) for part in each.split("&&")) for each in condition.split("||")
    )


def _compared(text: str, name: str, change: str, row: Row, before: Row | None) -> bool:
    match = COMPARISON.match(text.strip())
    if match is None:
        return False
    left, right = (_value(one, name, change, row, before) for one in (match[1], match[3]))
    return (left == right) is (match[2] == "==")


def _value(text: str, name: str, change: str, row: Row, before: Row | None) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    if text == "changeType":
        return change
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    field = text.removeprefix(f"{name}.")
    if field.endswith("_old"):
        return (before or {}).get(field.removesuffix("_old"))
    return row.get(field, int(field) if field.isdigit() else None)
