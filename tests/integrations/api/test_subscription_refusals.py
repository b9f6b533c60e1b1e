"""What cannot be sold or changed, as Stigg's own client is told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import stigg

from catalog.models import Coupon
from subscriptions.models import ScheduledChange, Subscription
from tests.factories.usage import NOON
from tests.integrations.api.sales import PERIOD_END, refused, sell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon", "customer", "plan")]


@pytest.mark.parametrize(
    ("sent", "status", "code", "sentence"),
    [
        ({"customer_id": "nobody"}, 404, "CustomerNotFound", "No customer has the id 'nobody'."),
        ({"plan_id": "none"}, 404, "PlanNotFound", "No plan has the id 'none'."),
        ({"paying_customer_id": "nobody"}, 404, "CustomerNotFound", "No customer has the id 'nobody'."),
        ({"addons": [{"id": "none", "quantity": 1}]}, 404, "AddonNotFound", "No add-on has the id 'none'."),
        ({"addons": [{"id": "support", "quantity": 10}]}, 400, "AddonQuantityExceedsLimitError", "quantity: "),
        ({"addons": [{"id": "support", "quantity": 0}]}, 400, "BadUserInput", "addons.0.quantity: "),
        ({"addons": [{"id": "support", "quantity": 1}] * 2}, 400, "BadUserInput", "addons: an id comes twice"),
        (
            {"charges": [{"id": "none", "type": "FEATURE", "quantity": 1}]},
            404,
            "FeatureNotFound",
            "No feature has the id 'none'.",
        ),
        ({"charges": [{"id": "seats", "type": "CREDIT", "quantity": 1}]}, 501, "NotImplemented", "charges: credits"),
        ({"applied_coupon": {"coupon_id": "none"}}, 404, "CouponNotFound", "No coupon has the id 'none'."),
        ({"applied_coupon": {"promotion_code": "X"}}, 501, "NotImplemented", "promotionCode: "),
        ({"applied_coupon": {"discount": {}}}, 400, "BadUserInput", "appliedCoupon.discount: give percentOff or"),
        ({"minimum_spend": {"amount": 5, "currency": "eur"}}, 501, "NotImplemented", "minimumSpend: "),
        ({"budget": {"limit": 5, "has_soft_limit": True}}, 501, "NotImplemented", "budget: "),
        ({"billing_cycle_anchor": "NOW"}, 501, "NotImplemented", "billingCycleAnchor: "),
        ({"billing_information": {"proration_behavior": "NONE"}}, 501, "NotImplemented", "prorationBehavior NONE: an"),
        ({"billing_country_code": "US"}, 400, "BadUserInput", "billingCountryCode: prices are those of the payer's"),
        ({"trial_override_configuration": {"is_trial": True}}, 400, "BadUserInput", "Plan "),
        (
            {"price_overrides": [{"feature_id": "seats", "amount": 1, "currency": "usd"}]},
            400,
            "BadUserInput",
            "The override is in USD, but",
        ),
        ({"start_date": "2026-03-10"}, 400, "BadUserInput", "startDate: it is no time in ISO 8601 with an offset"),
        ({"cancellation_date": NOON - timedelta(days=1)}, 400, "BadUserInput", "2026-03-09 12:00 UTC has passed"),
        ({"unit_quantity": 0}, 400, "BadUserInput", "quantity: "),
        ({"metadata": {"a": 1}}, 400, "BadUserInput", "metadata.a: "),
    ],
)
def test_bad_input_is_told_and_stores_nothing(
    client: stigg.Stigg, sent: dict[str, Any], status: int, code: str, sentence: str
) -> None:
    answer = refused(lambda: sell(client, **sent))
    assert answer[:2] == (status, code)
    assert answer[2].startswith(sentence)
    assert not Subscription.objects.exists()
    assert not Coupon.objects.exists()


@pytest.mark.parametrize(
    ("call", "status", "sentence"),
    [
        (lambda one: one.update("s1", addons=[{"id": "none", "quantity": 1}]), 404, "No add-on has the id 'none'."),
        (lambda one: one.update("s1", trial_end_date=PERIOD_END), 400, "s1 is in no trial"),
        (
            lambda one: one.update(
                "s1",
                metadata={"a": "b"},
                price_overrides=[{"feature_id": "none", "amount": 1}],
                schedule_strategy="END_OF_BILLING_PERIOD",
            ),
            400,
            "Nothing of plan pro is sold by the feature none",
        ),
        (
            lambda one: one.update("s1", metadata={"a": "b"}, cancellation_date=NOON - timedelta(days=1)),
            400,
            "2026-03-09 12:00 UTC has passed",
        ),
        (lambda one: one.cancel("s1", cancellation_time="SPECIFIC_DATE"), 400, "Cancelling at a specific date needs"),
        (lambda one: one.update("s1", billing_information={"is_backdated": True}), 501, "isBackdated: only"),
        (lambda one: one.delegate("s1", target_customer_id="nobody"), 404, "No customer has the id 'nobody'."),
        (lambda one: one.delegate("s1", target_customer_id="acme"), 400, "Customer"),
        (lambda one: one.preview(customer_id="acme", plan_id="pro"), 501, "Prices are not previewed here"),
        (lambda one: one.usage.charge_usage("s1"), 501, "Usage is not charged from here"),
    ],
)
def test_a_bad_change_is_told_and_changes_nothing(
    client: stigg.Stigg, call: Callable[[Any], object], status: int, sentence: str
) -> None:
    sell(client)
    before = client.v1.subscriptions.retrieve("s1").data
    answer = refused(lambda: call(client.v1.subscriptions))
    assert answer[0] == status
    assert answer[2].startswith(sentence)
    assert client.v1.subscriptions.retrieve("s1").data == before
    assert not ScheduledChange.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("POST", "/cancel", {}),
        ("POST", "/delegate", {"targetCustomerId": "acme"}),
        ("POST", "/transfer", {"destinationResourceId": "x"}),
        ("POST", "/migrate", {}),
        ("POST", "/invoice/paid", None),
        ("DELETE", "/future-update/schedule", None),
        ("DELETE", "/future-update/pending-payment", None),
    ],
)
def test_an_unknown_id_is_not_found(http: httpx.Client, token: str, method: str, path: str, body: Any) -> None:
    address = f"/api/v1/subscriptions/none{path}"
    answer = http.request(method, address, headers={"X-API-KEY": token}, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "SubscriptionNotFound")
