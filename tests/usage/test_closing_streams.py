"""Whatever the order in which events come and hours are closed: the slices are what one look at the end would say."""

import random
from datetime import datetime, timedelta

import pytest

from tests.usage.closing_world import DAY, metered

pytestmark = [pytest.mark.django_db, pytest.mark.engine]

HOURS = 8


def expected(events: list[tuple[datetime, str, int]]) -> list[int]:
    """Replay the events by time, hour by hour: what each adds, less what earlier ones took back."""
    in_use = debt = 0
    quantities = []
    for hour in range(HOURS):
        before = in_use
        for moment, how, value in sorted(events, key=lambda event: event[0]):  # stable: told later counts later
            if DAY + timedelta(hours=hour) <= moment < DAY + timedelta(hours=hour + 1):
                in_use = value if how == "SET" else in_use + value
        change = in_use - before - debt
        quantities.append(max(change, 0))
        debt = max(-change, 0)
    return quantities


@pytest.mark.parametrize("seed", range(40))
def test_slices_do_not_depend_on_when_and_how_often_hours_are_closed(seed: int) -> None:
    chance = random.Random(seed)
    acme = metered()
    told: list[tuple[datetime, str, int]] = []
    for _ in range(chance.randint(5, 25)):
        moment = DAY + timedelta(minutes=chance.randrange(HOURS * 60))
        how = chance.choice(["SET", "DELTA", "DELTA"])
        value = chance.randint(0, 20) if how == "SET" else chance.randint(-6, 9)
        told.append((moment, how, value))
        acme.use(moment, value, how=how)
        if chance.random() < 0.4:
            acme.close(DAY + timedelta(hours=chance.randint(1, HOURS)))
    acme.close()
    got = dict(acme.slices())
    assert [got.get(f"10 {hour:02}:00", 0) for hour in range(HOURS)] == expected(told)
