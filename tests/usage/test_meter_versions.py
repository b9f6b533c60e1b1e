"""A billing period is counted by the meter that its feature had when it ended, whatever is told of it later."""

from datetime import datetime
from decimal import Decimal
from itertools import accumulate, pairwise

import pytest
from django.db.models import Sum

from catalog.models import MeterType
from tests.usage.closing_world import Metered, at, metered
from usage.closing import close
from usage.history import read_history
from usage.metering import set_meter
from usage.models import Aggregation, CountedRun, Meter, MeterVersion, Slice
from usage.reporting import RawEvent, report_events

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
#: Billing periods begin on the 29th, or on a month's last day, in the middle of an hour.
JANUARY, FEBRUARY, MARCH = at(9, 30, day=29, month=1), at(9, 30, day=28, month=2), at(9, 30, day=29)
NOW = {"January": at(12, day=20, month=2), "February": at(12, day=20), "March": at(12, day=20, month=4)}


@pytest.fixture
def acme() -> Metered:
    return metered(start_date=JANUARY)


def meter(acme: Metered, aggregation: str) -> None:
    set_meter(feature=acme.feature, aggregation=Aggregation(aggregation), field="size", filters=[])


def tell(key: str, *told: tuple[datetime, int]) -> None:
    events = [
        RawEvent("acme", "seen", f"{key}-{n}", at=moment, dimensions={"size": s}) for n, (moment, s) in enumerate(told)
    ]
    report_events(events=dict(enumerate(events)), now=NOW["March"])


def run(now: str) -> list[Decimal]:
    """Close all hours then; return what is charged of January's, February's and March's period."""
    close(upto=NOW[now], now=NOW[now])
    return charged()


def charged() -> list[Decimal]:
    edges = [JANUARY, FEBRUARY, MARCH, at(9, 30, day=29, month=4)]
    of_each = (Slice.objects.filter(starts_at__gte=low, starts_at__lt=high) for low, high in pairwise(edges))
    return [some.aggregate(sum=Sum("quantity"))["sum"] or Decimal(0) for some in of_each]


def test_each_period_keeps_its_meter_also_in_the_hour_in_which_it_ends(acme: Metered) -> None:
    meter(acme, "SUM")
    tell("january", (at(7, day=20, month=2), 5), (at(9, 10, day=28, month=2), 3))
    assert run("January") == [5, 0, 0]
    assert run("February") == [8, 0, 0]
    meter(acme, "MAX")
    tell("february", (at(9, 40, day=28, month=2), 4), (at(8, day=15), 6), (at(9, 20, day=29), 2))
    assert run("February") == [8, 6, 0]
    assert run("March") == [8, 6, 0]
    meter(acme, "COUNT")
    tell("march", (at(9, 50, day=29), 100), (at(3, day=10, month=4), 100))
    assert run("March") == [8, 6, 2]
    tell("late", (at(9, 20, day=28, month=2), 20), (at(9, 50, day=28, month=2), 9), (at(9, 40, day=29), 1))
    assert run("March") == [28, 9, 3]
    untils = list(MeterVersion.objects.order_by("pk").values_list("aggregation", "until"))
    assert untils == [("SUM", NOW["February"]), ("MAX", NOW["March"]), ("COUNT", None)]


def test_what_was_counted_over_the_running_period_is_remembered_when_an_earlier_one_is_counted(acme: Metered) -> None:
    meter(acme, "UNIQUE")
    tell("january", (at(7, day=20, month=2), 5), (at(7, day=21, month=2), 5))
    assert run("January") == [1, 0, 0]
    meter(acme, "MAX")
    tell("february", (at(8, day=15), 6))
    assert run("February") == [1, 6, 0]
    remembered = set(CountedRun.objects.values_list("pk", flat=True))
    tell("late", (at(7, 30, day=21, month=2), 7))
    assert run("February") == [2, 6, 0]
    assert set(CountedRun.objects.values_list("pk", flat=True)) >= remembered


def test_a_click_before_the_change_is_noticed_counts_each_period_by_its_own(acme: Metered) -> None:
    meter(acme, "SUM")
    tell("first", (at(7, day=20, month=2), 5), (at(8, day=15), 6))
    assert run("February") == [5, 6, 0]
    meter(acme, "COUNT")
    tell("late", (at(7, 30, day=20, month=2), 7), (at(8, 30, day=15), 8))
    close(upto=NOW["February"], now=NOW["February"], subscription=acme.subscription)
    assert charged() == [12, 2, 0]
    assert run("February") == [12, 2, 0]


def test_while_there_was_none_nothing_is_counted(acme: Metered) -> None:
    meter(acme, "SUM")
    tell("january", (at(7, day=20, month=2), 5))
    assert run("January") == [5, 0, 0]
    Meter.objects.all().delete()
    assert run("January") == [0, 0, 0]  # its period was running
    tell("february", (at(8, day=15), 6))
    assert run("February") == [0, 0, 0]
    assert run("March") == [0, 0, 0]
    meter(acme, "COUNT")
    tell("march", (at(8, day=15, month=4), 6), (at(8, 30, day=15), 7), (at(7, 30, day=20, month=2), 7))
    assert run("March") == [0, 0, 1]


def test_a_subscription_that_has_ended_keeps_what_its_last_period_was_counted_by(acme: Metered) -> None:
    meter(acme, "SUM")
    tell("first", (at(8, day=15), 6))
    assert run("February") == [0, 6, 0]
    acme.subscription.cancellation_date = at(0, day=16)
    acme.subscription.save()
    meter(acme, "COUNT")
    tell("late", (at(8, 30, day=15), 8))
    assert run("February") == [0, 14, 0]


def line(acme: Metered, *, start: datetime = JANUARY) -> dict[datetime, Decimal]:
    """Return the last value of each billing period that the history draws, by when it began."""
    edges = [JANUARY, FEBRUARY, MARCH, at(9, 30, day=29, month=4)]
    found = read_history(
        customer=acme.subscription.customer,
        feature=acme.feature,
        resource_id="",
        start=start,
        end=edges[-1],
        now=NOW["March"],
    )
    [drawn] = found.series
    return {low: one.value for one in drawn.points for low, high in pairwise(edges) if low <= one.at < high}


@pytest.mark.parametrize("meter_type", [MeterType.INCREMENTAL, MeterType.FLUCTUATING])
def test_the_history_ends_each_period_at_what_is_billed(acme: Metered, meter_type: MeterType) -> None:
    acme.feature.meter_type = meter_type
    acme.feature.save()
    meter(acme, "SUM")
    tell("january", (at(7, day=20, month=2), 5), (at(9, 10, day=28, month=2), 3))
    assert run("January") == [5, 0, 0]
    Meter.objects.all().delete()
    tell("february", (at(9, 40, day=28, month=2), 4), (at(8, day=15), 6), (at(9, 20, day=29), 2))
    acme.use(at(8, 5, day=15), 1)
    assert run("February") == [8, 1, 0]
    meter(acme, "COUNT")
    tell("march", (at(10, 50, day=29), 100), (at(3, day=10, month=4), 100))
    billed = [8, 1, 2]
    assert run("March") == billed
    # Seats stay taken: what was counted by one meter stays when another counts.
    ends = billed if meter_type == MeterType.INCREMENTAL else accumulate(billed)
    drawn = dict(zip([JANUARY, FEBRUARY, MARCH], ends, strict=True))
    assert line(acme) == drawn
    assert line(acme, start=MARCH) == {MARCH: drawn[MARCH]}
    assert line(acme, start=at(0, day=1)) == {start: drawn[start] for start in (FEBRUARY, MARCH)}
