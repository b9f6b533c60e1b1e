"""Subscriptions, as Stigg's own client asks for them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import stigg
from pytest_django import DjangoAssertNumQueries

from catalog.models import BillingModel, BillingPeriod, Coupon, Plan, TiersMode
from catalog.publishing import publish, start_draft
from catalog.tiers import Tier
from subscriptions.models import ScheduledChange, Subscription
from subscriptions.taking_effect import take_effect
from tests.factories.catalog import CouponFactory, FeatureFactory, PlanFactory, ProductFactory, addon_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionAddonFactory
from tests.factories.usage import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon", "customer", "plan")]

PERIOD_END = datetime(2026, 4, 10, 12, tzinfo=UTC)


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


def sell(client: stigg.Stigg, ref_id: str = "s1", **fields: Any) -> Any:
    """Return the subscription, whose extra fields no model names."""
    sold = client.v1.subscriptions.provision(
        **{"id": ref_id, "customer_id": "acme", "plan_id": "pro", "billing_period": "MONTHLY", **fields}
    )
    assert sold.data.subscription is not None
    return sold.data.subscription


def refused(call: Callable[[], object]) -> tuple[int, str, str]:
    with pytest.raises(stigg.APIStatusError) as caught:
        call()
    body: Any = caught.value.body
    return caught.value.status_code, body["code"], body["message"]


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


def test_an_update_replaces_the_list_of_add_ons_and_keeps_what_is_left_out(client: stigg.Stigg) -> None:
    sell(client, addons=[{"id": "support", "quantity": 2}], metadata={"a": "b"})
    told: Any = client.v1.subscriptions.update(
        "s1", addons=[{"id": "backup", "quantity": 1}], charges=[{"id": "seats", "type": "FEATURE", "quantity": 3}]
    ).data
    assert [(one.id, one.quantity) for one in told.addons] == [("backup", 1)]
    assert told.charges == [{"id": "seats", "type": "FEATURE", "quantity": 3}]
    assert told.metadata == {"a": "b"}


def test_a_scheduled_update_is_shown_takes_effect_and_is_called_off(client: stigg.Stigg) -> None:
    sell(client)
    update = client.v1.subscriptions.update
    told = update("s1", addons=[{"id": "backup", "quantity": 1}], schedule_strategy="END_OF_BILLING_PERIOD").data
    assert told.addons == []
    assert told.future_updates is not None
    assert [
        (one.scheduled_execution_time, one.schedule_status, one.subscription_schedule_type, one.target_package)
        for one in told.future_updates
    ] == [(PERIOD_END, "SCHEDULED", "ADDON", None)]
    assert client.v1.subscriptions.future_update.cancel_schedule("s1").data.id == "s1"
    assert client.v1.subscriptions.retrieve("s1").data.future_updates == []
    again = refused(lambda: client.v1.subscriptions.future_update.cancel_schedule("s1"))
    assert again[:2] == (404, "ScheduledUpdateNotFound")
    update("s1", billing_period="ANNUALLY", schedule_strategy="END_OF_BILLING_PERIOD")
    take_effect(now=PERIOD_END)
    after: Any = client.v1.subscriptions.retrieve("s1").data
    assert (after.billingPeriod, after.future_updates) == ("ANNUALLY", [])


def test_another_plan_at_the_periods_end_is_a_scheduled_change_of_the_running_one(client: stigg.Stigg) -> None:
    team = PlanFactory.create(ref_id="team", product=Plan.objects.get(ref_id="pro").product)
    price(team, amounts={"EUR": 50})
    sell(client)
    answer = client.v1.subscriptions.provision(
        id="s2", customer_id="acme", plan_id="team", schedule_strategy="END_OF_BILLING_PERIOD"
    ).data
    assert answer.is_scheduled is True
    running = client.v1.subscriptions.retrieve("s1").data
    assert running.future_updates is not None
    assert [
        (one.subscription_schedule_type, one.target_package and one.target_package.id) for one in running.future_updates
    ] == [("PLAN", "team")]
    take_effect(now=PERIOD_END)
    states = {one.id: (one.status, one.cancel_reason) for one in client.v1.subscriptions.list()}
    assert states == {"s1": ("CANCELED", "UPGRADE_OR_DOWNGRADE"), "s2": ("ACTIVE", None)}


def test_what_awaits_its_payment_is_marked_paid_or_called_off(client: stigg.Stigg) -> None:
    answer = client.v1.subscriptions.provision(
        id="s1", customer_id="acme", plan_id="pro", billing_period="MONTHLY", await_payment_confirmation=True
    ).data
    assert answer.status == "PAYMENT_REQUIRED"
    assert client.v1.subscriptions.retrieve("s1").data.status == "PAYMENT_PENDING"
    assert client.v1.subscriptions.invoice.mark_as_paid("s1").data.id == "s1"
    assert client.v1.subscriptions.retrieve("s1").data.status == "ACTIVE"
    assert refused(lambda: client.v1.subscriptions.invoice.mark_as_paid("s1"))[0] == 400
    backup: Any = [{"id": "backup", "quantity": 1}]
    told = client.v1.subscriptions.update("s1", addons=backup, await_payment_confirmation=True).data
    assert told.future_updates is not None
    assert [one.schedule_status for one in told.future_updates] == ["PENDING_PAYMENT"]
    client.v1.subscriptions.future_update.cancel_pending_payment("s1")
    assert client.v1.subscriptions.retrieve("s1").data.future_updates == []


@pytest.mark.parametrize(
    ("sent", "status", "cancelled", "ended"),
    [
        ({}, "CANCELED", NOON, NOON),
        ({"cancellation_time": "END_OF_BILLING_PERIOD"}, "ACTIVE", PERIOD_END, None),
        (
            {"cancellation_time": "SPECIFIC_DATE", "end_date": datetime(2026, 5, 1, tzinfo=UTC)},
            "ACTIVE",
            datetime(2026, 5, 1, tzinfo=UTC),
            None,
        ),
    ],
)
def test_it_is_cancelled_by_the_time_that_was_given(
    client: stigg.Stigg, sent: Any, status: str, cancelled: datetime, ended: datetime | None
) -> None:
    sell(client)
    told = client.v1.subscriptions.cancel("s1", **sent).data
    assert (told.status, told.cancellation_date, told.effective_end_date) == (status, cancelled, ended)


def test_a_cancellation_is_taken_back_by_null(client: stigg.Stigg) -> None:
    sell(client)
    client.v1.subscriptions.cancel("s1", cancellation_time="END_OF_BILLING_PERIOD")
    assert client.v1.subscriptions.update("s1", metadata={"a": "b"}).data.cancellation_date == PERIOD_END
    assert client.v1.subscriptions.update("s1", cancellation_date=None).data.cancellation_date is None


def test_it_is_handed_to_another_customer_and_resource(client: stigg.Stigg) -> None:
    CustomerFactory.create(ref_id="other")
    sell(client, resource_id="one")
    told = client.v1.subscriptions.delegate("s1", target_customer_id="other").data
    assert (told.customer_id, told.paying_customer_id) == ("other", "acme")
    assert client.v1.subscriptions.transfer("s1", destination_resource_id="two").data.resource_id == "two"


def test_it_migrates_to_what_is_on_sale(client: stigg.Stigg, plan: Plan) -> None:
    sell(client)
    start_draft(package=plan)
    publish(package=plan)
    later: Any = client.v1.subscriptions.migrate("s1", subscription_migration_time="END_OF_BILLING_PERIOD").data
    assert [one.subscription_schedule_type for one in later.future_updates] == ["MIGRATE_TO_LATEST"]
    now: Any = client.v1.subscriptions.migrate("s1").data
    assert (now.planVersionNumber, now.future_updates) == (2, [])


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


def test_it_is_provisioned_once_under_one_idempotency_key(client: stigg.Stigg) -> None:
    headers = {"Idempotency-Key": "k1"}
    assert sell(client, extra_headers=headers) == sell(client, extra_headers=headers)
    assert Subscription.objects.count() == 1
