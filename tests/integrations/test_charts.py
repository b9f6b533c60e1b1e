"""A chart's bars: what time each stands for, how they are piled up, and that what is little can be seen."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from integrations.charts import Bar, Chart, Segment, bars_between, fill

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("days", "step", "count", "label"),
    [(2, "hour", 48, "Mar 10, 12:00"), (31, "day", 32, "Mar 10"), (365, "month", 13, "March 2026")],
)
def test_bars_stand_for_hours_days_or_months(days: int, step: str, count: int, label: str) -> None:
    bars, found = bars_between(START, START + timedelta(days=days))
    assert (found, len(bars), bars[0].label) == (step, count, label)


def test_a_bar_is_piled_up_and_what_is_little_can_be_seen() -> None:
    bars = [Bar(START, "a", "hour"), Bar(START + HOUR, "b", "hour")]
    amounts = [
        (START, "synced", Decimal(999)),
        (START, "failed", Decimal(1)),
        (START + 2 * HOUR, "pending", Decimal(500)),
    ]
    fill(bars, amounts)
    chart = Chart("name", "Title", "units", bars)
    assert chart.highest == 1000
    assert [parts for _, parts in chart.drawn] == [
        [Segment("synced", 50, 0, 400, 200), Segment("failed", 50, 0, 400, 3)],
        [Segment("pending", 550, 100, 400, 100)],
    ]
