"""A meter that is changed counts from the running billing period on; what was billed before stays, late events too."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from subscriptions.models import Subscription
from tests.integrations.test_usage_sales import differences
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage.metering import set_meter
from usage.models import Aggregation, Meter
from usage.reporting import RawEvent, report_events

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]
#: Its billing periods begin on the first of a month, in the middle of an hour.
BEGAN = datetime(2026, 2, 1, 9, 30, tzinfo=START.tzinfo)
BEFORE, NOW = START - timedelta(days=20), START - timedelta(days=2)


def meter(tenant: UsageWorld, aggregation: str, name: str) -> None:
    filters = [{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": name}]}]
    aggregated = Aggregation(aggregation)
    set_meter(feature=tenant.feature, aggregation=aggregated, field="what", filters=filters)


def tell(tenant: UsageWorld, acme: Subscription, told: list[tuple[datetime, int]], *, key: str, name: str) -> None:
    events = [
        RawEvent(acme.customer.ref_id, name, f"{key}{place}", at=at, dimensions={"what": what})
        for place, (at, what) in enumerate(told)
    ]
    report_events(events=dict(enumerate(events)), now=tenant.now)


def settle(tenant: UsageWorld) -> list[str]:
    """Count, push, read back; return what differs."""
    tenant.next_hour()
    tenant.quiet()
    return differences(tenant)


def by_period(tenant: UsageWorld) -> list[Decimal]:
    """Return what Zuora holds of the period that is over, and of the one that runs."""
    edge = BEGAN.replace(month=3).date()
    held = [
        (datetime.fromisoformat(row["StartDateTime"]).date(), row["Quantity"]) for row in tenant.world.rows("Usage")
    ]
    return [sum((some for day, some in held if (day < edge) is over), Decimal(0)) for over in (True, False)]


#: What events say, before the change and late; and what each aggregation makes of the first, of both.
FIRST, LATE = [7, 3, 7, 9], [3, 12]
MADE: dict[str, tuple[int, int]] = {
    "SUM": (26, 41),
    "COUNT": (4, 6),
    "UNIQUE": (3, 4),
    "MAX": (9, 12),
}


def month(first: datetime, what: list[int]) -> list[tuple[datetime, int]]:
    """Return what happened in the hours from a moment on, two things to an hour."""
    return [(first + timedelta(minutes=25 * place), one) for place, one in enumerate(what)]


@pytest.mark.parametrize("was_billed", [True, False])
@pytest.mark.parametrize(("old", "new"), [("SUM", "COUNT"), ("COUNT", "MAX"), ("UNIQUE", "SUM"), ("MAX", None)])
def test_late_events_of_a_period_that_is_over_are_counted_by_the_meter_of_then(
    tenant: UsageWorld, old: str, new: str | None, *, was_billed: bool
) -> None:
    acme = tenant.sell(start_date=BEGAN)
    meter(tenant, old, "seen")
    tell(tenant, acme, month(BEFORE, FIRST), key="before", name="seen")
    tell(tenant, acme, month(NOW, FIRST), key="now", name="seen")
    tell(tenant, acme, month(NOW, [100]), key="another", name="left")
    assert settle(tenant) == []
    assert by_period(tenant) == [MADE[old][0]] * 2
    if was_billed:
        tenant.bill(date(2026, 3, 9))
    if new is None:
        Meter.objects.all().delete()
    else:
        meter(tenant, new, "left")
    assert settle(tenant) == []
    of_now = {"SUM": 100, "COUNT": 1, "UNIQUE": 1, "MAX": 100, None: 0}[new]
    assert by_period(tenant) == [MADE[old][0], of_now]
    # In the hours that are billed; the running period hears of nothing that it counts.
    for name in ("seen", "left"):
        tell(tenant, acme, month(BEFORE, LATE), key=f"late {name}", name=name)
    assert settle(tenant) == []
    tenant.bill(date(2026, 5, 10))
    billed: dict[str, Any] = tenant.bill(date(2026, 5, 10))
    assert billed == {"stigg--s1": MADE[old][1] + of_now}


def test_until_the_next_hourly_run_the_comparison_says_that_the_meter_was_changed(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=BEGAN)
    meter(tenant, "SUM", "seen")
    tell(tenant, acme, month(BEFORE, FIRST), key="before", name="seen")
    tell(tenant, acme, month(NOW, FIRST), key="now", name="seen")
    assert settle(tenant) == []
    meter(tenant, "COUNT", "seen")
    assert differences(tenant) == [
        "Events say 4, carried 0, but slices say 26.",
        "The meter was changed meanwhile: the next hourly run counts the running billing period by it.",
    ]
    assert settle(tenant) == []


def test_what_was_told_of_earlier_periods_before_there_was_a_meter_is_named(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=BEGAN)
    tell(tenant, acme, month(BEFORE, FIRST), key="before", name="seen")
    tell(tenant, acme, month(NOW, FIRST), key="now", name="seen")
    assert settle(tenant) == []
    meter(tenant, "SUM", "seen")
    made = f"{tenant.now:%Y-%m-%d %H:%M}"
    why = (
        f"Its meter was made later, on {made}, and counts from the period on that ran then; of this one it counts the "
        "hours of which something was told since. Bill by hand what is missing, if it is to be billed."
    )
    assert settle(tenant) == ["Events say 26, carried 0, but slices say 0.", why]
    assert by_period(tenant) == [0, 26]
    # Counted with its hour, of which 7 and 3 were told before.
    tell(tenant, acme, month(BEFORE, [12]), key="late", name="seen")
    assert differences(tenant) == [
        f"Events of {BEFORE:%Y-%m-%d %H}:00 are not in slices yet: the next hourly run closes them.",
        "Events say 38, carried 0, but slices say 0.",
        why,
    ]
    assert settle(tenant) == ["Events say 38, carried 0, but slices say 29.", why]
    assert by_period(tenant) == [29, 26]
    tenant.bill(date(2026, 5, 10))
    assert tenant.bill(date(2026, 5, 10)) == {"stigg--s1": Decimal(55)}
