"""The pages about usage, as an operator sees them, and three hours of usage in three states."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from integrations.models import UsageRecord, UsageState
from integrations.views import usage_of_subscription
from tests.browser.scene import people
from tests.integrations.usage_world import START, UsageWorld

HOUR = timedelta(hours=1)
REFUSED = "Zuora refuses it: made up."
#: What a row says of each.
CONFIRMED = (START - 3 * HOUR, Decimal(3), "API calls", "Confirmed", "", "")
FAILED = (START - 2 * HOUR, Decimal(4), "API calls", "Failed", REFUSED, "Retry.")
WAITING = (START - HOUR, Decimal(5), "API calls", "Waiting", "It goes with the next hourly run.", "")


@pytest.fixture
def browser(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> Client:
    """An operator's, whose button sends to the tenant in process."""
    monkeypatch.setattr(usage_of_subscription, "client_for", lambda _: tenant.world.client)
    logged_in = Client()
    logged_in.force_login(people()["Operator"])
    return logged_in


def three_hours(tenant: UsageWorld) -> Any:
    """Use 3, 4 and 5 API calls: the first is confirmed, the second failed, the third has no record."""
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - 3 * HOUR)
    tenant.use(acme, 4, at=START - 2 * HOUR)
    tenant.quiet()
    UsageRecord.objects.filter(wanted=4).update(state=UsageState.FAILED, reason=REFUSED, cure="Retry.", held=None)
    tenant.use(acme, 5, at=START - HOUR)
    tenant.close()
    return acme


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def listed(browser: Client, query: str = "") -> list[tuple[Any, ...]]:
    rows = browser.get(f"/usage/{query}").context["rows"]
    return [(row.starts_at, row.quantity, row.unit, row.state, row.reason, row.cure) for row in rows]
