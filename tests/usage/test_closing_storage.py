"""Closing an hour reads that hour's events, however many there ever were: PostgreSQL says so itself."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.usage.closing_world import DAY, Metered, at, metered
from usage.counting import Source, used
from usage.models import UnattributedUsage, UpdateBehavior, UsageEvent
from usage.windows import Window

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="the plan is PostgreSQL's"),
]


def fill(acme: Metered, count: int) -> None:
    """Store so many events of the hours before the day, thirty to an hour, and collect what PostgreSQL plans by."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_usageevent (idempotency_key, customer_id, feature_id, event_name, resource_id,"
            " update_behavior, value, dimensions, occurred_at, received_at)"
            " SELECT 'old-' || i, %s, %s, '', '', 'DELTA', 1, '{}', %s - i * interval '2 minutes', %s"
            " FROM generate_series((SELECT count(*) + 1 FROM usage_usageevent), %s::bigint) AS i",
            [acme.subscription.customer_id, acme.feature.pk, DAY, DAY, count],
        )
        cursor.execute("ANALYZE usage_usageevent")


def read_by(rows: QuerySet[UsageEvent]) -> tuple[set[str], int]:
    """Return the indexes that a query goes by, and how many pages it touches."""
    [plan] = json.loads(rows.values("value").explain(analyze=True, buffers=True, format="json"))
    indexes: set[str] = set()

    def walk(node: dict[str, Any]) -> None:
        indexes.update(value for name, value in node.items() if name == "Index Name")
        for inner in node.get("Plans", ()):
            walk(inner)

    walk(plan["Plan"])
    return indexes, plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


def test_an_hour_costs_the_same_among_a_thousand_events_and_among_sixty_thousand() -> None:
    acme = metered()
    acme.use(at(9), 10, how="SET")
    source = Source(acme.subscription.customer_id, acme.feature.pk, "")
    mine = UsageEvent.objects.filter(
        customer_id=source.customer_id, feature_id=source.feature_id, resource_id=source.resource_id
    )
    window = Window(DAY - timedelta(hours=5), DAY - timedelta(hours=4))
    of_hour = mine.filter(occurred_at__gte=window.start, occurred_at__lt=window.end)
    last_set = mine.filter(update_behavior=UpdateBehavior.SET, occurred_at__gte=window.end).order_by("occurred_at")[:1]
    pages = {}
    for count in (1_000, 60_000):
        fill(acme, count)
        assert used(source, window).events == 30
        indexes, of_events = read_by(of_hour)
        assert indexes == {"usage_event_counted"}
        indexes, of_sets = read_by(last_set)
        assert indexes == {"usage_event_set"}
        pages[count] = (of_events, of_sets)
    few, many = pages[1_000], pages[60_000]
    # The index may have become a level or two deeper, and no more than that.
    assert all(now <= before + 2 for before, now in zip(few, many, strict=True)), pages


def test_closing_reads_no_more_for_what_nobody_was_charged_for_long_ago() -> None:
    acme, nobody, other = metered(), CustomerFactory.create(), CustomerFactory.create()
    ended = DAY - timedelta(days=999)
    SubscriptionFactory.create(
        customer=nobody, start_date=ended - timedelta(days=1), status="CANCELED", cancellation_date=ended
    )
    had = SubscriptionFactory.create(customer=other, start_date=DAY - timedelta(days=1_000))
    # Sold by another one since.
    SubscriptionFactory.create(customer=other, plan=acme.subscription.plan, start_date=DAY + timedelta(days=1))
    pages = {}
    for count in (200, 20_000):
        UnattributedUsage.objects.all().delete()
        UnattributedUsage.objects.bulk_create(
            UnattributedUsage(
                customer=other if unsold_by else nobody,
                feature=acme.feature,
                starts_at=DAY - timedelta(hours=number),
                ends_at=DAY - timedelta(hours=number - 1),
                unsold_by=unsold_by,
                change=1,
                event_count=1,
                noted_at=DAY,
            )
            for number in range(count)
            for unsold_by in (None, had)
        )
        with connection.cursor() as cursor:
            # All tables: what earlier tests had in those that are joined would decide how it is read.
            cursor.execute("ANALYZE")
            with CaptureQueriesContext(connection) as captured:
                acme.close()
            pages[count] = 0
            for one in captured.captured_queries:
                if "usage_unattributedusage" in one["sql"]:
                    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {one['sql']}")
                    plan = cursor.fetchone()[0][0]["Plan"]
                    pages[count] += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert pages[200] > 0
    assert pages[20_000] <= pages[200] + 10, pages
