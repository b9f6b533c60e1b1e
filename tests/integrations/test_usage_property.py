"""For every seed, the bill run charges exactly what was used: `CHAOS_SEEDS` and `CHAOS_FROM` choose the seeds."""

import os
import random

import pytest

from tests.integrations.usage_chaos import Chaos
from tests.integrations.usage_world import UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db

_FROM = int(os.environ.get("CHAOS_FROM", "0"))
_SEEDS = int(os.environ.get("CHAOS_SEEDS", "10"))


@pytest.mark.parametrize("seed", range(_FROM, _FROM + _SEEDS))
def test_what_is_billed_is_what_was_used(tenant: UsageWorld, seed: int) -> None:
    chaos = Chaos(tenant, random.Random(seed))
    chaos.run()
    chaos.check()
