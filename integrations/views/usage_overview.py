"""What the overview says of usage: the last two days by the hour, the last comparison, and what needs a person."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from integrations.charts import Chart, bars_between, fill
from integrations.models import Connection, UsageReconciliation, UsageRecord, UsageState
from integrations.usage_sync import sight_of
from integrations.views.access import viewers
from integrations.views.overview import active_connection
from usage.models import Slice
from usage.models.slice import SliceQuerySet

SPAN = timedelta(hours=48)
HOUR = timedelta(hours=1)
_HOUR = TruncHour("starts_at", tzinfo=UTC)
_TAKEN = (UsageState.ACCEPTED, UsageState.CONFIRMED)


def usage_of_two_days(connection: Connection, *, now: datetime) -> dict[str, Any]:
    """Return the chart and the last comparison that ended."""
    return {
        "chart": chart_of(connection, now=now),
        "reconciliation": UsageReconciliation.objects.ended(now=now).first(),
        "comparing": UsageReconciliation.objects.running(now=now).first(),
    }


def chart_of(connection: Connection, *, now: datetime) -> Chart:
    """Return the slices of the last 48 hours: counted, because units of different charges cannot be added up."""
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    bars, _ = bars_between(end - SPAN, end)
    fill(bars, _counts(connection, since=end - SPAN, until=end))
    return Chart("two-days", "Slices and corrections by the hour, last 48 hours", "slices", bars)


def _counts(connection: Connection, *, since: datetime, until: datetime) -> Iterator[tuple[datetime, str, Decimal]]:
    records = UsageRecord.objects.filter(connection=connection, starts_at__gte=since, starts_at__lt=until)
    grouped = records.exclude(state=UsageState.VOID).order_by().annotate(hour=_HOUR).values("hour", "state")
    for row in grouped.annotate(count=Count("pk")):
        yield row["hour"], sight_of(row["state"]).value.lower(), Decimal(row["count"])
    untaken = Slice.objects.untaken().filter(starts_at__gte=since, starts_at__lt=until)
    # A slice that has changed is not in Zuora as it is now, whatever its record says.
    changed = untaken.filter(usage_records__connection=connection, usage_records__state__in=_TAKEN)
    for hour, count in _by_hour(changed):
        yield hour, "synced", Decimal(-count)
        yield hour, "pending", Decimal(count)
    for hour, count in _by_hour(untaken.filter(quantity__gt=0).exclude(usage_records__connection=connection)):
        yield hour, "pending", Decimal(count)


def _by_hour(slices: SliceQuerySet) -> Iterable[tuple[datetime, int]]:
    grouped = slices.order_by().annotate(hour=_HOUR).values("hour").annotate(count=Count("pk"))
    return grouped.values_list("hour", "count")


@viewers
def usage_overview(request: HttpRequest) -> HttpResponse:
    """Answer with the overview's part about usage: it counts more rows than the rest, and so refreshes less often."""
    connection = active_connection()
    context = {"connection": connection}
    if connection is not None:
        context |= usage_of_two_days(connection, now=timezone.now())
    return render(request, "integrations/usage_overview.html", context)
