"""Subscriptions that Stigg's own client sells, and what it is told when it cannot."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import stigg

PERIOD_END = datetime(2026, 4, 10, 12, tzinfo=UTC)


def sell(client: stigg.Stigg, ref_id: str = "s1", **fields: Any) -> Any:
    """Return the subscription, whose extra fields no model names."""
    sold = client.v1.subscriptions.provision(
        **{"id": ref_id, "customer_id": "acme", "plan_id": "pro", "billing_period": "MONTHLY", **fields}
    )
    assert sold.data.subscription is not None
    return sold.data.subscription


def refused(call: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(stigg.APIStatusError) as caught:
        call()
    body: Any = caught.value.body
    return caught.value.status_code, body["code"], body["message"]
