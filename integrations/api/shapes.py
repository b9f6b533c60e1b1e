"""Stigg's JSON in and out; pure. Names and types are those of the SDK (`stigg/types`).

What cannot be read is a Problem with its index, so that a batch is told everything that is wrong with it at once.
A name that is not known is refused, as everywhere: `update_behavior` passed over would make a sum of what was a SET.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isinf
from typing import Any, TypeVar

from integrations.api.errors import bad_input, given_twice
from integrations.api.money import tidy
from integrations.api.reading import GivenTwice, read_json
from usage.checking import Problem, Reason
from usage.history import History
from usage.models import UpdateBehavior
from usage.reporting import RawEvent, UsageReport
from usage.storing import Stored

_Read = TypeVar("_Read")
USAGE = frozenset(
    "customerId featureId value updateBehavior resourceId idempotencyKey createdAt dimensions".split()  # noqa: SIM905
)
EVENT = frozenset("customerId eventName idempotencyKey resourceId timestamp dimensions".split())  # noqa: SIM905


class Unreadable(Exception):  # noqa: N818 - an answer for the caller
    """One thing of a batch cannot be read; the text says what to change."""


def load(body: bytes) -> dict[str, Any]:
    """Read a request's body: numbers with a point are decimals, also NaN and Infinity, which are refused by name later.

    Raises:
        ApiError: it is no JSON object in UTF-8, or gives a name twice in an object.
    """
    try:
        read = read_json(body.decode())
    except GivenTwice as twice:
        raise given_twice(twice.places) from twice
    except ValueError as wrong:
        raise bad_input(f"The body is not JSON: {wrong}") from wrong
    if not isinstance(read, dict):
        raise bad_input("The body is no JSON object.")
    return read


def usage_reports(body: Mapping[str, Any]) -> tuple[dict[int, UsageReport], list[Problem]]:
    """Read `{"usages": [...]}`."""
    return batch(enumerate(_only(body, "usages")), read=usage_report)


def raw_events(body: Mapping[str, Any]) -> tuple[dict[int, RawEvent], list[Problem]]:
    """Read `{"events": [...]}`."""
    return batch(enumerate(_only(body, "events")), read=raw_event)


def _only(body: Mapping[str, Any], name: str) -> list[Any]:
    rows = body.get(name)
    if not isinstance(rows, list):
        raise bad_input(f'Send an object with the list "{name}".')
    if unknown := _unknown(body, frozenset({name})):
        raise bad_input(unknown)
    return rows


def _unknown(row: Mapping[str, Any], known: frozenset[str]) -> str | None:
    """Return what is wrong with names that nobody knows; null asks for nothing."""
    if row.keys() <= known:
        return None
    names = ", ".join(sorted(repr(name[:40]) for name in row.keys() - known if row[name] is not None))
    return f"{names}: not known here. The names are {', '.join(sorted(known))}." if names else None


def batch(
    rows: Iterable[tuple[int, Any]], *, read: Callable[[Mapping[str, Any]], _Read]
) -> tuple[dict[int, _Read], list[Problem]]:
    """Read rows by their places; return those that can be read, and what is wrong with the others."""
    found: dict[int, _Read] = {}
    problems = []
    for index, row in rows:
        try:
            if not isinstance(row, dict):
                raise Unreadable("It is no JSON object.")  # noqa: TRY301 - one place says where
            found[index] = read(row)
        except Unreadable as wrong:
            problems.append(Problem(index, Reason.BAD_INPUT, str(wrong)))
    return found, problems


def usage_report(row: Mapping[str, Any]) -> UsageReport:
    """Read one of `usages`; raises Unreadable."""
    if unknown := _unknown(row, USAGE):
        raise Unreadable(unknown)
    key = row.get("idempotencyKey")
    return UsageReport(
        customer=_text(row, "customerId"),
        feature=_text(row, "featureId"),
        value=_number(row),
        behavior=_behavior(row),
        resource=_optional_text(row, "resourceId"),
        key=None if key is None else _text(row, "idempotencyKey"),
        at=_time(row, "createdAt"),
        dimensions=_dimensions(row),
    )


def raw_event(row: Mapping[str, Any]) -> RawEvent:
    """Read one of `events`; raises Unreadable."""
    if unknown := _unknown(row, EVENT):
        raise Unreadable(unknown)
    return RawEvent(
        customer=_text(row, "customerId"),
        name=_text(row, "eventName"),
        key=_text(row, "idempotencyKey"),
        resource=_optional_text(row, "resourceId"),
        at=_time(row, "timestamp"),
        dimensions=_dimensions(row),
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        raise Unreadable(f"{name} is missing.")
    if not isinstance(value, str):
        raise Unreadable(f"{name} is no text.")
    return value


def _optional_text(row: Mapping[str, Any], name: str) -> str:
    return "" if row.get(name) is None else _text(row, name)


def _number(row: Mapping[str, Any]) -> Decimal:
    value = row.get("value")
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str):
        raise Unreadable("value is a text: send a number, without quotes.")
    raise Unreadable("value is missing." if value is None else "value is no number.")


def _behavior(row: Mapping[str, Any]) -> UpdateBehavior:
    value = row.get("updateBehavior")
    if value is None or value == "DELTA":
        return UpdateBehavior.DELTA
    if value == "SET":
        return UpdateBehavior.SET
    raise Unreadable("updateBehavior is neither DELTA nor SET.")


def _time(row: Mapping[str, Any], name: str) -> datetime | None:
    if row.get(name) is None:
        return None
    text = _text(row, name)
    at = moment(text)
    if at is None:
        raise Unreadable(f"{name} is no time in ISO 8601, for example 2026-03-10T12:00:00Z: {text[:40]!r}.")
    return at


def moment(text: str) -> datetime | None:
    """Read a time in ISO 8601; None when it is none. Whether it has an offset is left to who needs one."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _dimensions(row: Mapping[str, Any]) -> dict[str, Any]:
    value = row.get("dimensions")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable("dimensions is no JSON object.")
    return {name: _dimension(one) if isinstance(one, Decimal) else one for name, one in value.items()}


def _dimension(number: Decimal) -> float | str:
    """Return what is stored as JSON: a float where its shortest text says all, else every digit; meters read both."""
    nearest = float(number)
    return nearest if not number.is_finite() or isinf(nearest) or Decimal(repr(nearest)) == number else str(number)


def measurements(reports: Mapping[int, UsageReport], stored: Mapping[int, Stored]) -> list[dict[str, Any]]:
    """Write what was stored, in the order of the request (`UsageReportResponse`)."""
    received = {at: time(at) for at in {one.received_at for one in stored.values()}}  # mostly one
    return [
        _measurement(report, stored[index], received[stored[index].received_at]) for index, report in reports.items()
    ]


def _measurement(report: UsageReport, stored: Stored, received: str) -> dict[str, Any]:
    return {
        "id": str(stored.pk),
        "customerId": report.customer,
        "featureId": report.feature,
        "resourceId": report.resource or None,
        "value": tidy(stored.value or Decimal(0)),
        "timestamp": time(stored.occurred_at),
        "createdAt": received,
    }


def history(read: History) -> dict[str, Any]:
    """Write a usage history (`UsageHistoryResponse`)."""
    return {
        "markers": [{"timestamp": time(marker.at), "type": marker.kind} for marker in read.markers],
        "series": [
            {
                "tags": [{"key": key, "value": value} for key, value in series.tags],
                "points": [
                    {"timestamp": time(point.at), "value": tidy(point.value), "isResetPoint": point.is_reset}
                    for point in series.points
                ],
            }
            for series in read.series
        ],
    }


def time(at: datetime) -> str:
    """Write a time in UTC, with a Z."""
    return f"{at.astimezone(UTC).isoformat().removesuffix('+00:00')}Z"
