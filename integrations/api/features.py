"""Features (https://docs.stigg.io/api-reference/features): what a charge counts, and how events become its usage."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from pydantic import Field

from catalog.models import Feature, FeatureStatus, FeatureType, MeterType
from catalog.publishing import archive_feature as archive
from catalog.publishing import unarchive_feature as unarchive
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.paging import page
from integrations.api.schema import (
    ByCreation,
    CommaList,
    Data,
    Input,
    LongText,
    Metadata,
    Name,
    Output,
    Page,
    RefId,
    Text,
)
from integrations.api.writing import create, update, values
from usage.metering import set_meter
from usage.models.meter import Aggregation, Operation

_TAG = "Features"
_RENAMED = {"id": "ref_id", "feature_status": "status", "feature_units": "units_singular"}
_RENAMED |= {"feature_units_plural": "units_plural"}
_NOT_BUILT = {"unitTransformation": "usage is billed in the unit that it is reported in: divide it before reporting."}
_APART = ("meter", "meter_type", "enum_configuration")


class RestMeterType(StrEnum):
    """What Stigg's REST calls the meter types."""

    NONE = "None"
    FLUCTUATING = "FLUCTUATING"
    INCREMENTAL = "INCREMENTAL"

    @property
    def stored(self) -> MeterType:
        return MeterType(self.value.upper())

    @classmethod
    def of(cls, meter_type: str) -> "RestMeterType":
        return cls.NONE if meter_type == MeterType.NONE else cls(meter_type)


class EnumValue(Input):
    """One of the values of an ENUM feature."""

    value: Name
    display_name: Name


class ConditionIn(Input):
    """What an event has to meet: `value` for one text, `values` for IN."""

    field: Name
    operation: Operation
    value: Text | None = None
    values: list[Text] | None = None

    def stored(self) -> dict[str, Any]:
        """Return it as a meter keeps it."""
        return self.model_dump(mode="json", exclude_none=True)


class FilterIn(Input):
    """Conditions that an event meets all."""

    conditions: list[ConditionIn] = Field(min_length=1, max_length=100)


class AggregationIn(Input):
    """How events become usage; all but COUNT name the dimension."""

    function: Aggregation
    field: Text | None = None


class MeterIn(Input):
    """Which events count, and how; an event counts when it meets any of the filters."""

    aggregation: AggregationIn
    filters: list[FilterIn] = Field(max_length=100)


class FeatureIn(Input):
    """A feature."""

    NOT_BUILT = _NOT_BUILT

    id: RefId
    display_name: Name
    feature_type: FeatureType
    description: LongText | None = None
    feature_status: FeatureStatus = FeatureStatus.ACTIVE
    feature_units: Text | None = None
    feature_units_plural: Text | None = None
    meter_type: RestMeterType = RestMeterType.NONE
    meter: MeterIn | None = None
    enum_configuration: list[EnumValue] | None = Field(None, max_length=1000)
    metadata: Metadata | None = None


class FeatureChange(Input):
    """What of a feature can be changed."""

    NOT_BUILT = _NOT_BUILT

    display_name: Name = Field(default_factory=str)
    description: LongText | None = None
    feature_units: Text | None = None
    feature_units_plural: Text | None = None
    meter: MeterIn | None = None
    enum_configuration: list[EnumValue] | None = Field(None, max_length=1000)
    metadata: Metadata | None = None


class EnumValueOut(Output):
    """One of the values of an ENUM feature."""

    value: str
    display_name: str


class ConditionOut(Output):
    """What an event has to meet."""

    field: str
    operation: Operation
    value: str | None = None
    values: list[str] | None = None


class FilterOut(Output):
    """Conditions that an event meets all."""

    conditions: list[ConditionOut]


class AggregationOut(Output):
    """How events become usage."""

    function: Aggregation
    field: str | None


class MeterOut(Output):
    """Which events count, and how."""

    aggregation: AggregationOut
    filters: list[FilterOut]


class FeatureOut(Output):
    """A feature."""

    id: str
    display_name: str
    description: str | None
    feature_type: FeatureType
    feature_status: FeatureStatus
    feature_units: str | None
    feature_units_plural: str | None
    meter_type: RestMeterType
    meter: MeterOut | None
    enum_configuration: list[EnumValueOut] | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime


class FeatureQuery(ByCreation):
    """Which features."""

    id: Text | None = None
    feature_type: CommaList[FeatureType] | None = None
    meter_type: CommaList[RestMeterType] | None = None
    status: CommaList[FeatureStatus] | None = None


@operation("POST", "/api/v1/features", tag=_TAG, status=HTTPStatus.CREATED)
def create_feature(_call: Call, *, body: FeatureIn) -> Data[FeatureOut]:
    """Make a feature."""
    given = values(body, kind=Feature, renamed=_RENAMED, without=_APART)
    feature = Feature(**given, meter_type=body.meter_type.stored, enum_configuration=_enum(body))
    create(feature, ref_id=body.id)
    _set_meter(feature, body.meter)
    return _data(feature)


@operation("GET", "/api/v1/features", tag=_TAG)
def list_features(_call: Call, *, query: FeatureQuery) -> Page[FeatureOut]:
    """List features."""
    rows = Feature.objects.filter(**query.conditions()).select_related("meter")
    rows = rows.filter(ref_id=query.id) if query.id else rows
    rows = rows.filter(status__in=query.status) if query.status else rows
    rows = rows.filter(feature_type__in=query.feature_type) if query.feature_type else rows
    rows = rows.filter(meter_type__in=[one.stored for one in query.meter_type]) if query.meter_type else rows
    return page(rows, query=query, write=_out)


@operation("GET", "/api/v1/features/{feature_id}", tag=_TAG)
def retrieve_feature(_call: Call, *, feature_id: str) -> Data[FeatureOut]:
    """Read a feature."""
    return _data(find(Feature.objects.all(), feature_id))


@operation("PATCH", "/api/v1/features/{feature_id}", tag=_TAG)
def update_feature(_call: Call, *, body: FeatureChange, feature_id: str) -> Data[FeatureOut]:
    """Change a feature; metadata, values and the meter are replaced as a whole."""
    feature = find(Feature.objects.select_for_update(), feature_id)
    changes = values(body, kind=Feature, renamed=_RENAMED, without=_APART)
    if "enum_configuration" in body.model_fields_set:
        changes["enum_configuration"] = _enum(body)
    update(feature, changes)
    _set_meter(feature, body.meter)
    return _data(feature)


@operation("POST", "/api/v1/features/{feature_id}/archive", tag=_TAG)
def archive_feature(_call: Call, *, feature_id: str) -> Data[FeatureOut]:
    """Let nothing new be sold by a feature; one that is on sale is kept, because its usage has to be reported."""
    feature = find(Feature.objects.select_for_update(), feature_id)
    archive(feature=feature)
    return _data(feature)


@operation("POST", "/api/v1/features/{feature_id}/unarchive", tag=_TAG)
def unarchive_feature(_call: Call, *, feature_id: str) -> Data[FeatureOut]:
    """Let a feature be sold and used again."""
    feature = find(Feature.objects.select_for_update(), feature_id)
    unarchive(feature=feature)
    return _data(feature)


def _enum(body: FeatureIn | FeatureChange) -> list[dict[str, str]]:
    return [one.model_dump(by_alias=True) for one in body.enum_configuration or ()]


def _set_meter(feature: Feature, meter: MeterIn | None) -> None:
    if meter is None:
        return
    filters = [{"conditions": [one.stored() for one in group.conditions]} for group in meter.filters]
    field = meter.aggregation.field or ""
    set_meter(feature=feature, aggregation=meter.aggregation.function, field=field, filters=filters)


def _data(feature: Feature) -> Data[FeatureOut]:
    [fresh] = Feature.objects.filter(pk=feature.pk).select_related("meter")
    return Data(data=_out([fresh])[0])


def _out(features: Sequence[Feature]) -> list[FeatureOut]:
    return [
        FeatureOut(
            id=feature.ref_id,
            display_name=feature.display_name,
            description=feature.description or None,
            feature_type=FeatureType(feature.feature_type),
            feature_status=FeatureStatus(feature.status),
            feature_units=feature.units_singular or None,
            feature_units_plural=feature.units_plural or None,
            meter_type=RestMeterType.of(feature.meter_type),
            meter=_meter(feature),
            enum_configuration=[EnumValueOut.model_validate(one) for one in feature.enum_configuration] or None,
            metadata=feature.metadata,
            created_at=feature.created_at,
            updated_at=feature.updated_at,
        )
        for feature in features
    ]


def _meter(feature: Feature) -> MeterOut | None:
    meter = getattr(feature, "meter", None)
    if meter is None:
        return None
    aggregation = AggregationOut(function=Aggregation(meter.aggregation), field=meter.field or None)
    return MeterOut(aggregation=aggregation, filters=[FilterOut.model_validate(one) for one in meter.filters])
