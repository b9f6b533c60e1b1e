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

    Raises:
        ValidationError: the feature is none that is metered, or the meter is not sound.
    """
    if feature.feature_type != FeatureType.NUMBER or feature.meter_type == MeterType.NONE:
        raise ValidationError(
            f"{feature} is not metered: only a NUMBER feature whose meter type is INCREMENTAL or FLUCTUATING has one."
        )
    meter = Meter.objects.filter(feature=feature).first() or Meter(feature=feature)
    meter.aggregation, meter.field, meter.filters = aggregation, field, filters
    meter.full_clean()
    meter.save()
    return meter
