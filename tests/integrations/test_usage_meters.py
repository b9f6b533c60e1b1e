"""What meters make of raw events is what the bill says, in its period, and what the history tells."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from statistics import mean
from typing import Any

import pytest

from integrations import usage_reconcile
from tests.factories.usage import MeterFactory
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage.history import read_history
from usage.reporting import RawEvent, report_events

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

HOURS = (1, 2, 5, 26, 50)
MADE: dict[str, Callable[[Sequence[int]], Any]] = {
    "UNIQUE": lambda told: len(set(told)),
    "MIN": min,
    "MAX": max,
    "AVG": mean,
    "SUM": sum,
    "COUNT": len,
}


def tell(tenant: UsageWorld, customer: str, values: Sequence[int], *, key: str) -> None:
    """Tell of as many events, told again each; one of another name is among them."""
    events = [
        RawEvent(
            customer=customer,
            name="seen" if value else "noise",
            key=f"{key}{place}",
            at=START - timedelta(hours=hours),
            dimensions={"what": value},
        )
        for place, (value, hours) in enumerate(zip(values, HOURS, strict=True))
    ]
    report_events(events=dict(enumerate([*events, *events])), now=tenant.now)


@pytest.mark.parametrize("aggregation", MADE)
def test_the_bill_is_what_the_period_comes_to_with_late_and_repeated_events(
    tenant: UsageWorld, aggregation: str
) -> None:
    named = [{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "seen"}]}]
    MeterFactory.create(feature=tenant.feature, aggregation=aggregation, field="what", filters=named)
    acme = tenant.sell(start_date=START - timedelta(days=9))
    tell(tenant, acme.customer.ref_id, [7, 3, 7, 9, 0], key="first")
    tenant.next_hour()
    tenant.quiet()
    tell(tenant, acme.customer.ref_id, [3, 0, 9, 2, 4], key="late")
    tenant.next_hour()
    tenant.quiet()
    wanted = round(Decimal(MADE[aggregation]([7, 3, 7, 9, 3, 9, 2, 4])), 9)

    lines = usage_reconcile.reconcile_usage(
        connection=tenant.world.connection, client=tenant.world.client, now=tenant.now
    )
    assert [(line.sums.events, line.sums.zuora, line.differences) for line in lines] == [(wanted, wanted, ())]
    told = read_history(
        customer=acme.customer,
        feature=tenant.feature,
        resource_id="",
        start=acme.start_date,
        end=tenant.now,
        now=tenant.now,
    )
    assert told.series[0].points[-1].value == wanted
    # The tenant's unit rounds what is billed up, to eight places.
    [billed] = tenant.bill((START + timedelta(days=40)).date()).values()
    assert billed == wanted
