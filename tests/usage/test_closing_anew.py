"""Billing periods that are counted anew, as after an upgrade or in another time zone, are counted some at a time."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum

from tests.factories.usage import MeterFactory
from tests.usage.closing_world import LATER, at, metered
from tests.usage.test_closing_cost import sell
from usage import hours
from usage.closing import Closed, close
from usage.models import DirtyHour, Slice
from usage.reporting import RawEvent, report_events
from usage.runs import count_runs

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

CUSTOMERS, HOURS, MOST = 8, 6, 12


def tell(hour: int, size: int) -> None:
    report_events(
        events={
            number: RawEvent(
                customer=f"c{number}",
                name="seen",
                key=f"{number}-{hour}",
                at=at(3) + timedelta(hours=hour),
                dimensions={"size": size},
            )
            for number in range(CUSTOMERS)
        },
        now=LATER,
    )


def test_whole_periods_of_many_are_not_counted_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = metered()
    sell(acme, CUSTOMERS)
    MeterFactory.create(feature=acme.feature, aggregation="AVG", field="size")
    for hour in range(HOURS):
        tell(hour, 4)
    close(upto=LATER, now=LATER)
    tell(HOURS, 11)
    counted = list[int]()
    monkeypatch.setattr(hours, "_MOST", MOST)

    def noted(told: dict, **known: dict) -> list:  # type: ignore[type-arg]
        counted.append(sum(map(len, told.values())))
        return count_runs(told, **known)

    monkeypatch.setattr("usage.hours.count_runs", noted)
    closed = close(upto=LATER, now=LATER, zone=ZoneInfo("Asia/Kolkata"))
    assert (closed.hours, closed.stuck, DirtyHour.objects.count()) == (CUSTOMERS, 0, 0)
    totals = Slice.objects.order_by().values_list("subscription").annotate(total=Sum("quantity"))
    assert {total for _, total in totals} == {Decimal(5)}
    assert (len(totals), sum(counted)) == (CUSTOMERS, CUSTOMERS * (HOURS + 1))
    assert max(counted) <= MOST + 2
    assert close(upto=LATER, now=LATER) == Closed()
