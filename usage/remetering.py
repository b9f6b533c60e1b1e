"""Meters that were changed, made or deleted: what they count of the running billing periods is counted again.

A change is noticed when hours are closed, whoever made it. No event falls in between: one is stored by meters that
stay as they are until it is there, or it is found afterwards.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from typing import Any

from django.db import connection, transaction

from subscriptions.models import PastTerms, Subscription
from usage.metering import EVER, NEVER, in_force
from usage.models import Meter, MeterVersion
from usage.selling import sold_to
from usage.spans import WINDOW, moment_of, read, rows_of
from usage.storing import Hour, note_hours
from usage.windows import HOUR, ends_at, period_of

#: Held by all who store raw events, each with the others, until they have committed; "meter" in ASCII.
_LOCK = 0x6D65746572
_CUSTOMERS = 50


def filters_to_store_by() -> list[tuple[int, list[Any]]]:
    """Return the filters of all meters that there are and were, each with its feature, in the caller's transaction.

    A change is not taken for counted before that has ended.
    """
    _lock("pg_advisory_xact_lock_shared")
    told = ("feature_id", "filters")
    return list(Meter.objects.values_list(*told).union(MeterVersion.objects.exclude(aggregation="").values_list(*told)))


def recount_changed(*, now: datetime) -> None:
    """Have the raw events of running billing periods counted again for features whose meter is another by now.

    One statement where there is none. What ran when it was changed is counted again, and earlier ones stay; but with a
    first meter, of the hour in which a period begins all is counted, where hours are counted each by itself.
    """
    if not (changed := in_force(to_recount(), now=now)):
        return
    meters = {one.feature_id: one for one in Meter.objects.filter(feature__in=changed)}
    with transaction.atomic():
        # Whoever began to store by the meters of before has committed then; who begins now knows those of now.
        _lock("pg_advisory_xact_lock")
    since = {
        pk: min(meters[pk].changed_at, now) if latest.since == EVER else latest.since
        for pk, (*_, latest) in changed.items()
    }
    first_over_periods = {pk for pk, one in meters.items() if changed[pk][-1].since == EVER and not one.adds_up}
    for customers in _customers():
        with transaction.atomic():
            note_hours(hours=_hours(customers, since, first_over_periods), now=now)
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        # Not what somebody else has noticed meanwhile.
        left = to_recount() & set(changed)
        counted_by = MeterVersion.objects.filter(until=None)
        for pk in left:
            counted_by.filter(feature=pk).update(until=since[pk])
        MeterVersion.objects.bulk_create(
            MeterVersion.of(meters[pk]) if pk in meters else MeterVersion(feature_id=pk, changed_at=since[pk])
            for pk in sorted(left)
        )


def to_recount() -> set[int]:
    """Return the features whose meter is another by now than that by which they were counted last; one statement."""
    return {feature_id for (feature_id,) in read(_CHANGED, [])}


def _lock(function: str) -> None:
    if connection.vendor == "postgresql":  # a writing transaction of SQLite is alone
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [_LOCK])


def _customers() -> Iterator[Sequence[int]]:
    """Yield, some at a time, all customers who have or had a subscription."""
    had = PastTerms.objects.order_by().values_list("customer_id")
    ids = sorted(pk for (pk,) in Subscription.objects.order_by().values_list("customer_id").union(had))
    for place in range(0, len(ids), _CUSTOMERS):
        yield ids[place : place + _CUSTOMERS]


def _hours(
    customers: Collection[int], changed: Mapping[int, datetime], first_over_periods: Collection[int]
) -> set[Hour]:
    """Return the hours with raw events in what ran when meters were changed, of those who are sold the features."""
    sold = sold_to(customers=customers, features=changed)
    spans = list[tuple[int, int, str, datetime, datetime]]()
    for (customer_id, resource_id), tenures in sold.tenures.items():
        for one, (feature_id, at) in product(tenures, changed.items()):
            since, end = one.start, one.end or NEVER
            if one.subscription.billing_period:
                since = max(since, period_of(one.subscription, at).start)
            is_over = (ends_at(one.subscription) or NEVER) <= at
            if since < end and not is_over and sold.of(one.terms, feature_id=feature_id):
                spans.append((feature_id, customer_id, resource_id, since, end))
    rows, texts = rows_of({"customer_id": "bigint", "resource_id": "text", **WINDOW}, [one[1:] for one in spans])
    hours = set()
    for n, moment in read(_HOURS[connection.vendor].format(rows=rows), texts) if spans else ():
        feature_id, customer_id, resource_id, since, _ = spans[n - 1]
        hour = moment_of(moment)
        if hour < since and feature_id in first_over_periods:
            # The hour would have the period before counted again, which is billed; the next one counts this one, too.
            hour += HOUR
        hours.add(Hour(customer_id, feature_id, resource_id, hour))
    return hours


#: DISTINCT stands inside, and keeps each span's events apart, for the reason that `spans.of_each` names.
_HOURS = {
    "postgresql": """
SELECT span.n, found.hour FROM {rows} CROSS JOIN LATERAL (
  SELECT DISTINCT date_trunc('hour', event.occurred_at, 'UTC') AS hour FROM usage_usageevent event
  WHERE event.customer_id = span.customer_id AND event.resource_id = span.resource_id AND event.feature_id IS NULL
  AND event.occurred_at >= span.low AND event.occurred_at < span.high
) found""",
    "sqlite": """
SELECT DISTINCT span.n, strftime('%%Y-%%m-%%d %%H:00:00', event.occurred_at) FROM {rows}
CROSS JOIN usage_usageevent event WHERE event.customer_id = span.customer_id
AND event.resource_id = span.resource_id AND event.feature_id IS NULL
AND event.occurred_at >= span.low AND event.occurred_at < span.high""",
}
_CHANGED = """
SELECT meter.feature_id FROM usage_meter meter LEFT JOIN usage_meterversion counted
  ON counted.feature_id = meter.feature_id AND counted.until IS NULL AND counted.changed_at = meter.changed_at
  AND counted.aggregation = meter.aggregation WHERE counted.id IS NULL
UNION SELECT counted.feature_id FROM usage_meterversion counted LEFT JOIN usage_meter meter
  ON meter.feature_id = counted.feature_id
  WHERE counted.until IS NULL AND counted.aggregation <> '' AND meter.id IS NULL"""
