"""Where an hour is cut, and what of it is nobody's."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from catalog.models import CancellationTime
from subscriptions.models import SubscriptionStatus
from tests.usage.closing_world import Metered, at, metered
from usage.closing import Closed, close
from usage.models import UnattributedUsage

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.fixture
def acme() -> Metered:
    return metered()


def test_an_hour_is_cut_where_the_billing_period_ends() -> None:
    acme = metered(start_date=at(10, 30, day=31, month=1))
    for minute in (0, 29, 30, 59):
        acme.use(at(10, minute, day=28, month=2), 1)
    acme.close()
    assert acme.slices() == [("28 10:00", 2), ("28 10:30", 2)]


def test_usage_before_the_start_is_nobodys_until_a_subscription_reaches_there() -> None:
    acme = metered(start_date=at(10, 30))
    acme.use(at(10, 29), 4)
    acme.use(at(10, 30), 1)
    acme.close()
    assert acme.slices() == [("10 10:30", 1)]
    left = UnattributedUsage.objects.get()
    assert (left.starts_at, left.ends_at, left.change, left.event_count) == (at(10), at(10, 30), Decimal(4), 1)
    acme.subscription.start_date = at(9)
    acme.subscription.save()
    acme.close()
    assert acme.slices() == [("10 10:00", 5), ("10 10:30", 0)]
    assert not UnattributedUsage.objects.exists()


@pytest.mark.parametrize(
    "ending",
    [
        {"status": "CANCELED", "effective_end_date": at(10, 30)},
        {"cancellation_time": CancellationTime.SPECIFIC_DATE, "cancellation_date": at(10, 30)},
        {"status": SubscriptionStatus.EXPIRED, "effective_end_date": at(10, 30)},
    ],
)
def test_usage_ends_with_the_subscription_inside_an_hour(ending: dict[str, object]) -> None:
    acme = metered(**ending)
    acme.use(at(10, 29), 1)
    acme.use(at(10, 30), 9)
    acme.close()
    assert acme.slices() == [("10 10:00", 1)]
    assert UnattributedUsage.objects.get().change == Decimal(9)


def test_an_end_in_hindsight_takes_back_what_was_closed() -> None:
    acme = metered()
    acme.use(at(10, 10), 1)
    acme.use(at(10, 40), 2)
    acme.use(at(11, 10), 4)
    close(upto=at(12), now=at(12))
    assert acme.slices() == [("10 10:00", 3), ("10 11:00", 4)]
    acme.subscription.status = SubscriptionStatus.CANCELED
    acme.subscription.effective_end_date = at(10, 30)
    acme.subscription.save()
    assert close(upto=at(12), now=at(12)) == Closed(hours=2, slices=2)
    assert acme.slices() == [("10 10:00", 1), ("10 11:00", 0)]
    assert close(upto=at(12), now=at(12)) == Closed()


def test_a_trial_is_not_charged() -> None:
    acme = metered(trial_end_date=at(10, 30))
    acme.use(at(10, 29), 1)
    acme.use(at(10, 31), 2)
    acme.close()
    assert acme.slices() == [("10 10:30", 2)]
    assert not UnattributedUsage.objects.exists()


def test_an_hour_is_cut_at_midnight_where_the_bills_are_made(acme: Metered) -> None:
    acme.use(at(18, 29), 1)
    acme.use(at(18, 30), 2)
    acme.close(zone=ZoneInfo("Asia/Kolkata"))
    assert acme.slices() == [("10 18:00", 1), ("10 18:30", 2)]


def test_a_day_that_the_clock_change_makes_short_is_cut_at_its_own_midnight(acme: Metered) -> None:
    acme.use(at(21, 59, day=29), 1)
    acme.use(at(22, 0, day=29), 2)
    acme.close(zone=ZoneInfo("Europe/Berlin"))
    assert acme.slices() == [("29 21:00", 1), ("29 22:00", 2)]
