"""Single values of Stigg's API as our own: pure.

Money comes as JSON numbers, which are read as floats; the shortest text that gives the same float is the number that
was written. What we cannot hold raises `Unreadable`, whose text says why to a person.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import TextChoices

from integrations.stigg.account import Row

#: What Stripe's ids look like: https://docs.stripe.com/api (prod_, price_, cus_, sub_, pm_ and their like).
_STRIPES = re.compile(r"[a-z]{2,6}_[A-Za-z0-9]{8,}")


class Unreadable(Exception):  # noqa: N818 - an answer for a person
    """The row cannot be taken as it is; the text says why and what can be done."""


def one_of(choices: type[TextChoices], value: Any) -> str:
    """Return the value if we know it: nothing is billed by these, so one that we do not know stops nothing."""
    return value if value in choices.values else ""


def zuoras(billing_id: str | None) -> str:
    """Return a billing ID unless it is plainly another billing system's: it would link nothing in Zuora, and fail."""
    return "" if not billing_id or _STRIPES.fullmatch(billing_id) else billing_id


def metadata(row: Row) -> dict[str, str]:
    """Return the metadata of a row; the texts in it are checked by the field that they go to."""
    return said(row.get("metadata") or {})


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of it has a value."""
    return {name: value for name, value in values.items() if value is not None}


def decimal(value: Any) -> Decimal:
    """Return a JSON number as it was written."""
    try:
        found = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        raise Unreadable(f"{value!r} is no number.") from None
    if not found.is_finite():
        raise Unreadable(f"{value!r} is no number.")
    return found


def whole(value: Any) -> int | None:
    """Return a count, or None where there is none."""
    if value is None:
        return None
    found = decimal(value)
    if found != found.to_integral_value() or found < 0:
        raise Unreadable(f"{value} should be a whole number: correct it in Stigg.")
    return int(found)


def moment(text: str | None) -> datetime | None:
    """Return a time of Stigg's in UTC; one without an offset is meant so."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{text!r} is no time.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
