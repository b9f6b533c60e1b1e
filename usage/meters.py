"""What a meter makes of raw events; pure.

Filters are a list, as Stigg's SDK types it (`DataMeterFilter`): an event counts when it meets every condition of any
one of them. A condition's field is a dimension, or the event's own name (`eventName`). Texts are compared exactly;
where both sides are numbers, they are compared as numbers. An event without the field meets IS_NULL and NOT_EQUALS
only: who leaves out the events of test systems wants to keep those that say nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Protocol

from usage.models.meter import Aggregation, Operation

EVENT_NAME = ("eventName", "event_name")
#: What usage can hold: so many digits before and after the point.
DIGITS_BEFORE, DIGITS_AFTER = 13, 9
LAST_DIGIT = Decimal(1).scaleb(-DIGITS_AFTER)


class Countable(Protocol):
    """What a meter needs to know of an event."""

    @property
    def event_name(self) -> str: ...

    @property
    def dimensions(self) -> Mapping[str, Any]: ...


class Tally:
    """Counts events one by one for an aggregation over a field; `value` is the result so far.

    Events without a number in the field, or with one of more than 13 digits before the point, do not count for SUM,
    MIN, MAX and AVG; events without the field do not count for UNIQUE.
    """

    def __init__(self, *, aggregation: str, field: str) -> None:
        self._aggregation, self._field = Aggregation(aggregation), field
        self._count = 0
        self._sum = Decimal(0)
        self._extreme: Decimal | None = None
        self._seen: set[str] = set()

    def add(self, event: Countable) -> None:
        """Count one event that the filters let through."""
        if self._aggregation == Aggregation.COUNT:
            self._count += 1
            return
        found = _value_of(event, self._field)
        if self._aggregation == Aggregation.UNIQUE:
            if found is not None:
                self._seen.add(as_text(found))
            return
        number = _number(found)
        if number is None or number.adjusted() >= DIGITS_BEFORE:
            return
        number = number.quantize(LAST_DIGIT, ROUND_HALF_UP)  # each by itself, so that hours add up to their period
        self._count += 1
        self._sum += number
        if self._aggregation == Aggregation.MIN:
            self._extreme = number if self._extreme is None else min(self._extreme, number)
        elif self._aggregation == Aggregation.MAX:
            self._extreme = number if self._extreme is None else max(self._extreme, number)

    @property
    def value(self) -> Decimal:
        """The result, to nine digits after the point; zero when nothing counted."""
        match self._aggregation:
            case Aggregation.COUNT:
                return Decimal(self._count)
            case Aggregation.UNIQUE:
                return Decimal(len(self._seen))
            case Aggregation.MIN | Aggregation.MAX:
                return _rounded(self._extreme or Decimal(0))
            case Aggregation.AVG:
                return _rounded(self._sum / self._count if self._count else Decimal(0))
            case Aggregation.SUM:
                return _rounded(self._sum)


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
