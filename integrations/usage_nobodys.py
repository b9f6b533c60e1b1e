"""What a report says of usage that is billed to nobody: no difference between the sides, and yet to be told; pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from integrations.usage_differences import plain
from usage.unattributed import Unattributed
from usage.windows import HOUR

#: What a line of a report holds; what is only told of usage that is billed to nobody stands at the end.
_COMPARED = ("subscription", "charge", "number", "start", "end", "events", "carried", "slices", "moved", "zuora")
_NOBODYS = ("customer", "resource", "event_count", "billed_to_nobody")
HEADER = (*_COMPARED, "differences", *_NOBODYS)
WHAT_TO_DO = (
    "Start the subscription earlier, and the next hourly run counts it there; or bill it by hand. Where there was one "
    "that does not sell it, sell it from now on, and bill by hand what was. "
    "If it was meant to be free, there is nothing to do."
)


#: The head of a list of nothing else.
HEADER_ALONE = (
    "customer", "feature", "resource", "month", "quantity", "unit", "quantity is", "events", "first hour", "last hour",
    "not sold by",
)  # fmt: skip


def cells_alone(one: Unattributed) -> Sequence[Any]:
    """Return it as the cells of a CSV file that holds nothing else: hours by when they begin, in UTC."""
    quantity_is = "all of it" if one.adds_up else "the most of an hour"
    what = (one.customer, one.feature, one.resource, f"{one.month:%Y-%m}", plain(one.quantity), one.unit)
    return (*what, quantity_is, one.events, one.first.isoformat(), one.last.isoformat(), one.unsold_by)


def cells_of(line: Mapping[str, Any]) -> Sequence[Any]:
    """Return a line of a report as the cells of a CSV file."""
    said = "; ".join(line["differences"])
    return [*(line[name] for name in _COMPARED), said, *(line.get(name, "") for name in _NOBODYS)]


def line_of(one: Unattributed) -> dict[str, Any]:
    """Return it as a line of a report: of no subscription, its charge the feature, and no difference."""
    return {
        "subscription": "",
        "charge": one.feature,
        "number": "",
        "start": one.first.isoformat(),
        "end": (one.last + HOUR).isoformat(),
        "events": plain(one.quantity),
        **dict.fromkeys(("carried", "slices", "moved", "zuora"), "0"),
        "differences": [],
        "customer": one.customer,
        "resource": one.resource,
        "event_count": one.events,
        "billed_to_nobody": sentence(one),
    }


def sentence(one: Unattributed) -> str:
    """Return who used what and when, that nobody is charged, and why."""
    verb, end = ("took back", "credited") if one.quantity < 0 else ("used", "billed")
    amount = plain(abs(one.quantity)) if one.adds_up else f"at most {plain(abs(one.quantity))} in an hour"
    of = f"{one.customer} {verb} {amount} of {one.feature}{f' for {one.resource}' if one.resource else ''}"
    events = f"{one.events} event{'' if one.events == 1 else 's'}"
    hours = f"in the hour of {_at(one.first)}"
    if one.last > one.first:
        hours = f"from the hour of {_at(one.first)} to that of {_at(one.last)}"
    why = f"and had no subscription{' for it' if one.resource else ''} then"
    if one.unsold_by:
        why = f"and its subscription {one.unsold_by} did not sell it"
    return f"{of} in {one.month:%Y-%m}, {events} {hours}, {why}: {end} to nobody."


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
