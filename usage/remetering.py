"""Meters that were changed, made or deleted: what they count of the running billing periods is counted again.

A change is noticed when hours are closed, whoever made it. No event falls in between: one is stored by meters that
stay as they are until it is there, or it is found afterwards.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from django.db import connection, transaction

from subscriptions.models import PastTerms, Subscription
from usage.models import CountedMeter, Meter
from usage.selling import sold_to
from usage.spans import WINDOW, moment_of, read, rows_of
from usage.storing import Hour, note_hours
from usage.windows import HOUR, period_of

#: Held by all who store raw events, each with the others, until they have committed; "meter" in ASCII.
_LOCK = 0x6D65746572
_CUSTOMERS = 50
_NEVER = datetime.max.replace(tzinfo=UTC)


def meters_to_store_by() -> list[Meter]:
    """Return all meters, in the caller's transaction: a change is not taken for counted before that has ended."""
    _lock("pg_advisory_xact_lock_shared")
    return list(Meter.objects.all())


def recount_changed(*, now: datetime) -> None:
    """Have the raw events of running billing periods counted again for features whose meter is another by now.

    One statement where there is none. What was billed of earlier periods stays; but of the hour in which a period
    begins all is counted again, where hours are counted each by itself.
    """
    if not (changed := {feature_id for (feature_id,) in read(_CHANGED, [])}):
        return
    meters = list(Meter.objects.filter(feature__in=changed))
    with transaction.atomic():
        # Whoever began to store by the meters of before has committed then; who begins now knows those of now.
        _lock("pg_advisory_xact_lock")
    over_periods = {one.feature_id for one in meters if not one.adds_up}
    for customers in _customers():
        with transaction.atomic():
            note_hours(hours=_hours(customers, changed, over_periods, now=now), now=now)
    with transaction.atomic():
        CountedMeter.objects.filter(feature__in=changed).delete()
        CountedMeter.objects.bulk_create(
            CountedMeter(feature_id=one.feature_id, changed_at=one.changed_at) for one in meters
        )


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
    customers: Collection[int], features: Collection[int], over_periods: Collection[int], *, now: datetime
) -> set[Hour]:
    """Return the hours with raw events in what runs now of those who are sold any of the features."""
    sold = sold_to(customers=customers, features=features)
    spans = list[tuple[int, int, str, datetime, datetime]]()
    for (customer_id, resource_id), tenures in sold.tenures.items():
        for one in tenures:
            since, end = one.start, one.end or _NEVER
            if one.subscription.billing_period:
                since = max(since, period_of(one.subscription, now).start)
            spans += [
                (feature_id, customer_id, resource_id, since, end)
                for feature_id in features
                if since < end and sold.of(one.terms, feature_id=feature_id)
            ]
    rows, texts = rows_of({"customer_id": "bigint", "resource_id": "text", **WINDOW}, [one[1:] for one in spans])
    hours = set()
    for n, moment in read(_HOURS[connection.vendor].format(rows=rows), texts) if spans else ():
        feature_id, customer_id, resource_id, since, _ = spans[n - 1]
        hour = moment_of(moment)
        if hour < since and feature_id in over_periods:
            # The hour would have the period before counted again, which is billed; the next one counts this one, too.
            hour += HOUR
        hours.add(Hour(customer_id, feature_id, resource_id, hour))
    return hours


#: LATERAL for the reason that `counting` names.
_HOURS = {
    "postgresql": """
SELECT DISTINCT span.n, found.hour FROM {rows} CROSS JOIN LATERAL (
  SELECT date_trunc('hour', event.occurred_at, 'UTC') AS hour FROM usage_usageevent event
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
SELECT meter.feature_id FROM usage_meter meter LEFT JOIN usage_countedmeter counted
  ON counted.feature_id = meter.feature_id AND counted.changed_at = meter.changed_at WHERE counted.feature_id IS NULL
UNION SELECT counted.feature_id FROM usage_countedmeter counted LEFT JOIN usage_meter meter
  ON meter.feature_id = counted.feature_id WHERE meter.id IS NULL"""
