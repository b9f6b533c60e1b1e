"""What a meter makes of raw events; pure.

Filters are a list, as Stigg's SDK types it (`DataMeterFilter`): an event counts when it meets every condition of any
one of them. A condition's field is a dimension, or the event's own name (`eventName`). Texts are compared exactly;
where both sides are numbers, they are compared as numbers. An event without the field meets IS_NULL and NOT_EQUALS
only: who leaves out the events of test systems wants to keep those that say nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Protocol

from usage.models.meter import Aggregation, Operation

EVENT_NAME = ("eventName", "event_name")
#: What usage can hold: so many digits before and after the point.
DIGITS_BEFORE, DIGITS_AFTER = 13, 9
LAST_DIGIT = Decimal(1).scaleb(-DIGITS_AFTER)
_ONE = Decimal(1)


class Countable(Protocol):
    """What a meter needs to know of an event."""

    @property
    def event_name(self) -> str: ...

    @property
    def dimensions(self) -> Mapping[str, Any]: ...


@dataclass(slots=True)
class Part:
    """What some events come to: how many counted, and their sum, least or most; parts of a time can be put together."""

    count: int = 0
    amount: Decimal | None = None

    def take(self, said: Decimal, aggregation: str) -> None:
        """Add what one event said."""
        self.count += 1
        self.amount = said if self.amount is None else _joined(self.amount, said, aggregation)


def put_together(one: Part, other: Part, aggregation: str) -> Part:
    """Return what the events of both come to; of UNIQUE, when no value is in both."""
    if one.amount is None or other.amount is None:
        return Part(one.count + other.count, other.amount if one.amount is None else one.amount)
    return Part(one.count + other.count, _joined(one.amount, other.amount, aggregation))


def _joined(one: Decimal, other: Decimal, aggregation: str) -> Decimal:
    if aggregation == Aggregation.MIN:
        return min(one, other)
    if aggregation == Aggregation.MAX:
        return max(one, other)
    return one + other


def result(part: Part, aggregation: str) -> Decimal:
    """Return what is used, to nine digits after the point; zero when nothing counted."""
    if aggregation in {Aggregation.COUNT, Aggregation.UNIQUE}:
        return Decimal(part.count)
    if part.amount is None:
        return Decimal(0)
    return _rounded(part.amount / part.count if aggregation == Aggregation.AVG else part.amount)


def said(event: Countable, *, aggregation: str, field: str) -> Decimal | str | None:
    """Return what an event that the filters let through says: a number, or a text for UNIQUE; None: it does not count.

    Events without a number in the field, or with one of more than 13 digits before the point, do not count for SUM,
    MIN, MAX and AVG; events without the field do not count for UNIQUE.
    """
    if aggregation == Aggregation.COUNT:
        return _ONE
    found = _value_of(event, field)
    if aggregation == Aggregation.UNIQUE:
        return None if found is None else as_text(found)
    number = _number(found)
    if number is None or number.adjusted() >= DIGITS_BEFORE:
        return None
    return number.quantize(LAST_DIGIT, ROUND_HALF_UP)  # each by itself, so that hours add up to their period


class Tally:
    """Counts events one by one for an aggregation over a field; `value` is the result so far."""

    def __init__(self, *, aggregation: str, field: str) -> None:
        self._aggregation, self._field = aggregation, field
        self._part = Part()
        self._seen: set[str] = set()

    def add(self, event: Countable) -> None:
        """Count one event that the filters let through."""
        found = said(event, aggregation=self._aggregation, field=self._field)
        if isinstance(found, str):
            self._seen.add(found)
        elif found is not None:
            self._part.take(found, self._aggregation)

    @property
    def value(self) -> Decimal:
        """The result, to nine digits after the point; zero when nothing counted."""
        return Decimal(len(self._seen)) if self._seen else result(self._part, self._aggregation)


def evaluate(
    *, aggregation: str, field: str, filters: Sequence[Mapping[str, Any]], events: Iterable[Countable]
) -> Decimal:
    """Return what was used, by a meter, when these events happened."""
    tally = Tally(aggregation=aggregation, field=field)
    for event in events:
        if counts(filters=filters, event=event):
            tally.add(event)
    return tally.value


def counts(*, filters: Sequence[Mapping[str, Any]], event: Countable) -> bool:
    """Return whether a meter with these filters counts the event."""
    if not filters:
        return True
    return any(all(_meets(condition, event) for condition in one["conditions"]) for one in filters)


def _meets(condition: Mapping[str, Any], event: Countable) -> bool:
    found = _value_of(event, condition["field"])
    operation = Operation(condition["operation"])
    if operation == Operation.IS_NULL:
        return found is None
    if found is None:
        return operation == Operation.NOT_EQUALS
    if operation == Operation.IS_NOT_NULL:
        return True
    if operation == Operation.IN:
        return any(_equal(found, value) for value in condition.get("values") or ())
    return _COMPARISONS[operation](found, condition.get("value"))


def _value_of(event: Countable, field: str) -> Any:
    return event.event_name if field in EVENT_NAME else event.dimensions.get(field)


def as_text(value: Any) -> str:
    """Return a dimension as a filter writes it: true and 1.5, not True and 1.50."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    number = _number(value)
    return str(value) if number is None else f"{number.normalize():f}"


def _number(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _equal(found: Any, value: Any) -> bool:
    number, other = _number(found), _number(value)
    if number is not None and other is not None:
        return number == other
    return as_text(found) == as_text(value)


def _ordered(holds: Callable[[Decimal, Decimal], bool]) -> Callable[[Any, Any], bool]:
    def compare(found: Any, value: Any) -> bool:
        number, other = _number(found), _number(value)
        return number is not None and other is not None and holds(number, other)

    return compare


_COMPARISONS: dict[Operation, Callable[[Any, Any], bool]] = {
    Operation.EQUALS: _equal,
    Operation.NOT_EQUALS: lambda found, value: not _equal(found, value),
    Operation.GREATER_THAN: _ordered(lambda a, b: a > b),
    Operation.GREATER_THAN_OR_EQUAL: _ordered(lambda a, b: a >= b),
    Operation.LESS_THAN: _ordered(lambda a, b: a < b),
    Operation.LESS_THAN_OR_EQUAL: _ordered(lambda a, b: a <= b),
    Operation.CONTAINS: lambda found, value: as_text(value) in as_text(found),
    Operation.STARTS_WITH: lambda found, value: as_text(found).startswith(as_text(value)),
    Operation.ENDS_WITH: lambda found, value: as_text(found).endswith(as_text(value)),
}


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(LAST_DIGIT)
