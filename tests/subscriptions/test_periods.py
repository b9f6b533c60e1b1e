from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import BillingPeriod
from subscriptions.periods import Period, add_months, current_period

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st adds it
MONTHS = {BillingPeriod.MONTHLY: 1, BillingPeriod.ANNUALLY: 12}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "period", "now", "expected"),
    [
        ("2026-01-31", "MONTHLY", "2026-02-27T23:59", ("2026-01-31", "2026-02-28")),
        ("2026-01-31", "MONTHLY", "2026-02-28", ("2026-02-28", "2026-03-31")),
        ("2026-01-31", "MONTHLY", "2026-03-30", ("2026-02-28", "2026-03-31")),
        ("2026-01-31", "MONTHLY", "2026-04-15", ("2026-03-31", "2026-04-30")),
        ("2024-02-29", "ANNUALLY", "2025-02-28", ("2025-02-28", "2026-02-28")),
        ("2024-02-29", "ANNUALLY", "2028-02-28T12:00", ("2027-02-28", "2028-02-29")),
        ("2026-01-15T10:00", "MONTHLY", "2026-02-15T09:59", ("2026-01-15T10:00", "2026-02-15T10:00")),
        ("2026-01-15T10:00", "MONTHLY", "2026-02-15T10:00", ("2026-02-15T10:00", "2026-03-15T10:00")),
        ("2026-12-15", "MONTHLY", "2027-01-01", ("2026-12-15", "2027-01-15")),
        ("2026-06-01", "ANNUALLY", "2026-01-01", ("2026-06-01", "2027-06-01")),
    ],
)
def test_periods_are_counted_from_the_anchor(start: str, period: str, now: str, expected: tuple[str, str]) -> None:
    found = current_period(start=at(start), billing_period=BillingPeriod(period), now=at(now))
    assert found == Period(*map(at, expected))


@given(start=MOMENTS, billing_period=st.sampled_from(BillingPeriod), now=MOMENTS)
def test_now_lies_in_the_period_and_its_ends_are_boundaries(
    start: datetime, billing_period: BillingPeriod, now: datetime
) -> None:
    period = current_period(start=start, billing_period=billing_period, now=now)
    assert period.start <= max(now, start) < period.end
    months = (period.start.year - start.year) * 12 + period.start.month - start.month
    assert months % MONTHS[billing_period] == 0
    assert period.start == add_months(start, months)
    assert period.end == add_months(start, months + MONTHS[billing_period])


@given(start=MOMENTS, billing_period=st.sampled_from(BillingPeriod), later=st.integers(0, 600))
def test_periods_leave_no_gap(start: datetime, billing_period: BillingPeriod, later: int) -> None:
    one = current_period(start=start, billing_period=billing_period, now=start + timedelta(days=later))
    following = current_period(start=start, billing_period=billing_period, now=one.end)
    assert following.start == one.end
