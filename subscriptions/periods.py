"""Billing periods, counted from an anchor."""

import calendar
from dataclasses import dataclass
from datetime import datetime

from catalog.models import BillingPeriod

_MONTHS = {BillingPeriod.MONTHLY: 1, BillingPeriod.ANNUALLY: 12}


@dataclass(frozen=True)
class Period:
    """From `start` up to, and without, `end`."""

    start: datetime
    end: datetime


def current_period(*, start: datetime, billing_period: BillingPeriod, now: datetime) -> Period:
    """Return the billing period that `now` falls into; the first one when it has not begun.

    Every boundary is counted from the anchor `start`, so that a short month does not move the later ones: from January
    31 the boundaries are February 28, March 31, April 30. All times are aware UTC.
    """
    months = _MONTHS[billing_period]
    # At most one too many, because the day and the hour in the month may still lie ahead.
    passed = max(0, ((now.year - start.year) * 12 + now.month - start.month) // months)
    if passed and add_months(start, passed * months) > now:
        passed -= 1
    return Period(start=add_months(start, passed * months), end=add_months(start, (passed + 1) * months))


def add_months(moment: datetime, months: int) -> datetime:
    """Return the same day and hour so many months later, or the month's last day where it has no such day."""
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
