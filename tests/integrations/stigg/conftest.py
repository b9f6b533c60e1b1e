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
def account(cloud: Cloud, db: None) -> StiggAccount:
    return StiggAccount.objects.create(
        base_url=cloud.url, api_key=API_KEY, hook_path="path-made-up", hook_secret=SECRET, connected_at=NOW
    )


@pytest.fixture
def whole(cloud: Cloud) -> Cloud:
    """An environment with everything that an import knows."""
    cloud.add("coupons", "launch", type="FIXED", percentOff=None, amountsOff=[{"amount": 5.5, "currency": "eur"}])
    cloud.add("addons", "support", maxQuantity=3)
    cloud.charge("support", 10)
    cloud.rows["plans"][0] |= {
        "compatibleAddonIds": ["support"],
        "defaultTrialConfig": {"duration": 14, "units": "DAY", "trialEndBehavior": "CANCEL_SUBSCRIPTION"},
    }
    cloud.rows["products"][0]["productSettings"] = {
        "subscriptionCancellationTime": "END_OF_BILLING_PERIOD",
        "subscriptionEndSetup": "CANCEL_SUBSCRIPTION",
        "subscriptionStartSetup": "PLAN_SELECTION",
    }
    cloud.charge("pro", 55, currency="usd")
    tiers = [
        {"upTo": 10, "unitPrice": {"amount": 4.99, "currency": "eur"}},
        {"unitPrice": {"amount": 3, "currency": "eur"}, "flatPrice": {"amount": 0, "currency": "eur"}},
    ]
    cloud.charge(
        "pro", 0, billingModel="PER_UNIT", featureId="seats", tiersMode="GRADUATED", tiers=tiers, minUnitQuantity=2,
        price=None,
    )  # fmt: skip
    cloud.rows["customers"][0] |= {
        "couponId": "launch",
        "passthrough": {
            "zuora": {
                "billingAddress": {"country": "de", "city": "Köln"},
                "paymentMethodId": f"{3:032x}",
                "currency": "eur",
            }
        },
    }
    cloud.add(
        "subscriptions", "s1",
        addons=[{"id": "support", "quantity": 2}],
        charges=[{"id": "seats", "quantity": 7, "type": "FEATURE"}],
        prices=[
            {"baseCharge": True, "amount": 39.5, "currency": "eur"},
            {"addonId": "support", "baseCharge": True, "amount": 10, "currency": "eur"},
        ],
        metadata={"team": "sales"},
        resourceId="site-1",
    )  # fmt: skip
    return cloud
