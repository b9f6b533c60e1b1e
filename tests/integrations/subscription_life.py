"""A plan to be sold, who buys it, and what the tenant was told of it as of which day."""

import pytest

from catalog.models import BillingPeriod, Plan, Product
from customers.models import Customer
from subscriptions.wanted import Content
from tests.factories.catalog import ProductFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.integrations.conftest import Story

MONTHLY = Content(billing_period="MONTHLY")


@pytest.fixture
def product() -> Product:
    return ProductFactory.create()


@pytest.fixture
def pro(product: Product) -> Plan:
    return plan_with_prices(ref_id="pro", product=product, periods=BillingPeriod, amounts={"EUR": 20})


@pytest.fixture
def acme(story: Story) -> Customer:
    return CustomerFactory.create(ref_id="acme")


def dated(story: Story) -> list[tuple[str, str]]:
    """Return what the tenant was told of subscriptions, and as of which day."""
    orders = sorted(story.world.rows("Order"), key=lambda row: str(row["OrderNumber"]))
    actions = [action for order in orders for action in order["Entries"][0]["orderActions"]]
    return [(one["type"], one["triggerDates"][0]["triggerDate"]) for one in actions]
