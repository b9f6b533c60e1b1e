import pytest

from catalog.models import Plan, Product
from customers.models import Customer
from tests.factories.catalog import ProductFactory, plan_with_prices
from tests.factories.customers import CustomerFactory


@pytest.fixture
def product() -> Product:
    return ProductFactory.create(ref_id="suite", display_name="Suite")


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory.create(ref_id="acme", name="Acme")


@pytest.fixture
def basic(product: Product) -> Plan:
    return plan_with_prices(ref_id="basic", display_name="Basic", product=product)


@pytest.fixture
def pro(product: Product) -> Plan:
    return plan_with_prices(ref_id="pro", display_name="Pro", product=product)
