"""What pages show of background work: `{% load background %}`."""

from datetime import timedelta

from django import template

from integrations.models import EntityKind, Operation, OperationState

register = template.Library()

_LOOKS = {
    OperationState.WAITING: ("clock", "azure"),
    OperationState.RUNNING: ("refresh", "azure"),
    OperationState.PAUSED: ("pause", "orange"),
    OperationState.CANCELLED: ("minus", "secondary"),
    OperationState.DONE: ("check", "green"),
    OperationState.FAILED: ("alert", "red"),
}
_MANY_MINUTES = 10  # beyond, seconds say nothing
_FAST = 3  # below so many a second one reads them by the minute


@register.inclusion_tag("integrations/tags/status.html")
def operation_state(operation: Operation) -> dict[str, str]:
    """Show where long work stands; what has ended with failures does not look as if all were well."""
    state = OperationState(operation.state)
    if state == OperationState.DONE and operation.failed:
        return {"icon": "alert", "colour": "orange", "label": "Done, some failed"}
    icon, colour = _LOOKS[state]
    return {"icon": icon, "colour": colour, "label": state.label}


@register.filter
def entity_kind(key: str) -> str:
    """Return the kind of entity that a record key names, in words."""
    kind = key.partition(":")[0]
    return EntityKind(kind).label if kind in EntityKind else ""


@register.filter
def time_span(span: timedelta) -> str:
    """Return how long something takes, as exactly as a person wants to know it."""
    seconds = round(span.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    if minutes >= _MANY_MINUTES:
        return f"{minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


@register.filter
def pace(per_second: float) -> str:
    """Return how many there are per second, or per minute or hour where that is the number to read."""
    if per_second >= _FAST:
        return f"{per_second:,.0f} a second"
    return f"{per_second * 60:,.0f} a minute" if per_second * 60 >= 1 else f"{per_second * 3600:,.0f} an hour"
