"""How a feature's raw events become its usage."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Feature, FeatureType, MeterType
from usage.models import Meter
from usage.models.meter import Aggregation


@transaction.atomic
def set_meter(*, feature: Feature, aggregation: Aggregation, field: str, filters: list[dict[str, Any]]) -> Meter:
    """Give the feature this meter, in place of the one that it has; `filters` as in Meter.

    What it counts of the running billing periods is counted again when hours are closed the next time.

    Raises:
        ValidationError: the feature is none that is metered, or the meter is not sound.
    """
    if feature.feature_type != FeatureType.NUMBER or feature.meter_type == MeterType.NONE:
        raise ValidationError(
            f"{feature} is not metered: only a NUMBER feature whose meter type is INCREMENTAL or FLUCTUATING has one."
        )
    meter = Meter.objects.filter(feature=feature).first() or Meter(feature=feature)
    wanted = aggregation, field, filters
    if meter.pk is None or (meter.aggregation, meter.field, meter.filters) != wanted:  # else what it counted stays
        meter.aggregation, meter.field, meter.filters = wanted
        meter.full_clean()
        meter.save()
    return meter
