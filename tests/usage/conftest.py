import pytest

from catalog.models import Feature
from customers.models import Customer
from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory.create(ref_id="acme")


@pytest.fixture
def feature() -> Feature:
    return MeteredFeatureFactory.create(ref_id="api-calls")
