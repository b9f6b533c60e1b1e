"""Hours become slices: the same ones however often, late or out of order they are closed."""

from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from catalog.models import BillingModel
from tests.factories.catalog import addon_with_prices, price
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory, MeterFactory
from tests.usage.closing_world import DAY, LATER, Metered, at, metered
from usage.closing import Closed, close
from usage.models import Aggregation, DirtyHour, Slice, UnattributedUsage
from usage.overdue import NEXT_RUN, NO_RUN, TOO_MUCH, overdue, why_not_counted
from usage.reporting import RawEvent, report_events

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.fixture
def acme() -> Metered:
    return metered()


def test_an_hour_becomes_one_slice_with_all_that_was_used_in_it(acme: Metered) -> None:
    acme.use(at(10), 3)
    acme.use(at(10, 59), 4)
    acme.use(at(11), 5)
    assert acme.close() == Closed(hours=2, slices=2)
    first = Slice.objects.earliest("starts_at")
    assert (
        first.starts_at,
        first.ends_at,
        first.quantity,
        first.event_count,
        first.revision,
        first.taken_revision,
    ) == (
        at(10),
        at(11),
        Decimal(7),
        2,
        1,
        0,
    )
    assert acme.slices() == [("10 10:00", 7), ("10 11:00", 5)]
    assert not DirtyHour.objects.exists()


def test_closing_again_changes_nothing(acme: Metered) -> None:
    acme.use(at(10), 3)
    acme.close()
    before = Slice.objects.values().get()
    assert acme.close() == Closed()
    DirtyHour.objects.create(
        customer=acme.subscription.customer, feature=acme.feature, resource_id="", hour=at(10), since=LATER
    )
    assert acme.close() == Closed(hours=1, slices=0)
    assert Slice.objects.values().get() == before


def test_only_hours_that_began_before_are_closed(acme: Metered) -> None:
    acme.use(at(10), 3)
    acme.use(at(11, 30), 4)
    acme.close(at(11))
    assert acme.slices() == [("10 10:00", 3)]
    acme.close(at(11, 40))
    assert acme.slices() == [("10 10:00", 3), ("10 11:00", 4)]
    acme.use(at(11, 50), 1)
    acme.close()
    assert acme.slices() == [("10 10:00", 3), ("10 11:00", 5)]


def test_a_late_event_changes_its_slice_and_counts_the_revision(acme: Metered) -> None:
    acme.use(at(10), 3)
    acme.close()
    acme.use(at(10, 30), 2)
    assert acme.close() == Closed(hours=1, slices=1)
    one = Slice.objects.get()
    assert (one.quantity, one.revision, one.event_count) == (Decimal(5), 2, 2)


def test_a_week_without_closing_is_caught_up(acme: Metered) -> None:
    for hour in range(7 * 24):
        acme.use(DAY + timedelta(hours=hour), 1)
    assert acme.close() == Closed(hours=168, slices=168)
    assert Slice.objects.count() == 168


def test_a_set_becomes_its_difference(acme: Metered) -> None:
    acme.use(at(9), 10, how="SET")
    acme.use(at(10), 12, how="SET")
    acme.use(at(10, 30), 3)
    acme.use(at(12), 20, how="SET")
    acme.close()
    assert acme.slices() == [("10 09:00", 10), ("10 10:00", 5), ("10 12:00", 5)]


def test_of_two_events_at_one_instant_the_later_told_counts(acme: Metered) -> None:
    acme.use(at(9), 10, how="SET")
    acme.use(at(9), 7, how="SET")
    acme.use(at(9), 1)
    acme.close()
    assert acme.slices() == [("10 09:00", 8)]


def test_a_late_set_moves_usage_from_the_next_set_to_itself(acme: Metered) -> None:
    acme.use(at(9), 10, how="SET")
    acme.use(at(12), 15, how="SET")
    acme.use(at(14), 1)
    acme.close()
    assert acme.slices() == [("10 09:00", 10), ("10 12:00", 5), ("10 14:00", 1)]
    acme.use(at(11), 12, how="SET")
    acme.close()
    assert acme.slices() == [("10 09:00", 10), ("10 11:00", 2), ("10 12:00", 3), ("10 14:00", 1)]


def test_what_a_set_takes_back_is_taken_from_the_following_slices(acme: Metered) -> None:
    for hour, value in ((9, 10), (10, 4), (11, 6), (12, 15)):
        acme.use(at(hour), value, how="SET")
    acme.close()
    rows = Slice.objects.order_by("starts_at").values_list("change", "quantity", "carry")
    assert [tuple(map(int, row)) for row in rows] == [(10, 10, 0), (-6, 0, -6), (2, 0, -4), (9, 5, 0)]


def test_a_late_reduction_reaches_as_far_as_it_must_and_no_further(acme: Metered) -> None:
    for hour in range(1, 9):
        acme.use(at(hour), 2)
    acme.close()
    acme.use(at(3, 30), -7)
    acme.close()
    rows = Slice.objects.order_by("starts_at").values_list("quantity", "carry", "revision")
    assert [tuple(map(int, row)) for row in rows] == [
        (2, 0, 1),
        (2, 0, 1),
        (0, -5, 2),
        (0, -3, 2),
        (0, -1, 2),
        (1, 0, 2),
        (2, 0, 1),
        (2, 0, 1),
    ]


def test_only_the_resource_is_charged_that_used(acme: Metered) -> None:
    plan, customer = acme.subscription.plan, acme.subscription.customer
    other = SubscriptionFactory.create(
        ref_id="s2", plan=plan, customer=customer, resource_id="ws-7", start_date=DAY - timedelta(days=2)
    )
    acme.use(at(10), 1)
    acme.use(at(10), 2, resource="ws-7")
    acme.use(at(10), 4, resource="ws-8")
    acme.close()
    assert acme.slices() == [("10 10:00", 1)]
    assert [int(one.quantity) for one in other.slices.all()] == [2]
    assert UnattributedUsage.objects.get().resource_id == "ws-8"


def test_an_add_on_that_is_sold_by_usage_has_slices_of_its_own(acme: Metered) -> None:
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=acme.feature, amounts={"EUR": 2})
    acme.subscription.addons.create(addon=addon)
    acme.use(at(10), 3)
    acme.close()
    rows = Slice.objects.values_list("price__plan__ref_id", "price__addon__ref_id", "quantity").order_by("price_id")
    assert list(rows) == [("payg", None, Decimal(3)), (None, "extra", Decimal(3))]


def test_an_hour_keeps_the_charges_that_it_was_first_counted_for(acme: Metered) -> None:
    acme.use(at(10), 3)
    acme.close()
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=acme.feature, amounts={"EUR": 2})
    acme.subscription.addons.create(addon=addon)
    acme.use(at(10, 30), 1)
    acme.close()
    assert acme.slices() == [("10 10:00", 4)]


def test_a_feature_that_is_not_sold_by_usage_leaves_nothing_behind(acme: Metered) -> None:
    free = MeteredFeatureFactory.create(ref_id="exports")
    acme.use(at(10), 3, feature=free.ref_id)
    acme.close()
    assert (Slice.objects.count(), UnattributedUsage.objects.count(), DirtyHour.objects.count()) == (0, 0, 0)


def test_raw_events_are_counted_by_the_meter_of_the_feature(acme: Metered) -> None:
    MeterFactory.create(
        feature=acme.feature,
        aggregation=Aggregation.SUM,
        field="bytes",
        filters=[{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "upload"}]}],
    )
    told = [("upload", 5, 10), ("download", 50, 20), ("upload", 7, 59), ("upload", 2, 60)]
    events = {
        index: RawEvent(
            customer="acme",
            name=name,
            key=f"e{index}",
            at=at(10) + timedelta(minutes=minute),
            dimensions={"bytes": size},
        )
        for index, (name, size, minute) in enumerate(told)
    }
    report_events(events=events, now=LATER)
    acme.close()
    assert acme.slices() == [("10 10:00", 12), ("10 11:00", 2)]
    assert Slice.objects.earliest("starts_at").event_count == 2


def test_one_customers_too_much_does_not_hold_up_the_others(acme: Metered) -> None:
    acme.use(at(10), 9_999_999_999_999)
    acme.use(at(10, 1), 9_999_999_999_999)
    other = SubscriptionFactory.create(
        ref_id="s2", plan=acme.subscription.plan, customer=acme.subscription.customer, resource_id="ws-7"
    )
    acme.use(at(10), 2, resource="ws-7")
    assert acme.close() == Closed(hours=1, slices=1, stuck=1)
    assert [int(one.quantity) for one in other.slices.all()] == [2]
    assert DirtyHour.objects.get().resource_id == ""


def test_an_hour_of_too_much_does_not_hold_up_the_others_and_is_counted_when_it_can_be(acme: Metered) -> None:
    acme.use(at(9), 1)
    acme.use(at(10), 9_999_999_999_999)
    acme.use(at(10, 1), 9_999_999_999_999)
    acme.use(at(11), 2)
    assert acme.close() == Closed(hours=2, slices=2, stuck=1)
    assert acme.slices() == [("10 09:00", 1), ("10 11:00", 2)]
    [stuck] = DirtyHour.objects.all()
    assert (stuck.hour, why_not_counted(stuck, now=LATER)) == (at(10), TOO_MUCH)
    acme.use(at(10, 1), -9_999_999_999_999)
    assert why_not_counted(DirtyHour.objects.get(), now=at(12)) == NEXT_RUN
    assert acme.close() == Closed(hours=1, slices=1)
    assert acme.slices() == [("10 09:00", 1), ("10 10:00", 9_999_999_999_999), ("10 11:00", 2)]


def test_hours_that_no_run_has_counted_are_told_two_runs_later(acme: Metered) -> None:
    acme.use(at(9), 1)
    acme.use(at(12), 1)
    first = DirtyHour.objects.earliest("hour")
    told = first.since
    assert list(overdue(now=told + timedelta(hours=2))) == []
    assert list(overdue(now=told + timedelta(hours=2, seconds=1))) == list(DirtyHour.objects.order_by("hour"))
    assert why_not_counted(first, now=told + timedelta(hours=3)) == NO_RUN
    acme.close()
    assert list(overdue(now=told + timedelta(days=7))) == []


def test_more_taken_back_than_a_slice_can_carry_holds_up_nobody_else(acme: Metered) -> None:
    other = SubscriptionFactory.create(
        ref_id="s2", plan=acme.subscription.plan, customer=acme.subscription.customer, resource_id="ws-7"
    )
    acme.use(at(9), 1)
    acme.use(at(10), -9_999_999_999_999)
    acme.close()
    acme.use(at(11), -9_999_999_999_999)
    acme.use(at(11), 2, resource="ws-7")
    assert acme.close() == Closed(hours=1, slices=1, stuck=1)
    assert [int(one.quantity) for one in other.slices.all()] == [2]
    assert acme.slices() == [("10 09:00", 1), ("10 10:00", 0)]
    assert DirtyHour.objects.get().resource_id == ""
    acme.use(at(11, 1), 9_999_999_999_999)
    assert acme.close() == Closed(hours=1, slices=1)
    assert acme.slices() == [("10 09:00", 1), ("10 10:00", 0), ("10 11:00", 0)]


def test_one_subscription_can_be_closed_alone(acme: Metered) -> None:
    other = SubscriptionFactory.create(
        ref_id="s2", plan=acme.subscription.plan, customer=acme.subscription.customer, resource_id="ws-7"
    )
    acme.use(at(10), 1)
    acme.use(at(10), 2, resource="ws-7")
    assert close(upto=LATER, now=LATER, zone=UTC, subscription=other) == Closed(hours=1, slices=1)
    assert acme.slices() == []
    assert DirtyHour.objects.get().resource_id == ""
