"""Hours are cut where a day of the bills ends, in every zone of the world and on days that are short or long."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from subscriptions.models import Subscription
from subscriptions.tenure import Stretch, Terms
from usage.windows import HOUR, charged_windows

INSTANT = timedelta(microseconds=1)
#: Days around which clocks are changed somewhere in 2026, and one on which they are nowhere.
DAYS = [(1, 15), (3, 8), (3, 29), (4, 5), (4, 24), (9, 6), (10, 25), (10, 30), (11, 1)]


def hours() -> list[datetime]:
    begins = [datetime(2026, month, day, tzinfo=UTC) - timedelta(hours=14) for month, day in DAYS]
    return [begin + number * HOUR for begin in begins for number in range(40)]


def different_zones() -> list[ZoneInfo]:
    """Return one of the zones whose clocks agree all year."""
    by_clock = {}
    for zone in map(ZoneInfo, sorted(available_timezones())):
        by_clock[tuple(hour.astimezone(zone).utcoffset() for hour in hours()[::8])] = zone
    return list(by_clock.values())


def test_each_part_of_an_hour_lies_in_one_day_of_the_bills() -> None:
    subscription = Subscription(start_date=datetime(2020, 1, 1, tzinfo=UTC))
    terms = Terms(customer_id=1, resource_id="", plan_id=1, plan_version_number=1, billing_period="", addons=())
    stretch = Stretch(subscription, terms, subscription.start_date, None)
    zones = different_zones()
    assert len(zones) > 50
    for zone in zones:
        for hour in hours():
            parts = charged_windows(stretch, hour=hour, zone=zone)
            assert (parts[0].start, parts[-1].end) == (hour, hour + HOUR)
            firsts = [part.start.astimezone(zone).date() for part in parts]
            lasts = [(part.end - INSTANT).astimezone(zone).date() for part in parts]
            assert firsts == lasts, (zone, parts)
            assert sorted(set(firsts)) == firsts, (zone, parts)
            assert all(one.end == after.start for one, after in pairwise(parts)), (zone, parts)
