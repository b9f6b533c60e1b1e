"""How a feature's raw events become its usage, and by which meter they do in which billing period.

A billing period is counted by the meter that the feature had when it ended, late events of it, too: another meter
counts from the running one on. The first one of all is that of the time before it as well: of periods that had ended
when it was made it counts the hours of which something is told from then on, and the others stay without.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Feature, FeatureType, MeterType
from subscriptions.models import Subscription
from usage.models import Counting, Meter, MeterVersion
from usage.models.meter import Aggregation
from usage.windows import counted_until

EVER = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InForce:
    """A meter, or none, and the billing periods that it counts: those that end after `since`, up to `until`.

    `made_at` is when it was made.
    """

    meter: Counting | None
    since: datetime = EVER
    until: datetime = NEVER
    made_at: datetime = EVER


def in_force(features: Collection[int], *, now: datetime) -> dict[int, list[InForce]]:
    """Return by feature its meters one after the other, the present one last; two queries.

    That a meter has been changed need not have been noticed yet.
    """
    meters = {one.feature_id: one for one in Meter.objects.filter(feature__in=features)}
    versions: dict[int, list[MeterVersion]] = defaultdict(list)
    for version in MeterVersion.objects.filter(feature__in=features).order_by("pk"):
        versions[version.feature_id].append(version)
    found = {}
    for feature_id in features:
        meter, since = meters.get(feature_id), EVER
        ones = list[InForce]()
        for version in versions[feature_id]:
            if version.until is None and _is_same(version, meter):
                break
            until = version.until or (min(meter.changed_at, now) if meter else now)
            ones.append(InForce(version if version.aggregation else None, since, until, version.changed_at))
            since = until
        found[feature_id] = [*ones, InForce(meter, since, made_at=meter.changed_at if meter else EVER)]
    return found


def _is_same(version: MeterVersion, meter: Meter | None) -> bool:
    told = (meter.aggregation, meter.changed_at) if meter else ("", version.changed_at)
    return (version.aggregation, version.changed_at) == told


def meter_of(ones: Sequence[InForce], subscription: Subscription, *, at: datetime) -> Counting | None:
    """Return the meter that counts the subscription's billing period in which a moment lies."""
    end = counted_until(subscription, at)
    return next(one.meter for one in ones if one.since < end <= one.until)


def made_later(ones: Sequence[InForce], subscription: Subscription, *, at: datetime) -> datetime | None:
    """Return when the meter of the billing period in which a moment lies was made, if the period had ended by then."""
    first, end = ones[0], counted_until(subscription, at)
    return first.made_at if end <= min(first.made_at, first.until) else None


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
