"""Lines of usage in a file, a customer and a feature that they name, and what is stored of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory
from usage.models import UsageEvent


@pytest.fixture
def known() -> None:
    CustomerFactory.create(ref_id="acme")
    MeteredFeatureFactory.create(ref_id="api-calls")


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "customerId": "acme",
        "featureId": "api-calls",
        "value": 1,
        "idempotencyKey": f"k{number}",
        "createdAt": "2026-03-01T10:00:00Z",
    } | fields


def jsonl(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
    return path


def stored() -> list[tuple[Any, ...]]:
    return list(
        UsageEvent.objects.order_by("idempotency_key").values_list(
            "idempotency_key", "event_name", "update_behavior", "value", "resource_id", "dimensions", "occurred_at"
        )
    )


AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
