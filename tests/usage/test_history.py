"""A line that begins later goes on where one that began earlier had come to, and reads no more for what lies before."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import MeterType
from tests.usage.closing_world import DAY, Metered, metered
from tests.usage.test_closing_storage import fill
from usage.history import Point, read_history
from usage.models import UpdateBehavior

pytestmark = pytest.mark.django_db
END = DAY + timedelta(days=1)


def points(acme: Metered, start: datetime) -> tuple[Point, ...]:
    customer = acme.subscription.customer
    found = read_history(customer=customer, feature=acme.feature, resource_id="", start=start, end=END, now=END)
    return found.series[0].points if found.series else ()


@pytest.mark.parametrize("meter_type", [MeterType.INCREMENTAL, MeterType.FLUCTUATING])
def test_a_line_goes_on_from_what_came_before_it(meter_type: MeterType) -> None:
    acme = metered()
    acme.feature.meter_type = meter_type
    acme.feature.save()
    chance = random.Random(4)
    moments = sorted(chance.randrange(50 * 24 * 60) for _ in range(120))
    for place, minutes in enumerate(moments):
        how = UpdateBehavior.DELTA if place % 9 else UpdateBehavior.SET
        acme.use(END - timedelta(minutes=minutes), chance.randint(0, 9), how=how)
    whole = points(acme, END - timedelta(days=60))
    assert len(whole) > len(moments) / 2
    for days in (1, 5, 20, 33, 45):
        start = END - timedelta(days=days)
        assert points(acme, start) == tuple(one for one in whole if one.at >= start)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="the plan is PostgreSQL's")
def test_a_day_is_read_among_sixty_thousand_events_as_among_a_thousand() -> None:
    acme = metered()
    acme.feature.meter_type = MeterType.FLUCTUATING  # in use since ever
    acme.feature.save()
    fill(acme, 10)
    acme.use(DAY + timedelta(hours=1), 7, how="SET")
    acme.use(DAY + timedelta(hours=3), 2)
    start, read = DAY + timedelta(hours=2), {}
    for count in (1_000, 60_000):
        fill(acme, count)
        with CaptureQueriesContext(connection) as captured:
            assert points(acme, start) == (Point(DAY + timedelta(hours=3), Decimal(9)),)
        with connection.cursor() as cursor:
            read[count] = 0
            for one in captured.captured_queries:
                if "usage_usageevent" in one["sql"]:
                    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {one['sql']}")
                    plan = cursor.fetchone()[0][0]["Plan"]
                    read[count] += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    # The indexes may have become a level or two deeper, and no more than that.
    assert read[1_000] > 0
    assert read[60_000] <= read[1_000] + 6, read
