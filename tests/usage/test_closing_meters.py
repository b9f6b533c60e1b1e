"""Meters that do not add up are billed by what they come to in a billing period, however the hours are closed."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import mean
from typing import Any

import pytest
from django.db.models import Sum

from subscriptions.models import PastTerms
from tests.factories.usage import MeterFactory
from tests.usage.closing_world import LATER, Metered, at, metered
from usage.counting import Source, used
from usage.models import DirtyHour, Meter, Slice
from usage.reporting import RawEvent, report_events
from usage.windows import Window

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

Told = tuple[datetime, int | str]
#: The billing period of the tenth: the subscription began on 29 January.
PERIOD = Window(at(0, day=28, month=2), at(0, day=29))


@pytest.fixture
def acme() -> Metered:
    return metered()


def meter(acme: Metered, aggregation: str) -> Meter:
    made: Meter = MeterFactory.create(feature=acme.feature, aggregation=aggregation, field="what")
    return made


def tell(events: Sequence[Told], *, key: str = "e") -> None:
    report_events(
        events={
            place: RawEvent(customer="acme", name="seen", key=f"{key}{place}", at=moment, dimensions={"what": what})
            for place, (moment, what) in enumerate(events)
        },
        now=LATER,
    )


def quantities() -> list[tuple[str, Any]]:
    rows = Slice.objects.order_by("starts_at")
    return [(f"{one.starts_at:%d %H:%M}", one.quantity.normalize()) for one in rows]


def test_a_user_of_every_hour_is_one_user_of_the_month(acme: Metered) -> None:
    meter(acme, "UNIQUE")
    tell([(at(9), "ann"), (at(10), "ann"), (at(10, 5), "bob"), (at(11), "bob")])
    acme.close()
    assert quantities() == [("10 09:00", 1), ("10 10:00", 1), ("10 11:00", 0)]


def test_a_user_who_is_told_late_is_counted_where_he_came_first(acme: Metered) -> None:
    meter(acme, "UNIQUE")
    tell([(at(9), "ann"), (at(11), "bob")])
    acme.close()
    tell([(at(8), "bob"), (at(8), "ann")], key="late")
    acme.close()
    assert quantities() == [("10 08:00", 2), ("10 09:00", 0), ("10 11:00", 0)]


def test_the_next_billing_period_begins_from_nothing(acme: Metered) -> None:
    meter(acme, "UNIQUE")
    before, after = at(9), at(9) + timedelta(days=31)
    tell([(before, "ann"), (after, "ann"), (after, "bob")])
    acme.close()
    assert [quantity for _, quantity in quantities()] == [1, 2]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [("MAX", [4, 2, 0]), ("MIN", [2, 0, 0]), ("AVG", ["3.75", 0, 0]), ("UNIQUE", [1, 1, 1]), ("SUM", [4, 6, 2])],
)
def test_hours_come_to_what_the_period_is(acme: Metered, aggregation: str, expected: list[Any]) -> None:
    meter(acme, aggregation)
    for moment, what in ((at(9), 4), (at(10), 6), (at(11), 2)):
        tell([(moment, what)], key=f"{moment}")
        acme.close()
    # The average of 4, 6 and 2 is 4; of 3 as well it is 3.75: the last hour takes back from the first.
    if aggregation == "AVG":
        assert quantities() == [("10 09:00", 4), ("10 10:00", 0), ("10 11:00", 0)]
        tell([(at(11, 30), 3)], key="more")
        acme.close()
    assert [quantity for _, quantity in quantities()] == [Decimal(one) for one in expected]


def test_a_change_of_terms_does_not_count_anybody_again(acme: Metered) -> None:
    meter(acme, "UNIQUE")
    subscription = acme.subscription
    PastTerms.objects.create(
        subscription=subscription,
        customer=subscription.customer,
        resource_id="",
        plan=subscription.plan,
        plan_version_number=subscription.plan_version_number,
        billing_period=subscription.billing_period,
        addons=[[999, 1]],
        starts_at=subscription.start_date,
        ends_at=at(10, 30),
    )
    tell([(at(10), "ann"), (at(10, 40), "ann"), (at(11), "bob"), (at(12), "ann")])
    acme.close()
    assert quantities() == [("10 10:00", 1), ("10 10:30", 0), ("10 11:00", 1), ("10 12:00", 0)]


AGGREGATED: dict[str, Callable[[Sequence[int]], Any]] = {
    "UNIQUE": lambda told: len(set(told)),
    "MAX": max,
    "MIN": min,
    "AVG": mean,
    "SUM": sum,
    "COUNT": len,
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("aggregation", AGGREGATED)
def test_however_late_and_in_whatever_parts_it_is_closed_the_period_is_right(
    acme: Metered, aggregation: str, seed: int
) -> None:
    chance = random.Random(seed)
    counting = meter(acme, aggregation)
    told: list[tuple[datetime, int]] = []
    for turn in range(5):
        events = [
            (at(0, day=chance.randint(2, 27)) + timedelta(minutes=chance.randrange(24 * 60)), chance.randint(1, 9))
            for _ in range(chance.randint(1, 6))
        ]
        tell(events, key=f"{turn}-")
        told += events
        acme.close_at(LATER if chance.random() < 0.5 else at(0, day=chance.randint(5, 27)))
    acme.close()
    assert not DirtyHour.objects.exists()
    rows = Slice.objects.filter(subscription=acme.subscription)
    wanted = round(Decimal(AGGREGATED[aggregation]([what for _, what in told])), 9)
    assert rows.aggregate(total=Sum("quantity"))["total"] == wanted
    assert not rows.exclude(carry=0).exists()
    source = Source(acme.subscription.customer_id, acme.feature.pk, "", counting)
    assert used(source, PERIOD).change == wanted


def test_hours_of_a_sum_add_up_though_a_float_has_a_tail(acme: Metered) -> None:
    counting = meter(acme, "SUM")
    tell([(at(9 + hour), "1.00000000049") for hour in range(3)])
    acme.close()
    total = Slice.objects.aggregate(total=Sum("quantity"))["total"]
    source = Source(acme.subscription.customer_id, acme.feature.pk, "", counting)
    assert total == used(source, Window(at(0), at(23))).change == Decimal(3)
