"""What a line of usage costs by tiers."""

import json
from decimal import Decimal

import pytest

from integrations.usage_prices import cost_of

STEPS = [[10, "2", None], [20, "1", "5"], [None, "0.5", None]]


@pytest.mark.parametrize(
    ("mode", "quantity", "cost"),
    [
        ("GRADUATED", "0", "0"),
        ("GRADUATED", "10", "20"),
        ("GRADUATED", "10.5", "25.5"),
        ("GRADUATED", "30", "40"),
        ("VOLUME", "0", "0"),
        ("VOLUME", "10", "20"),
        ("VOLUME", "10.5", "15.5"),
        ("VOLUME", "30", "15"),
    ],
)
def test_graduated_tiers_cost_their_parts_and_by_volume_one_tier_costs_all(mode: str, quantity: str, cost: str) -> None:
    assert cost_of((json.dumps([None, STEPS]), mode), Decimal(quantity)) == Decimal(cost)
