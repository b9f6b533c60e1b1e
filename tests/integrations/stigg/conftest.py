from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from integrations.models import StiggAccount
from tests.integrations.stigg.cloud import API_KEY, Cloud, serving

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECRET = "whsec-made-up"


@pytest.fixture
def cloud(settings: Settings) -> Iterator[Cloud]:
    """A Stigg environment with a product, a feature, a plan and a customer."""
    settings.STIGG_CALLS_PER_MINUTE = 10**9
    cloud = Cloud()
    cloud.add("products", "main")
    cloud.add("features", "seats", featureUnits="seat", featureUnitsPlural="seats")
    cloud.add("plans", "pro")
    cloud.charge("pro", 49.0)
    cloud.add("customers", "acme", billingCurrency="eur", email="billing@acme.example")
    with serving(cloud):
        settings.STIGG_EXTRA_HOSTS = [cloud.url]
        yield cloud


@pytest.fixture
def account(cloud: Cloud, db: None) -> StiggAccount:  # noqa: ARG001
    return StiggAccount.objects.create(
        base_url=cloud.url, api_key=API_KEY, hook_path="path-made-up", hook_secret=SECRET, connected_at=NOW
    )
