"""What usage must look like to be stored; pure, and every refusal is a sentence that says what to change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any

from catalog.models import FeatureStatus, FeatureType, MeterType
from usage.meters import DIGITS_AFTER, DIGITS_BEFORE, LAST_DIGIT
from usage.models import UpdateBehavior

if TYPE_CHECKING:
    from usage.reporting import RawEvent, UsageReport

MAX_TEXT = 255
MAX_DIMENSIONS = 100
MAX_DIMENSION_TEXT = 4096
#: Clocks differ: so much ahead of ours still counts as now.
CLOCK_SKEW = timedelta(minutes=5)
#: Older than any account in Zuora; what lies before is a clock that was never set, or seconds taken for milliseconds.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Reason(StrEnum):
    """Why something was refused, by the codes of Stigg's API."""

    BAD_INPUT = "BadUserInput"
    CUSTOMER_NOT_FOUND = "CustomerNotFound"
    FEATURE_NOT_FOUND = "FeatureNotFound"
    PLAN_NOT_FOUND = "PlanNotFound"
    DUPLICATE = "DuplicatedEntityNotAllowed"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one event, by its place in the caller's batch; None: with the batch as a whole."""

    index: int | None
    code: Reason
    reason: str


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """What decides whether usage of a feature can be reported."""

    pk: int
    feature_type: str
    meter_type: str
    status: str


def problem_of_usage(
    report: "UsageReport",
    *,
    value: Decimal,
    index: int,
    customer: int | None,
    feature: FeatureFacts | None,
    now: datetime,
    exact_digits: int,
) -> Problem | None:
    """Return what is wrong with usage of a feature; None when nothing is.

    `value` is what would be stored of the report's; the database holds so many digits exactly.
    """
    reason = (
        _of_text("customerId", report.customer)
        or _of_text("featureId", report.feature)
        or _of_rest(report, now)
        or (None if report.key is None else _of_text("idempotencyKey", report.key))
        or _of_value(value, report.behavior, exact_digits)
    )
    if reason:
        return Problem(index, Reason.BAD_INPUT, reason)
    if customer is None:
        return _no_customer(index, report.customer)
    if feature is None:
        return Problem(index, Reason.FEATURE_NOT_FOUND, f"No feature has the id {report.feature!r}.")
    if reason := _of_feature(report.feature, feature):
        return Problem(index, Reason.BAD_INPUT, reason)
    return None


def problem_of_event(event: "RawEvent", *, index: int, customer: int | None, now: datetime) -> Problem | None:
    """Return what is wrong with a raw event; None when nothing is."""
    reason = (
        _of_text("customerId", event.customer)
        or _of_text("eventName", event.name)
        or _of_text("idempotencyKey", event.key)
        or _of_rest(event, now)
    )
    if reason:
        return Problem(index, Reason.BAD_INPUT, reason)
    return _no_customer(index, event.customer) if customer is None else None


def _no_customer(index: int, ref_id: str) -> Problem:
    return Problem(
        index, Reason.CUSTOMER_NOT_FOUND, f"No customer has the id {ref_id!r}: create it before reporting its usage."
    )


def _of_rest(event: "UsageReport | RawEvent", now: datetime) -> str | None:
    return (
        (_of_text("resourceId", event.resource) if event.resource else None)
        or (_of_time(event.at, now) if event.at is not None else None)
        or (_of_dimensions(event.dimensions) if event.dimensions else None)
    )


def _of_text(name: str, text: str) -> str | None:
    if not text:
        return f"{name} is missing."
    if len(text) > MAX_TEXT:
        return f"{name} has {len(text)} characters: {MAX_TEXT} are the most."
    if not is_storable(text):
        return f"{name} has characters that no database holds (NUL, or half of a surrogate pair): leave them out."
    return None


def is_storable(text: str) -> bool:
    """Return whether a database takes the text: no NUL, and no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _of_time(at: datetime, now: datetime) -> str | None:
    if at.utcoffset() is None:
        return f"The time {at.isoformat()} has no offset: end it with Z, or with one such as +02:00."
    if at > now + CLOCK_SKEW:
        return f"The time {at.isoformat()} lies in the future: report usage once it has happened."
    if at < EARLIEST:
        return f"The time {at.isoformat()} lies before {EARLIEST.year}: look whether its unit or its clock is wrong."
    return None


def as_stored(value: Decimal) -> Decimal:
    """Return a value to the last digit that is held: half away from zero as Stigg rounds, who keeps four digits less.

    An application computes with floats, and 0.1 + 0.2 is 0.30000000000000004.
    """
    if not value.is_finite() or value.adjusted() >= DIGITS_BEFORE:
        return value  # refused
    exponent = value.as_tuple().exponent
    is_longer = isinstance(exponent, int) and exponent < -DIGITS_AFTER
    return value.quantize(LAST_DIGIT, ROUND_HALF_UP) if is_longer else value


def _of_value(value: Decimal, behavior: UpdateBehavior, exact_digits: int) -> str | None:
    if not value.is_finite():
        return f"The value {value} is not a number that can be counted: send a finite one."
    if value and value.adjusted() >= DIGITS_BEFORE:
        return f"The value has more than {DIGITS_BEFORE} digits before the point: nothing that is billed has so many."
    # Zeros at the end are no digits: 0.5000000000 can be held.
    if exact_digits < DIGITS_BEFORE + DIGITS_AFTER and len(value.normalize().as_tuple().digits) > exact_digits:
        return (
            f"The value {value} has more than {exact_digits} digits, which this database cannot hold: use PostgreSQL."
        )
    if behavior == UpdateBehavior.SET and value < 0:
        return f"The value {value} cannot be what is used from now on: a SET starts at zero. For less, send a DELTA."
    return None


def _of_feature(ref_id: str, feature: FeatureFacts) -> str | None:
    if feature.feature_type != FeatureType.NUMBER:
        return f"The feature {ref_id!r} is {feature.feature_type}: only NUMBER features are used by amounts."
    if feature.meter_type == MeterType.NONE:
        return f"The feature {ref_id!r} has no meter: set its meter type to INCREMENTAL or FLUCTUATING first."
    if feature.status == FeatureStatus.SUSPENDED:
        return f"The feature {ref_id!r} is suspended: activate it before reporting its usage."
    return None


def _of_dimensions(dimensions: Mapping[str, Any]) -> str | None:
    if len(dimensions) > MAX_DIMENSIONS:
        return f"It has {len(dimensions)} dimensions: {MAX_DIMENSIONS} are the most."
    for name, value in dimensions.items():
        if reason := _of_text(f"The dimension {name[:40]!r}: its name", name) or _of_dimension(name, value):
            return reason
    return None


def _of_dimension(name: str, value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > MAX_DIMENSION_TEXT:
            return f"The dimension {name!r} has {len(value)} characters: {MAX_DIMENSION_TEXT} are the most."
        return None if is_storable(value) else f"The dimension {name!r} has characters that no database holds."
    if isinstance(value, int | float):
        return None if _is_held(value) else f"The number in the dimension {name!r} is too large: send it as a text."
    return f"The dimension {name!r} is neither a text, nor a number, nor true or false."


def _is_held(number: float) -> bool:
    try:
        return isfinite(number)
    except OverflowError:  # a whole number beyond every float
        return False
