"""Billing IDs that a person sets."""

from typing import Any

import pytest

from catalog.models import PricingType
from integrations.models import SyncStatus
from tests.factories.catalog import PlanFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def theirs(world: World) -> dict[str, Any]:
    """Objects that somebody made in the tenant before we came."""
    account = world.client.create_account(
        {
            "name": "Vorher AG",
            "currency": "EUR",
            "accountNumber": "C-7",
            "billCycleDay": 1,
            "autoPay": False,
            "billToContact": {"firstName": "Vera", "lastName": "Vorher", "country": "DE"},
        },
        idempotency_key="theirs-1",
    )
    product = world.client.create_product(
        {"Name": "Old", "SKU": "OLD", "EffectiveStartDate": "2020-01-01", "EffectiveEndDate": "2099-12-31"},
        idempotency_key="theirs-2",
    )
    world.app.control.clear_log()
    return {"account": account["accountId"], "product": product["Id"]}


def test_a_customer_is_linked_by_number_and_brought_up_to_date(world: World, theirs: dict[str, Any]) -> None:
    CustomerFactory.create(ref_id="acme", name="Acme GmbH", billing_id="C-7", payment_method_id="")
    world.settle()
    record = world.record("customer:acme")
    assert (record.status, record.zuora_id, record.zuora_number, record.linked_by_hand) == (
        SyncStatus.SUCCESS,
        theirs["account"],
        "C-7",
        True,
    )
    [account] = world.rows("Account")
    assert (account["Name"], account["stiggCustomerId__c"]) == ("Acme GmbH", "acme")


def test_a_linked_customer_can_have_subscriptions(world: World, theirs: dict[str, Any]) -> None:
    customer = CustomerFactory.create(ref_id="acme", billing_id=theirs["account"], payment_method_id="")
    SubscriptionFactory.create(ref_id="s1", customer=customer, plan=plan_with_prices(ref_id="pro"))
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}
    [order] = [one.body for one in world.app.control.requests("POST", "/v1/orders")]
    assert order["existingAccountNumber"] == "C-7"


def test_a_plan_is_linked_by_sku(world: World, theirs: dict[str, Any]) -> None:
    plan_with_prices(ref_id="pro", billing_id="OLD")
    world.settle()
    assert world.record("plan:pro").zuora_id == theirs["product"]
    assert {row["ProductId"] for row in world.rows("ProductRatePlan")} == {theirs["product"]}


def test_a_billing_id_forces_a_free_plans_customer(world: World, theirs: dict[str, Any]) -> None:
    free = PlanFactory.create(ref_id="free", pricing_type=PricingType.FREE)
    customer = CustomerFactory.create(ref_id="acme", billing_id="C-7", payment_method_id="")
    SubscriptionFactory.create(ref_id="s1", customer=customer, plan=free, billing_period="")
    world.settle()
    record = world.record("customer:acme")
    assert record.status == SyncStatus.SUCCESS
    assert [rule["rule"] for rule in record.trace if not rule["passed"]] == [
        "more_than_free_plans",
        "has_a_payment_method",
    ]
    assert world.record("subscription:s1").status == SyncStatus.NO_SYNC_REQUIRED
    assert len(theirs) == 2


@pytest.mark.parametrize(
    ("billing_id", "found"),
    [("C-99", "does not exist there"), ("product", "is a product there")],
)
def test_a_customers_link_to_nothing_or_to_something_else_is_refused(
    world: World, theirs: dict[str, Any], billing_id: str, found: str
) -> None:
    value = theirs.get(billing_id, billing_id)
    CustomerFactory.create(ref_id="acme", billing_id=value)
    world.settle()
    record = world.record("customer:acme")
    assert (record.status, record.zuora_id) == (SyncStatus.ERROR, "")
    assert record.error == f"The billing ID {value} should be an account in Zuora, but {found}: correct it."
    assert len(world.rows("Account")) == 1


def test_a_plans_link_to_an_account_is_refused(world: World, theirs: dict[str, Any]) -> None:
    plan_with_prices(ref_id="pro", billing_id=theirs["account"])
    world.settle()
    assert world.record("plan:pro").error == (
        f"The billing ID {theirs['account']} should be a product in Zuora, but is an account there: correct it."
    )


def test_a_linked_subscription_is_left_as_it_is_until_it_changes_here(world: World, theirs: dict[str, Any]) -> None:
    customer = CustomerFactory.create(ref_id="acme", billing_id="C-7", payment_method_id="")
    plan = plan_with_prices(ref_id="pro")
    world.settle()
    rate_plan = world.record("plan:pro/MONTHLY").zuora_id
    start = {"termType": "EVERGREEN", "startDate": "2026-01-01"}
    world.client.create_order(
        {
            "orderNumber": "O-theirs",
            "orderDate": "2026-01-01",
            "existingAccountNumber": "C-7",
            "subscriptions": [
                {
                    "orderActions": [
                        {
                            "type": "CreateSubscription",
                            "createSubscription": {
                                "subscriptionNumber": "S-7",
                                "terms": {"initialTerm": start},
                                "subscribeToRatePlans": [{"productRatePlanId": rate_plan}],
                            },
                            "triggerDates": [
                                {"name": name, "triggerDate": "2026-01-01"}
                                for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
                            ],
                        }
                    ]
                }
            ],
        },
        idempotency_key="theirs-3",
    )
    world.app.control.clear_log()
    subscription = SubscriptionFactory.create(ref_id="s1", customer=customer, plan=plan, billing_id="S-7")
    world.settle()
    record = world.record("subscription:s1")
    assert (record.status, record.zuora_number, record.linked_by_hand) == (SyncStatus.SUCCESS, "S-7", True)
    assert world.calls() == {"GET /v1/subscriptions/{key}": 1}
    extra = plan_with_prices(ref_id="other")
    subscription.plan = extra
    subscription.save()
    world.settle()
    [order] = [one.body for one in world.app.control.requests("POST", "/v1/orders")]
    assert order["subscriptions"][0]["subscriptionNumber"] == "S-7"
    assert [action["type"] for action in order["subscriptions"][0]["orderActions"]] == ["RemoveProduct", "AddProduct"]
    assert len(theirs) == 2
