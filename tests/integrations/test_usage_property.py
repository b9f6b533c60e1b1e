"""For every seed, the bill run charges exactly what was used: `CHAOS_SEEDS` and `CHAOS_FROM` choose them."""

import os
import random
from collections.abc import Iterator

import pytest

from integrations.zuora.client.actions import MOST_OBJECTS
from integrations.zuora.standin.app import StandIn
from tests.integrations.conftest import make_standin
from tests.integrations.usage_chaos import Chaos
from tests.integrations.usage_world import UsageWorld, from_the_beginning, sell_an_addon, tenant

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db

_FROM = int(os.environ.get("CHAOS_FROM", "0"))
_SEEDS = range(_FROM, _FROM + int(os.environ.get("CHAOS_SEEDS", "200")))
_BLOCK = 10
#: One in so many seeds sends new usage in files.
_FILES = int(os.environ.get("CHAOS_FILES", "20"))
#: A seed has few records: with so small calls some are full, and formed as soon as they are planned.
_FULL = (1, 2, MOST_OBJECTS)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A tenant whose requests are not held against Zuora's client once more: the other tests send the same ones."""
    app = make_standin()
    yield app
    app.close()


@pytest.mark.parametrize("first", _SEEDS[::_BLOCK])
def test_what_is_billed_is_what_was_used(tenant: UsageWorld, first: int) -> None:
    sell_an_addon(tenant)
    for seed in range(first, min(first + _BLOCK, _SEEDS.stop)):
        with from_the_beginning(tenant):
            chaos = Chaos(
                tenant, random.Random(seed), by_file=seed % _FILES == 0, most_objects=_FULL[seed % len(_FULL)]
            )
            try:
                chaos.run()
                chaos.check()
            except BaseException as error:
                error.add_note(
                    f"Again: CHAOS_FROM={seed} CHAOS_SEEDS=1 pytest tests/integrations/test_usage_property.py"
                )
                raise
