"""Calendar arithmetic by days, weeks, months and years, the way billing periods need it."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

MONTHS_OF = {
    "Month": 1,
    "Quarter": 3,
    "Semi-Annual": 6,
    "Annual": 12,
    "Eighteen Months": 18,
    "Two Years": 24,
    "Three Years": 36,
    "Five Years": 60,
}
UNITS = {"Day": "days", "Week": "weeks", "Month": "months", "Year": "years"}


def add_months(day: date, months: int, *, anchor: int | None = None) -> date:
    """`months` later, on the anchor day of the month or the month's last day if it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor or day.day, last))


def add_term(day: date, count: int, unit: str) -> date:
    """`count` days, weeks, months or years later.

    Raises:
        ValueError: the result is past the year 9999.
    """
    if unit == "Day":
        return _later(day, count)
    if unit == "Week":
        return _later(day, 7 * count)
    return add_months(day, count * (12 if unit == "Year" else 1))


def _later(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError as far:
        raise ValueError("The date is past the year 9999.") from far


def read(text: str) -> date:
    return date.fromisoformat(text)
