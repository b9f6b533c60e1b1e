"""For every seed, what is billed is what was sold, however late Zuora heard of it: `TERMS_SEEDS` and `TERMS_FROM`."""

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from integrations.zuora.standin.app import StandIn
from tests.integrations.conftest import World, make_standin
from tests.integrations.terms_chaos import Life, from_the_beginning, sell_something

pytestmark = pytest.mark.django_db

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_FROM = int(os.environ.get("TERMS_FROM", "0"))
_SEEDS = range(_FROM, _FROM + int(os.environ.get("TERMS_SEEDS", "12")))


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A tenant whose requests are not held against Zuora's client once more: the other tests send the same ones."""
    app = make_standin()
    yield app
    app.close()


def test_what_is_billed_is_what_was_sold_whenever_zuora_hears_of_it(request: pytest.FixtureRequest) -> None:
    with time_machine.travel(BEGIN, tick=False) as traveller:
        world: World = request.getfixturevalue("world")
        sell_something()
        world.settle()
        for seed in _SEEDS:
            with from_the_beginning(world, traveller, BEGIN):
                life = Life(world, traveller, random.Random(seed))
                try:
                    life.run()
                    life.check()
                except BaseException as error:
                    error.add_note(
                        f"Again: TERMS_FROM={seed} TERMS_SEEDS=1 pytest tests/integrations/test_terms_property.py"
                    )
                    raise
