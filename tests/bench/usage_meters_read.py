"""Fills and measures for `tests.bench.usage_meters`, in the database that its environment names."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - models can be imported only now
from django.utils import timezone  # noqa: E402

from catalog.models import BillingModel, Feature, Plan  # noqa: E402
from customers.models import Customer  # noqa: E402
from subscriptions.models import Subscription  # noqa: E402
from tests.factories.catalog import PlanFactory, price  # noqa: E402
from tests.factories.usage import MeteredFeatureFactory, MeterFactory  # noqa: E402
from usage.closing import close  # noqa: E402
from usage.models import Aggregation, MeterVersion, Slice  # noqa: E402
from usage.storing import Hour, note_hours  # noqa: E402

HOUR = timedelta(hours=1)
#: Hours of a period that there are, of the one and of the many.
_HOURS, _FEW = 29 * 24, 12
_NAMED = [
    {
        "conditions": [
            {"field": "eventName", "operation": "EQUALS", "value": "upload"},
            {"field": "region", "operation": "IN", "values": ["emea", "apac"]},
        ]
    }
]
_AGGREGATIONS = {Aggregation.UNIQUE: "user", Aggregation.AVG: "size", Aggregation.MIN: "size", Aggregation.MAX: "size"}
_EVENTS = """
INSERT INTO usage_usageevent (idempotency_key, customer_id, feature_id, event_name, resource_id, update_behavior, value,
  dimensions, occurred_at, received_at)
SELECT gen_random_uuid()::text, customer, NULL, CASE i %% 3 WHEN 0 THEN 'view' ELSE 'upload' END, '', 'DELTA', NULL,
  jsonb_build_object('user', 'user-' || i * 7919 %% 300000, 'size', i * 7907 %% 9973 + 0.25,
    'region', CASE i %% 4 WHEN 0 THEN 'emea' WHEN 1 THEN 'apac' ELSE 'amer' END),
  %(start)s::timestamptz + (i + 0.5) * %(every)s::interval, %(start)s
FROM unnest(%(customers)s::bigint[]) AS customer, generate_series(0, %(last)s::bigint) AS series(i)"""


def main() -> None:
    wanted = json.loads(sys.argv[1])
    found: dict[str, Any] = {}
    end = timezone.now().replace(minute=0, second=0, microsecond=0)
    if wanted["events"]:
        _of_one(found, events=wanted["events"], end=end)
    for count in wanted["customers"]:
        _of_many(found, count=count, end=end)
    print(json.dumps(found))


def _of_one(found: dict[str, Any], *, events: int, end: datetime) -> None:
    start = end - _HOURS * HOUR
    plan = PlanFactory.create(ref_id="one")
    features = [
        (f"{aggregation}{', filtered' if filters else ''}", _feature(plan, aggregation, filters))
        for aggregation in _AGGREGATIONS
        for filters in ([], _NAMED)
    ]
    [one] = _sell(plan, ["one"], start)
    _tell([one.customer_id], count=events, start=start, end=end)
    hours = [start + number * HOUR for number in range(_HOURS)]
    for name, feature in features:
        Slice.objects.bulk_create(
            Slice(
                subscription=one, price=feature.prices.get(), starts_at=hour, ends_at=hour + HOUR, quantity=0,
                event_count=1, closed_at=hour + HOUR,
            )
            for hour in hours[:-2]
        )  # fmt: skip
        for case, hour in (("first", hours[-2]), ("one more hour", hours[-1]), ("ten days late", hours[-240])):
            _measure(found, f"{name}: {case}", [Hour(one.customer_id, feature.pk, "", hour)], now=end)


def _of_many(found: dict[str, Any], *, count: int, end: datetime) -> None:
    start = end - _FEW * HOUR
    plan = PlanFactory.create(ref_id=f"many-{count}")
    sold = _sell(plan, [f"many-{count}-{number}" for number in range(count)], start)
    customers = [one.customer_id for one in sold]
    _tell(customers, count=_FEW * 3, start=start, end=end)
    hours = [start + number * HOUR for number in range(_FEW)]
    for aggregation in (Aggregation.UNIQUE, Aggregation.AVG, Aggregation.SUM):
        feature = _feature(plan, aggregation, [])
        name = f"{count:,} customers, {aggregation}"
        for case, some in (("first", hours[:-1]), ("one more hour", hours[-1:])):
            dirty = [Hour(who, feature.pk, "", one) for one in some for who in customers]
            _measure(found, f"{name}: {case}", dirty, now=end)


def _feature(plan: Plan, aggregation: Aggregation, filters: list[Any]) -> Feature:
    feature: Feature = MeteredFeatureFactory.create()
    field = _AGGREGATIONS.get(aggregation, "size")
    meter = MeterFactory.create(feature=feature, aggregation=aggregation, field=field, filters=filters)
    # It was there before the events: else all of them were to be counted.
    MeterVersion.of(meter).save()
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    return feature


def _sell(plan: Plan, names: list[str], start: datetime) -> list[Subscription]:
    customers = Customer.objects.bulk_create(Customer(ref_id=name, name="C") for name in names)
    return Subscription.objects.bulk_create(
        Subscription(
            ref_id=one.ref_id, customer=one, plan=plan, plan_version_number=1, billing_period="MONTHLY",
            start_date=start,
        )
        for one in customers
    )  # fmt: skip


def _tell(customers: list[int], *, count: int, start: datetime, end: datetime) -> None:
    every = (end - start) / count
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"customers": customers, "start": start, "every": str(every), "last": count - 1})
        cursor.execute("VACUUM (ANALYZE)")


def _measure(found: dict[str, Any], case: str, hours: list[Hour], *, now: datetime) -> None:
    note_hours(hours=hours, now=now)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, started = _memory("VmRSS"), time.perf_counter()
    asked = 0

    def count(execute: Callable[..., Any], *call: Any) -> Any:
        nonlocal asked
        asked += 1
        return execute(*call)

    with connection.execute_wrapper(count):
        closed = close(upto=now, now=now)
    seconds = time.perf_counter() - started
    if (closed.hours, closed.stuck) != (len(hours), 0):
        raise RuntimeError(f"Not all was closed: {closed}")
    found[case] = {
        "hours": closed.hours,
        "statements": asked,
        "seconds": round(seconds, 3),
        "mb": round(_memory("VmHWM") - before),
    }
    print(case, found[case], file=sys.stderr, flush=True)


def _memory(name: str) -> float:
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
