"""What is in Zuora already is taken over by its billing id; ids of other systems link nothing."""

import pytest

from catalog.models import Plan, Price
from customers.models import Customer
from tests.integrations.conftest import World
from tests.integrations.stigg.cloud import Cloud
from tests.integrations.stigg.imports import run

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def make_theirs(world: World) -> dict[str, str]:
    """Make in the tenant what Stigg's own integration has made, and return the ids."""
    client = world.client
    dates = {"EffectiveStartDate": "2020-01-01", "EffectiveEndDate": "2099-12-31"}
    product = client.create_product({"Name": "Pro", "SKU": "OLD", **dates}, idempotency_key="1")["Id"]
    rate_plan = client.create_rate_plan(
        {"Name": "Old monthly", "ProductId": product, "ActiveCurrencies": ["EUR"], **dates}, idempotency_key="2"
    )["Id"]
    charge = client.create_charge(
        {
            "Name": "Old fee",
            "ProductRatePlanId": rate_plan,
            "ChargeModel": "Flat Fee Pricing",
            "ChargeType": "Recurring",
            "BillCycleType": "DefaultFromCustomer",
            "BillingPeriod": "Month",
            "TriggerEvent": "ContractEffective",
            "UseDiscountSpecificAccountingCode": False,
            "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [{"Currency": "EUR", "Price": 49}]},
        },
        idempotency_key="3",
    )["Id"]
    contact = {"firstName": "Ada", "lastName": "Acme", "country": "DE"}
    account = client.create_account(
        {"name": "Acme", "currency": "EUR", "billCycleDay": 1, "autoPay": False, "billToContact": contact},
        idempotency_key="4",
    )["accountId"]
    number = client.get_account(account)["basicInfo"]["accountNumber"]
    triggers = [
        {"name": name, "triggerDate": "2026-03-01"}
        for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    ]
    creation = {
        "subscriptionNumber": "S-old",
        "terms": {"initialTerm": {"termType": "EVERGREEN", "startDate": "2026-03-01"}},
        "subscribeToRatePlans": [{"productRatePlanId": rate_plan}],
    }
    action = {"type": "CreateSubscription", "createSubscription": creation, "triggerDates": triggers}
    order = {
        "orderNumber": "O-old",
        "orderDate": "2026-03-01",
        "existingAccountNumber": number,
        "subscriptions": [{"orderActions": [action]}],
    }
    client.create_order(order, idempotency_key="5")
    subscription = client.get_subscription("S-old")["id"]
    world.app.control.clear_log()
    return {
        "product": product,
        "rate_plan": rate_plan,
        "charge": charge,
        "account": account,
        "subscription": str(subscription),
    }


@pytest.mark.usefixtures("account")
def test_ids_of_another_billing_system_link_nothing(cloud: Cloud) -> None:
    cloud.rows["plans"][0]["billingId"] = "prod_QXg1hEKNPYVvOr"
    cloud.charges["pro"][0]["billingId"] = "price_1PYfx2J5mC4WmS9j"
    cloud.rows["customers"][0] |= {
        "billingId": "cus_QXg1hEKNPYVvOr",
        "defaultPaymentMethod": {"billingId": "pm_1PYfx2J5mC4WmS9j", "type": "CARD"},
    }
    run()
    assert (Plan.objects.get().billing_id, Price.objects.get().billing_id) == ("", "")
    assert (Customer.objects.get().billing_id, Customer.objects.get().payment_method_id) == ("", "")


@pytest.mark.usefixtures("account")
def test_what_another_integration_made_in_zuora_is_taken_over(world: World, cloud: Cloud) -> None:
    """A company moves here: product, rate plan, charge, account and subscription are in Zuora already."""
    ids = make_theirs(world)
    cloud.rows["plans"][0]["billingId"] = ids["product"]
    cloud.charges["pro"][0]["billingId"] = ids["charge"]
    zuora = {"id": "zuora", "vendorIdentifier": "ZUORA", "syncedEntityId": ids["account"]}
    cloud.rows["customers"][0]["integrations"] = [zuora]
    cloud.add("subscriptions", "s1", billingId=ids["subscription"])
    run()
    world.settle()
    assert world.record("plan:pro").error == ""
    assert world.statuses() == {
        "plan:pro": "SUCCESS",
        "customer:acme": "SUCCESS",
        "subscription:s1": "SUCCESS",
    }
    assert {kind: [row["Id"] for row in world.rows(kind)] for kind in ("Product", "ProductRatePlan", "Account")} == {
        "Product": [ids["product"]],
        "ProductRatePlan": [ids["rate_plan"]],
        "Account": [ids["account"]],
    }
    assert [row["Id"] for row in world.rows("ProductRatePlanCharge")] == [ids["charge"]]
    assert world.app.control.requests("POST", "/v1/orders") == []
