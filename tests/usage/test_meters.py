"""What a meter makes of raw events."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, get_args

import pytest
from django.core.exceptions import ValidationError
from stigg.types.v1.feature import DataMeterFilterCondition

from tests.factories.usage import MeterFactory
from usage.meters import counts, evaluate
from usage.models import Aggregation
from usage.models.meter import Operation


@dataclass(frozen=True)
class Event:
    event_name: str = "upload"
    dimensions: dict[str, Any] = field(default_factory=dict)


def filters(*conditions: tuple[str, str, Any]) -> list[dict[str, Any]]:
    """One filter of these conditions."""
    return [
        {
            "conditions": [
                {"field": name, "operation": operation, "values" if operation == "IN" else "value": value}
                for name, operation, value in conditions
            ]
        }
    ]


@pytest.mark.parametrize(
    ("found", "operation", "value", "is_met"),
    [
        ("emea", "EQUALS", "emea", True),
        ("Emea", "EQUALS", "emea", False),
        (True, "EQUALS", "true", True),
        (1.50, "EQUALS", "1.5", True),
        ("007", "EQUALS", "7", True),
        ("emea", "NOT_EQUALS", "apac", True),
        ("emea", "NOT_EQUALS", "emea", False),
        (None, "NOT_EQUALS", "emea", True),
        (None, "EQUALS", "None", False),
        (10, "GREATER_THAN", "9", True),
        ("10", "GREATER_THAN", "9", True),
        (9, "GREATER_THAN", "9", False),
        (9, "GREATER_THAN_OR_EQUAL", "9", True),
        ("many", "GREATER_THAN", "9", False),
        (True, "GREATER_THAN", "0", False),
        (None, "LESS_THAN", "9", False),
        (-1.5, "LESS_THAN", "-1", True),
        (-1, "LESS_THAN_OR_EQUAL", "-1", True),
        (None, "IS_NULL", None, True),
        ("", "IS_NULL", None, False),
        (False, "IS_NOT_NULL", None, True),
        (None, "IS_NOT_NULL", None, False),
        ("eu-central-1", "CONTAINS", "central", True),
        ("eu-central-1", "CONTAINS", "west", False),
        ("eu-central-1", "STARTS_WITH", "eu-", True),
        ("eu-central-1", "STARTS_WITH", "central", False),
        ("eu-central-1", "ENDS_WITH", "-1", True),
        ("eu-central-1", "ENDS_WITH", "eu", False),
        ("emea", "IN", ["apac", "emea"], True),
        ("amer", "IN", ["apac", "emea"], False),
        (None, "IN", ["apac"], False),
    ],
)
def test_a_condition_compares_a_dimension(found: Any, operation: str, value: Any, is_met: bool) -> None:
    event = Event(dimensions={} if found is None else {"region": found})

    assert counts(filters=filters(("region", operation, value)), event=event) is is_met


def test_all_conditions_of_any_one_filter_are_needed() -> None:
    either = [
        *filters(("eventName", "EQUALS", "upload"), ("size", "GREATER_THAN", "10")),
        *filters(("event_name", "EQUALS", "download")),
    ]

    assert counts(filters=either, event=Event(dimensions={"size": 11}))
    assert not counts(filters=either, event=Event(dimensions={"size": 10}))
    assert counts(filters=either, event=Event("download"))
    assert not counts(filters=either, event=Event("delete"))


def test_without_filters_every_event_counts() -> None:
    assert counts(filters=[], event=Event())


SIZES = [1.5, 2, "4.25", None, "many", True, -3, 1e300, 2]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        (Aggregation.COUNT, "9"),
        (Aggregation.UNIQUE, "7"),
        (Aggregation.SUM, "6.75"),
        (Aggregation.MIN, "-3"),
        (Aggregation.MAX, "4.25"),
        (Aggregation.AVG, "1.35"),
    ],
)
def test_what_is_counted_is_aggregated(aggregation: Aggregation, expected: str) -> None:
    events = [Event(dimensions={} if size is None else {"size": size}) for size in SIZES]

    assert evaluate(aggregation=aggregation, field="size", filters=[], events=events) == Decimal(expected)


@pytest.mark.parametrize("aggregation", Aggregation.values)
def test_nothing_counted_is_nothing_used(aggregation: str) -> None:
    events = [Event("download", {"size": 5})]

    used = evaluate(
        aggregation=aggregation, field="size", filters=filters(("eventName", "EQUALS", "upload")), events=events
    )

    assert used == 0


def test_sums_are_exact_where_floats_are_not() -> None:
    events = [Event(dimensions={"size": 0.1})] * 3

    assert evaluate(aggregation="SUM", field="size", filters=[], events=events) == Decimal("0.3")


def test_an_average_has_nine_digits_after_the_point() -> None:
    events = [Event(dimensions={"size": size}) for size in (1, 1, 0)]

    assert evaluate(aggregation="AVG", field="size", filters=[], events=events) == Decimal("0.666666667")


def test_every_operation_of_the_sdk_is_known() -> None:
    assert set(get_args(DataMeterFilterCondition.model_fields["operation"].annotation)) == set(Operation.values)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [{}],
        [{"conditions": []}],
        [{"conditions": [{"operation": "EQUALS", "value": "a"}]}],
        [{"conditions": [{"field": "a", "operation": "LIKE", "value": "a"}]}],
        [{"conditions": [{"field": "a", "operation": "EQUALS"}]}],
        [{"conditions": [{"field": "a", "operation": "EQUALS", "value": 1}]}],
        [{"conditions": [{"field": "a", "operation": "IN", "value": "a"}]}],
        [{"conditions": [{"field": "a", "operation": "IN", "values": [1]}]}],
    ],
)
def test_filters_that_could_not_be_read_are_refused_when_a_meter_is_made(wrong: Any) -> None:
    meter = MeterFactory.create(filters=filters(("a", "IS_NULL", None), ("b", "IN", ["x"])))
    meter.full_clean()
    meter.filters = wrong

    with pytest.raises(ValidationError) as error:
        meter.full_clean()

    assert list(error.value.message_dict) == ["filters"]
