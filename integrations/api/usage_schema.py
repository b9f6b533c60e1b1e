"""What usage looks like on the wire, for the document. Batches are read by `shapes`, a thousand rows at a time."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from integrations.api.schema import Data, Input, Moment, Name, Number, Output, Text
from usage.models import UpdateBehavior
from usage.reporting import MAX_BATCH

Dimensions = Annotated[
    dict[str, Any],
    Field(description="Texts, numbers, or true and false, by name."),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
]


class UsageIn(Input):
    """So much of a feature was used."""

    customer_id: Name
    feature_id: Name
    value: Number = Field(description="Rounded half away from zero to nine digits after the point.")
    update_behavior: UpdateBehavior | None = None
    resource_id: Text | None = None
    idempotency_key: Name | None = Field(None, description="What comes again under it is the same usage, told again.")
    created_at: Moment | None = Field(None, description="When it was used; now, when left out.")
    dimensions: Dimensions | None = None


class UsagesIn(Input):
    """A batch: all of it is stored, or nothing."""

    usages: list[UsageIn] = Field(min_length=1, max_length=MAX_BATCH)


class EventIn(Input):
    """Something happened; meters say what it counts for."""

    customer_id: Name
    event_name: Name
    idempotency_key: Name
    resource_id: Text | None = None
    timestamp: Moment | None = Field(None, description="When it happened; now, when left out.")
    dimensions: Dimensions | None = None


class EventsIn(Input):
    """A batch: all of it is stored, or nothing."""

    events: list[EventIn] = Field(min_length=1, max_length=MAX_BATCH)


class UsageOut(Output):
    """What was stored."""

    id: str
    customer_id: str
    feature_id: str
    resource_id: str | None
    value: Number
    timestamp: datetime
    created_at: datetime


class UsagesOut(Output):
    """What was stored, in the order of the request."""

    usages: list[UsageOut]


class Nothing(Output):
    """It is done."""


class MarkerOut(Output):
    """Where usage began again from nothing."""

    timestamp: datetime
    type: Literal["PERIODIC_RESET", "SUBSCRIPTION_CHANGE_RESET"]


class PointOut(Output):
    """How much was used at a time."""

    timestamp: datetime
    value: Number
    is_reset_point: bool


class TagOut(Output):
    """What a series is of."""

    key: str
    value: str


class SeriesOut(Output):
    """Usage over time."""

    tags: list[TagOut]
    points: list[PointOut]


class HistoryOut(Output):
    """Usage over time, by what it is grouped by."""

    markers: list[MarkerOut]
    series: list[SeriesOut]


class HistoryQuery(Input):
    """Which part of it."""

    start_date: Moment
    end_date: Moment | None = None
    resource_id: Text | None = None
    group_by: Text | None = Field(None, description="A dimension.")


class Triggered(Output):
    """Whether all that there was to send has been sent."""

    triggered: bool


UsagesAnswer = Data[list[UsageOut]]
UsagesAnswerV2 = Data[UsagesOut]
EventsAnswer = Data[Nothing]
HistoryAnswer = Data[HistoryOut]
