from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models

from catalog.models import Feature


class Aggregation(models.TextChoices):
    SUM = "SUM"
    COUNT = "COUNT"
    UNIQUE = "UNIQUE"
    MIN = "MIN"
    MAX = "MAX"
    AVG = "AVG"

    @property
    def adds_up(self) -> bool:
        """Whether the parts of a time add up to all of it: the users of two hours may be the same ones."""
        return self in {Aggregation.SUM, Aggregation.COUNT}


class Operation(models.TextChoices):
    """How a condition compares, in the words of Stigg's SDK (`DataMeterFilterCondition`)."""

    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    GREATER_THAN = "GREATER_THAN"
    GREATER_THAN_OR_EQUAL = "GREATER_THAN_OR_EQUAL"
    LESS_THAN = "LESS_THAN"
    LESS_THAN_OR_EQUAL = "LESS_THAN_OR_EQUAL"
    IS_NULL = "IS_NULL"
    IS_NOT_NULL = "IS_NOT_NULL"
    CONTAINS = "CONTAINS"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    IN = "IN"


_EXAMPLE = '[{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "file_uploaded"}]}]'


def check_filters(filters: Any) -> None:
    """Refuse, with ValidationError, what is no list of filters."""
    if not isinstance(filters, list):
        raise ValidationError(f"Filters are a list, for example {_EXAMPLE}.")
    for one in filters:
        conditions = one.get("conditions") if isinstance(one, dict) else None
        if not isinstance(conditions, list) or not conditions:
            raise ValidationError(f"Each filter has at least one condition, for example {_EXAMPLE}.")
        for condition in conditions:
            _check_condition(condition)


def _check_condition(condition: Any) -> None:
    if not isinstance(condition, dict) or not isinstance(condition.get("field"), str) or not condition["field"]:
        raise ValidationError(f"Each condition names its field, for example {_EXAMPLE}.")
    operation = condition.get("operation")
    if operation not in Operation.values:
        raise ValidationError(f"{operation!r} is no operation: choose one of {', '.join(Operation.values)}.")
    if operation in {Operation.IS_NULL, Operation.IS_NOT_NULL}:
        return
    if operation == Operation.IN:
        values = condition.get("values")
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise ValidationError(f'IN needs a list of texts, for example "values": ["emea", "apac"]: {condition}.')
    elif not isinstance(condition.get("value"), str):
        raise ValidationError(f'{operation} needs a text, for example "value": "emea": {condition}.')


class Counting(models.Model):
    """Which raw events count for a feature, and how.

    `filters` is Stigg's list: an event counts when it meets every condition of any one of them, each
    `{"conditions": [{"field": ..., "operation": ..., "value": ...}]}`; an empty list lets all events count.
    """

    aggregation = models.CharField(max_length=6, choices=Aggregation)
    field = models.CharField(max_length=255, blank=True, help_text="The dimension that is aggregated; empty for COUNT.")
    filters = models.JSONField(default=list, blank=True)

    class Meta:
        abstract = True

    @property
    def adds_up(self) -> bool:
        """Whether what it counts in the parts of a time adds up to what it counts in all of it."""
        return Aggregation(self.aggregation).adds_up


class Meter(Counting):
    """Turns raw events into the usage of a feature."""

    feature = models.OneToOneField(Feature, on_delete=models.CASCADE, related_name="meter")
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(aggregation="COUNT") | ~models.Q(field=""),
                name="meter_names_its_field",
                violation_error_message="Only COUNT needs no field: name the dimension that is aggregated.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.aggregation} {self.field}".strip()

    def clean(self) -> None:
        """Check the filters: one that could not be read would silently count nothing."""
        try:
            check_filters(self.filters)
        except ValidationError as wrong:
            raise ValidationError({"filters": wrong.messages}) from wrong


class MeterVersion(Counting):
    """A meter by which a feature's raw events have been counted, until it was another; empty: for a while it had none.

    The one without an end is that by which they were counted last, as of when it was changed.
    """

    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="+")
    changed_at = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["feature"], condition=models.Q(until=None), name="meter_version_counted_by")
        ]

    def __str__(self) -> str:
        return f"{self.feature_id}: {self.aggregation} {self.field}".strip()

    @classmethod
    def of(cls, meter: Meter) -> Self:
        """Return the meter as it is now, not saved."""
        told = {name: getattr(meter, name) for name in ("aggregation", "field", "filters", "changed_at")}
        return cls(feature_id=meter.feature_id, **told)
