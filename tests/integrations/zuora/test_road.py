"""Actions or a file: the rule as a table."""

import pytest

from integrations.zuora.push.usage.road import LEAST, Road, road


@pytest.mark.parametrize(
    ("records", "calls_left", "allowed", "always", "expected"),
    [
        # Not allowed: whatever else holds.
        (20_000, 10, False, False, Road.ACTIONS),
        (20_000, 10, False, True, Road.ACTIONS),
        # Too few records.
        (0, 0, True, True, Road.ACTIONS),
        (LEAST - 1, 10, True, False, Road.ACTIONS),
        (LEAST - 1, 10, True, True, Road.ACTIONS),
        # Twenty calls are more than a hundredth of 1,999 calls, and not of 2,000.
        (LEAST, 1_999, True, False, Road.FILE),
        (LEAST, 2_000, True, False, Road.ACTIONS),
        (LEAST + 1, 2_000, True, False, Road.FILE),
        (LEAST, 0, True, False, Road.FILE),
        # A developer sandbox and a production tenant in the morning.
        (20_000, 50_000, True, False, Road.ACTIONS),
        (30_000, 50_000, True, False, Road.FILE),
        (1_000_000, 27_000_000, True, False, Road.ACTIONS),
        # Zuora has told nothing: nothing is known to be scarce.
        (20_000, None, True, False, Road.ACTIONS),
        # However many calls are left.
        (LEAST, 27_000_000, True, True, Road.FILE),
        (LEAST, None, True, True, Road.FILE),
    ],
)
def test_the_road_of_new_records(
    records: int, calls_left: int | None, allowed: bool, always: bool, expected: Road
) -> None:
    assert road(records, calls_left_today=calls_left, file_allowed=allowed, always=always) == expected


def test_the_least_number_can_be_set() -> None:
    assert [road(n, calls_left_today=0, file_allowed=True, least=120) for n in (119, 120)] == [Road.ACTIONS, Road.FILE]
