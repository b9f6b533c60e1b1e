"""What pages show of usage: `{% load usage %}`, `{% usage_state row %}`, `{% usage_chart chart %}`."""

from typing import Any

from django import template
from django.utils import timezone

from integrations.charts import Chart
from integrations.figures import Shown
from integrations.models import Connection, UsageReconciliation, UsageState
from integrations.problems import Cause
from integrations.usage_problems import charges_to_credit, to_credit
from integrations.views.usage_of_subscription import usage_card
from integrations.views.usage_overview import usage_of_two_days
from integrations.views.usage_rows import UsageRow
from subscriptions.models import Subscription
from usage.overdue import overdue, why_not_counted

register = template.Library()

_LOOKS = {
    UsageState.PLANNED: ("clock", "azure"),
    UsageState.SENDING: ("refresh", "azure"),
    UsageState.UNKNOWN: ("alert", "orange"),
    UsageState.ACCEPTED: ("check", "green"),
    UsageState.CONFIRMED: ("check", "green"),
    UsageState.FAILED: ("alert", "red"),
    UsageState.VOID: ("minus", "secondary"),
}
_PROBLEMS_SHOWN = 8


@register.inclusion_tag("integrations/tags/status.html")
def usage_state(row: UsageRow) -> dict[str, str]:
    """Show where a record stands, or that a slice waits for one."""
    if row.record is None:
        return {"icon": "pause", "colour": "secondary", "label": row.state}
    icon, colour = _LOOKS[UsageState(row.record.state)]
    return {"icon": icon, "colour": colour, "label": row.state}


@register.inclusion_tag("integrations/tags/status.html")
def reconciliation_result(report: UsageReconciliation) -> dict[str, str]:
    """Show how a comparison ended, or that it is under way."""
    if report.is_running(now=timezone.now()):
        return {"icon": "refresh", "colour": "azure", "label": "Under way"}
    if report.finished_at is None:
        return {"icon": "alert", "colour": "red", "label": "Broke off"}
    if report.error:
        return {"icon": "alert", "colour": "red", "label": "Could not be finished"}
    if report.differing:
        return {"icon": "alert", "colour": "red", "label": "Differs"}
    return {"icon": "check", "colour": "green", "label": "All equal"}


@register.inclusion_tag("integrations/usage_chart.html")
def usage_chart(chart: Chart) -> dict[str, Any]:
    """Draw bars with a legend and the same as a table."""
    return {"chart": chart}


@register.inclusion_tag("integrations/usage_card.html", takes_context=True)
def usage_of_subscription(
    context: template.Context, subscription: Subscription, connection: Connection | None
) -> dict[str, Any]:
    """Show the usage of the current billing period, with what would be sent; nothing where nothing is sold by usage."""
    card = usage_card(subscription, connection)
    return {"usage": card, "entity": subscription, "connection": connection, "perms": context.get("perms")}


@register.inclusion_tag("integrations/usage_overview.html", takes_context=True)
def usage_overview(context: template.Context, connection: Connection | None) -> dict[str, Any]:
    """Show the overview's part about usage."""
    found = usage_of_two_days(connection, now=timezone.now()) if connection else {}
    return {"connection": connection, "perms": context.get("perms"), **found}


@register.inclusion_tag("integrations/usage_problems.html")
def usage_problems(connection: Connection, figure: Shown) -> dict[str, Any]:
    """Show what of usage needs a person, the failed records by cause."""
    if figure.value is None:
        return {"is_counted": False}
    now = timezone.now()
    credits_ = charges_to_credit(connection, now=now).select_related("subscription__customer")
    return {
        "is_counted": True,
        "counted_at": figure.counted_at,
        "failed": figure.value["failed"],
        "causes": [Cause(text, count) for text, count in figure.value["causes"][:_PROBLEMS_SHOWN]],
        "credits": [
            (charge, number, too_much)
            for charge in credits_[:_PROBLEMS_SHOWN]
            for number, too_much in to_credit(charge, now=now)
        ],
        "credits_count": figure.value["to_credit"],
        "hours": [
            (one, why_not_counted(one, now=now))
            for one in overdue(now=now).select_related("customer", "feature")[:_PROBLEMS_SHOWN]
        ],
        "hours_count": figure.value.get("not_counted", 0),
    }
