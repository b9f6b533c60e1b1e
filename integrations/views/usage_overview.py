"""What the overview says of usage: the last two days by the hour, the last comparison, and what needs a person."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from integrations import figures
from integrations.charts import Chart, bars_between, fill
from integrations.counting import USAGE_HOURS, hours_until
from integrations.models import Connection, UsageReconciliation
from integrations.views.access import viewers
from integrations.views.overview import active_connection


def usage_of_two_days(connection: Connection, *, now: datetime) -> dict[str, Any]:
    """Return the chart and the last comparison that ended."""
    hours = figures.read(connection, USAGE_HOURS, now=now)[USAGE_HOURS]
    return {
        "chart": None if hours.value is None else _chart_of(hours.value, now=now),
        "counted_at": hours.counted_at,
        "reconciliation": UsageReconciliation.objects.ended(now=now).first(),
        "comparing": UsageReconciliation.objects.running(now=now).first(),
    }


def _chart_of(hours: list[list[Any]], *, now: datetime) -> Chart:
    """Return the slices of the last 48 hours: counted, because units of different charges cannot be added up."""
    since, until = hours_until(now)
    bars, _ = bars_between(since, until)
    counted = ((datetime.fromisoformat(hour), kind, Decimal(count)) for hour, kind, count in hours)
    fill(bars, (one for one in counted if since <= one[0] < until))
    return Chart("two-days", "Slices and corrections by the hour, last 48 hours", "slices", bars)


@viewers
def usage_overview(request: HttpRequest) -> HttpResponse:
    """Answer with the overview's part about usage: it counts more rows than the rest, and so refreshes less often."""
    connection = active_connection()
    context = {"connection": connection}
    if connection is not None:
        context |= usage_of_two_days(connection, now=timezone.now())
    return render(request, "integrations/usage_overview.html", context)
