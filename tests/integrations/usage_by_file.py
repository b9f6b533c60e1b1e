"""Usage that goes by file from five records on, and what of it is in the tenant."""

from datetime import timedelta
from typing import Any

import pytest

from integrations.models import UsageState
from subscriptions.models import Subscription
from tests.integrations.usage_world import START, UsageWorld

UPLOAD, STATUS = "/v1/usage$", "/status$"
SENT, ASKED = "POST /v1/usage", "GET /v1/usage/{id}/status"
READ_BACK, BY_ACTIONS = "POST /v1/action/query", "POST /v1/action/create"
COUNT = 8


@pytest.fixture
def by_file(settings: Any) -> None:
    """Files from five records on."""
    settings.ZUORA_USAGE_FILE_DATES = "MM/DD/YYYY"
    settings.ZUORA_USAGE_FILE_LEAST = 5
    settings.ZUORA_USAGE_FILE_ALWAYS = True


def used(tenant: UsageWorld, hours: int = COUNT) -> Subscription:
    """Sell a subscription and use 1, 2, 3, ... in the last hours, the last hour most."""
    acme = tenant.sell()
    for hour in range(hours):
        tenant.use(acme, hour + 1, at=START - timedelta(hours=hours - hour))
    tenant.world.calls()
    return acme


def sorted_quantities(tenant: UsageWorld) -> list[int]:
    return sorted(int(one["Quantity"]) for one in tenant.world.rows("Usage"))


def calls(tenant: UsageWorld) -> dict[str, int]:
    """Return how often each endpoint was called, without the reading of the subscriptions' numbers."""
    numbers = ("GET /object-query", "GET /v1/subscriptions")
    return {name: n for name, n in tenant.world.calls().items() if not name.startswith(numbers)}


def once(tenant: UsageWorld, hours: int = COUNT) -> bool:
    """Whether every slice is there once, and known to be."""
    right = list(range(1, hours + 1))
    return sorted_quantities(tenant) == right and tenant.states() == [UsageState.CONFIRMED] * hours
