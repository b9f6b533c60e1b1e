"""What closing an hour asks of the database, counted to the last: as much for three sources as for three hundred."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from subscriptions.models import Subscription
from tests.usage.closing_world import DAY, LATER, Metered, at, metered
from usage.closing import Closed
from usage.models import Slice, UpdateBehavior
from usage.reporting import UsageReport, report_usage

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite takes so many rows by several statements"),
]

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")


def sell(acme: Metered, count: int) -> list[Customer]:
    """Sell what acme has to so many customers."""
    customers = Customer.objects.bulk_create(Customer(ref_id=f"c{number}", name="C") for number in range(count))
    Subscription.objects.bulk_create(
        Subscription(
            ref_id=one.ref_id,
            customer=one,
            plan=acme.subscription.plan,
            plan_version_number=1,
            billing_period=acme.subscription.billing_period,
            start_date=DAY - timedelta(days=40),
        )
        for one in customers
    )
    return customers


def use(acme: Metered, customers: list[Customer], minute: int, value: int, how: str = "DELTA") -> None:
    reports = {
        number: UsageReport(
            customer=one.ref_id,
            feature=acme.feature.ref_id,
            value=Decimal(value),
            behavior=UpdateBehavior(how),
            key=f"{one.ref_id}-{minute}",
            at=at(10, minute),
        )
        for number, one in enumerate(customers)
    }
    report_usage(reports=reports, now=LATER)


def statements(acme: Metered, *, closes: int) -> dict[str, int]:
    with CaptureQueriesContext(connection) as captured:
        assert acme.close() == Closed(hours=closes, slices=closes)
    verbs = [one["sql"].split(maxsplit=1)[0] for one in captured.captured_queries]
    return {verb: verbs.count(verb) for verb in VERBS if verb in verbs}


@pytest.mark.parametrize("count", [3, 100])
def test_an_hour_of_many_costs_as_many_statements_as_one_of_few(count: int) -> None:
    acme = metered()
    customers = sell(acme, count)
    use(acme, customers, 0, 7)
    assert statements(acme, closes=count) == {"SELECT": 21, "INSERT": 1, "DELETE": 1}
    use(acme, customers, 1, 2)  # late: the slices are there
    assert statements(acme, closes=count) == {"SELECT": 22, "INSERT": 1, "DELETE": 1}
    use(acme, customers, 2, 30, how="SET")
    assert statements(acme, closes=count) == {"SELECT": 23, "INSERT": 1, "DELETE": 1}
    assert set(Slice.objects.values_list("quantity", "event_count", "revision")) == {(Decimal(30), 3, 3)}
