"""Subscriptions, as Stigg's own client asks for them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import stigg
from pytest_django import DjangoAssertNumQueries

from catalog.models import BillingModel, Coupon, Plan, TiersMode
from catalog.tiers import Tier
from subscriptions.models import ScheduledChange, Subscription
from subscriptions.taking_effect import take_effect
from tests.factories.catalog import CouponFactory, FeatureFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionAddonFactory
from tests.factories.usage import NOON
from tests.integrations.api.sales import PERIOD_END, refused, sell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon", "customer", "plan")]


def test_all_that_is_sold_is_told_again(client: stigg.Stigg) -> None:
    CustomerFactory.create(ref_id="mother")
    CouponFactory.create(ref_id="launch", display_name="Launch")
    answer = client.v1.subscriptions.provision(
        id="s1",
        customer_id="acme",
        plan_id="pro",
        billing_period="MONTHLY",
        addons=[{"id": "support", "quantity": 2}],
        charges=[{"id": "seats", "type": "FEATURE", "quantity": 7}],
        applied_coupon={"coupon_id": "launch"},
        price_overrides=[
            {"feature_id": "seats", "amount": 7.5, "currency": "eur"},
            {"base_charge": True, "amount": 19},
        ],
        billing_information={"metadata": {"po": "1"}, "integration_id": "zuora"},
        metadata={"a": "b"},
        paying_customer_id="mother",
        payment_collection_method="INVOICE",
        resource_id="site-1",
        cancellation_date=datetime(2027, 1, 1, tzinfo=UTC),
    ).data
    assert (answer.id, answer.status, answer.is_scheduled) == ("s1", "SUCCESS", False)
    told = client.v1.subscriptions.retrieve("s1").data
    assert answer.subscription is not None
    assert answer.subscription.to_dict() == told.to_dict()
    assert told.to_dict(mode="json") == {
        "id": "s1",
        "customerId": "acme",
        "planId": "pro",
        "planVersionNumber": 1,
        "pricingType": "PAID",
        "billingPeriod": "MONTHLY",
        "status": "ACTIVE",
        "createdAt": "2026-03-10T12:00:00Z",
        "startDate": "2026-03-10T12:00:00Z",
        "trial": None,
        "trialEndDate": None,
        "endDate": "2027-01-01T00:00:00Z",
        "effectiveEndDate": None,
        "effectiveFrom": "2026-03-10T12:00:00Z",
        "billedFrom": None,
        "billedUntil": None,
        "cancellationDate": "2027-01-01T00:00:00Z",
        "cancelReason": None,
        "billingCycleAnchor": "2026-03-10T12:00:00Z",
        "currentBillingPeriodStart": "2026-03-10T12:00:00Z",
        "currentBillingPeriodEnd": "2026-04-10T12:00:00Z",
        "addons": [{"id": "support", "quantity": 2, "versionNumber": 1}],
        "charges": [{"id": "seats", "type": "FEATURE", "quantity": 7}],
        "prices": [
            paid(baseCharge=True, amount=19.0),
            paid(featureId="seats", amount=7.5, billingModel="PER_UNIT"),
            paid(addonId="support", baseCharge=True, amount=5.0),
        ],
        "coupons": [{"id": "launch", "name": "Launch", "status": "ACTIVE", "percentOff": 10.0, "amountsOff": None}],
        "futureUpdates": [],
        "metadata": {"a": "b"},
        "resourceId": "site-1",
        "payingCustomerId": "mother",
        "paymentCollection": "NOT_REQUIRED",
        "paymentCollectionMethod": "INVOICE",
        "billingId": None,
        "billingLinkUrl": None,
        "syncStates": [],
    }
    assert Subscription.objects.get().billing_information == {"metadata": {"po": "1"}}


def paid(**fields: Any) -> dict[str, Any]:
    return {
        "addonId": None,
        "featureId": None,
        "baseCharge": False,
        "billingModel": "FLAT_FEE",
        "billingCadence": "RECURRING",
        "currency": "eur",
        "tiers": None,
        "blockSize": None,
        "billingCountryCode": None,
        **fields,
    }


def test_an_id_is_given_where_none_was_sent_and_taken_once(client: stigg.Stigg) -> None:
    made = client.v1.subscriptions.provision(customer_id="acme", plan_id="pro", billing_period="ANNUALLY").data
    assert made.id.startswith("subscription-")
    assert refused(lambda: sell(client, made.id))[:2] == (409, "DuplicatedEntityNotAllowed")


def test_tiers_are_overridden_by_tiers(client: stigg.Stigg, plan: Plan) -> None:
    feature = FeatureFactory.create(ref_id="gb")
    price(
        plan,
        billing_model=BillingModel.PER_UNIT,
        feature=feature,
        tiers_mode=TiersMode.VOLUME,
        amounts={"EUR": [Tier(None, Decimal(1), None)]},
    )
    sold = sell(
        client,
        price_overrides=[
            {
                "feature_id": "gb",
                "tiers": [
                    {"up_to": 10, "unit_price": {"amount": 2, "currency": "eur"}},
                    {"unit_price": {"amount": 1.25, "currency": "eur"}},
                ],
            }
        ],
    )
    [tiers] = [one.tiers for one in sold.prices if one.feature_id == "gb"]
    assert [(tier.up_to, tier.unit_price.amount) for tier in tiers] == [(10, 2), (None, 1.25)]


def test_a_discount_becomes_a_coupon_of_its_own(client: stigg.Stigg) -> None:
    sold = sell(client, applied_coupon={"discount": {"percent_off": 15, "name": "Deal", "duration_in_months": 3}})
    coupon = Coupon.objects.get()
    assert (coupon.percent_off, coupon.duration_in_months) == (Decimal(15), 3)
    assert [(one.id, one.percent_off) for one in sold.coupons] == [(coupon.ref_id, 15)]


def test_a_trial_converts_and_may_be_made_longer(client: stigg.Stigg) -> None:
    ends = NOON + timedelta(days=14)
    trial = {"is_trial": True, "trial_end_date": ends, "trial_end_behavior": "CONVERT_TO_PAID"}
    sold = sell(client, trial_override_configuration=trial)
    assert (sold.status, sold.trial_end_date, sold.trial.trial_end_behavior) == ("IN_TRIAL", ends, "CONVERT_TO_PAID")
    longer = ends + timedelta(days=1)
    assert client.v1.subscriptions.update("s1", trial_end_date=longer).data.trial_end_date == longer
    take_effect(now=ends)
    assert client.v1.subscriptions.retrieve("s1").data.status == "IN_TRIAL"
    take_effect(now=longer)
    assert client.v1.subscriptions.retrieve("s1").data.status == "ACTIVE"


def test_an_import_is_whole_and_twice_once(client: stigg.Stigg) -> None:
    rows: list[Any] = [
        {
            "id": "old",
            "customer_id": "acme",
            "plan_id": "pro",
            "billing_period": "MONTHLY",
            "start_date": datetime(2025, 1, 1, tzinfo=UTC),
            "addons": [{"id": "support", "quantity": 1}],
            "charges": [{"id": "seats", "type": "FEATURE", "quantity": 3}],
            "billing_id": "A-S1",
            "resource_id": "site-1",
        },
        {"id": "over", "customer_id": "acme", "plan_id": "pro", "billing_period": "MONTHLY", "end_date": NOON},
    ]
    assert client.v1.subscriptions.import_(subscriptions=rows).data.task_id
    client.v1.subscriptions.import_(subscriptions=rows)
    assert {one.id: one.status for one in client.v1.subscriptions.list()} == {"old": "ACTIVE", "over": "CANCELED"}
    bad: list[Any] = [{**rows[0], "id": "new"}, {**rows[1], "id": "x", "plan_id": "none"}]
    with pytest.raises(stigg.NotFoundError) as caught:
        client.v1.subscriptions.import_(subscriptions=bad)
    body: Any = caught.value.body
    assert body["errors"] == [{"index": 1, "code": "PlanNotFound", "message": "No plan has the id 'none'."}]
    assert Subscription.objects.count() == 2


def test_lists_are_filtered_and_paged(client: stigg.Stigg) -> None:
    other = CustomerFactory.create(ref_id="other")
    for number in range(4):
        sell(client, f"s{number}", resource_id=f"r{number}")
    sell(client, "s4", customer_id=other.ref_id)
    client.v1.subscriptions.cancel("s0")
    read = client.v1.subscriptions.list
    assert [one.id for one in read(limit=2)] == ["s0", "s1", "s2", "s3", "s4"]
    assert [one.id for one in read(customer_id="other")] == ["s4"]
    assert [one.id for one in read(status=["CANCELED", "EXPIRED"])] == ["s0"]
    assert [one.id for one in read(resource_id="r2", plan_id="pro", pricing_type=["PAID"])] == ["s2"]
    assert [one.id for one in read(customer_id="nobody")] == []


@pytest.mark.parametrize("rows", [1, 3])
def test_a_page_costs_the_same_for_one_and_for_three(
    rows: int, client: stigg.Stigg, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        held = SubscriptionAddonFactory.create()
        ScheduledChange.objects.create(
            subscription=held.subscription, change_type="ADDON", effective_at=PERIOD_END, content={"addons": {}}
        )
    with django_assert_num_queries(15):
        client.v1.subscriptions.list()


@pytest.mark.parametrize(
    ("override", "trial"),
    [
        ({}, ("IN_TRIAL", NOON + timedelta(days=14), "CANCEL_SUBSCRIPTION")),
        ({"trial_override_configuration": {"is_trial": False}}, ("ACTIVE", None, None)),
        (
            {"trial_override_configuration": {"is_trial": True, "trial_end_behavior": "CONVERT_TO_PAID"}},
            ("IN_TRIAL", NOON + timedelta(days=14), "CONVERT_TO_PAID"),
        ),
    ],
)
def test_a_plans_default_trial_is_begun_unless_the_order_says_otherwise(
    client: stigg.Stigg, override: Any, trial: tuple[Any, ...]
) -> None:
    default: Any = {"duration": 14, "units": "DAY", "trial_end_behavior": "CANCEL_SUBSCRIPTION"}
    client.v1.plans.update("pro", default_trial_config=default)
    made = sell(client, **override)
    behavior = made.trial.trial_end_behavior if made.trial else None
    assert (made.status, made.trial_end_date, behavior) == trial


def test_it_is_provisioned_once_under_one_idempotency_key(client: stigg.Stigg) -> None:
    headers = {"Idempotency-Key": "k1"}
    assert sell(client, extra_headers=headers) == sell(client, extra_headers=headers)
    assert Subscription.objects.count() == 1
