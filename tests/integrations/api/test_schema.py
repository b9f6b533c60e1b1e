"""The OpenAPI document is true: whatever it allows, and whatever it forbids, is answered as it says.

`SCHEMA_EXAMPLES=200 python -m pytest tests/integrations/api/test_schema.py` looks longer.
"""

import os
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.apps import apps
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from pytest_django import Settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from integrations.api.openapi import document
from integrations.api.operation import Operation
from integrations.api.registry import BUILT
from integrations.models import ApiKey, SyncJob
from tests.factories.catalog import AddonFactory, CouponFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "3"))
#: What every answer is held against; 501 is an answer of ours, and no failure.
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
KNOWN = {
    "addon_id": "sso",
    "coupon_id": "spring",
    "customer_id": "acme",
    "feature_id": "api-calls",
    "integration_id": "zuora",
    "plan_id": "pro",
    "product_id": "app",
    "subscription_id": "sub-1",
}

SCHEMA = schemathesis.openapi.from_dict(document())


@pytest.fixture
def application(db: None) -> Any:
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def _world(db: None, settings: Settings) -> None:
    settings.API_RATE_LIMITS = dict.fromkeys(settings.API_RATE_LIMITS, 0)
    plan = plan_with_prices(ref_id="pro", product__ref_id="app")
    AddonFactory.create(ref_id="sso", product=plan.product)
    CouponFactory.create(ref_id="spring")
    MeteredFeatureFactory.create(ref_id="api-calls")
    SubscriptionFactory.create(ref_id="sub-1", plan=plan, customer=CustomerFactory.create(ref_id="acme"))


def counts() -> dict[str, int]:
    """How many rows there are of everything, but for the keys, which note when they were used."""
    return {
        model._meta.label: model._default_manager.count()
        for app in ("catalog", "customers", "subscriptions", "usage", "integrations")
        for model in apps.get_app_config(app).get_models()
        if model is not ApiKey
    }


def examples(operation: Operation, mode: GenerationMode, *, ids: dict[str, str]) -> Any:
    """A hundred requests at once are no better than one: what is asked is drawn from the document, ids are ours."""
    found = SCHEMA[operation.path][operation.method]
    return found.as_strategy(generation_mode=mode, path_parameters=ids or None)


def quick(test: Any) -> Any:
    bounded = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return bounded(test)


def test_the_document_is_openapi_3_1() -> None:
    assert document()["openapi"] == "3.1.0"
    for schema in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_its_names_are_those_that_a_person_would_give() -> None:
    """Two schemas of one name get the names of their modules, which are nobody's business."""
    assert [name for name in document()["components"]["schemas"] if not name.isalnum()] == []


@pytest.mark.usefixtures("_world", "connection")
class TestEveryOperation:
    @pytest.mark.parametrize("operation", BUILT, ids=lambda one: one.name)
    def test_what_is_allowed_is_answered_as_the_document_says(
        self, operation: Operation, application: Any, token: str
    ) -> None:
        ids = {name: KNOWN[name] for name in operation.path_names}
        before = counts()

        @quick
        @given(case=examples(operation, GenerationMode.POSITIVE, ids=ids))
        def ask(case: Any) -> None:
            with transaction.atomic():
                answer = case.call(app=application, base_url="http://localhost", headers={"X-API-KEY": token})
                case.validate_response(answer, checks=CHECKS)
                assert answer.status_code < 500 or answer.status_code == 501
                assert answer.status_code < 400 or counts() == before  # what a rule refuses leaves nothing either
                transaction.set_rollback(True)

        ask()

    @pytest.mark.parametrize("operation", [one for one in BUILT if one.body or one.query], ids=lambda one: one.name)
    def test_what_is_forbidden_is_refused_and_leaves_nothing(
        self, operation: Operation, application: Any, token: str
    ) -> None:
        before = counts()

        @quick
        @given(case=examples(operation, GenerationMode.NEGATIVE, ids={}))
        def ask(case: Any) -> None:
            answer = case.call(app=application, base_url="http://localhost", headers={"X-API-KEY": token})
            case.validate_response(answer, checks=[*CHECKS, negative_data_rejection])
            assert answer.status_code < 500 or answer.status_code == 501
            assert counts() == before

        ask()
        assert SyncJob.objects.count() == before["integrations.SyncJob"]
