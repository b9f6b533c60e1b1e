"""Stigg's own client, unmodified, in front of our application: in process, or over a socket where that matters."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx
import pytest
import stigg
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from time_machine import travel

from catalog.models import BillingModel, BillingPeriod, Feature, Plan
from customers.models import Customer
from integrations import api_keys
from integrations.models import ApiKey, Scope
from tests.factories.catalog import FeatureFactory, PlanFactory, ProductFactory, addon_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.factories.usage import NOON, MeteredFeatureFactory

BASE_URL = "http://localhost"


def new_key(*, scope: Scope = Scope.WRITE, now: datetime = NOON) -> tuple[ApiKey, str]:
    return api_keys.create(name="Example application", scope=scope, actor=None, now=now)


@pytest.fixture
def _noon() -> Iterator[None]:
    with travel(NOON, tick=False):
        yield


@contextmanager
def in_process() -> Iterator[httpx.Client]:
    """Open the application without a socket."""
    application = get_wsgi_application()
    # As Django's own test client does: a request's end must not close the connection that holds the test's transaction.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with httpx.Client(transport=httpx.WSGITransport(application), base_url=BASE_URL) as client:
            yield client
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """Requests that no SDK would send."""
    with in_process() as client:
        yield client


@pytest.fixture
def token(db: None) -> str:
    return new_key()[1]


@pytest.fixture
def client(http: httpx.Client, token: str) -> stigg.Stigg:
    return stigg.Stigg(api_key=token, base_url=BASE_URL, http_client=http, _strict_response_validation=True)


@pytest.fixture
def customer(db: None) -> Customer:
    return CustomerFactory.create(ref_id="acme")


@pytest.fixture
def feature(db: None) -> Feature:
    return MeteredFeatureFactory.create(ref_id="api-calls")


@pytest.fixture
def plan() -> Plan:
    """Pro: a fee and seats, monthly or annually, and two add-ons."""
    made = PlanFactory.create(ref_id="pro", product=ProductFactory.create(multiple_subscriptions=True))
    seats = FeatureFactory.create(ref_id="seats")
    for period in BillingPeriod:
        price(made, billing_period=period, amounts={"EUR": 20})
        price(made, billing_period=period, billing_model=BillingModel.PER_UNIT, feature=seats, amounts={"EUR": 8})
    for ref_id in ("support", "backup"):
        addon_with_prices(ref_id=ref_id, periods=BillingPeriod, amounts={"EUR": 5}, max_quantity=9)
    return made
