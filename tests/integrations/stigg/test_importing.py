"""An import from Stigg: what comes, what is skipped and why, and that a second one changes nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from catalog.models import Addon, Coupon, Feature, Plan, Price, PriceAmount, PriceTier, Product
from customers.models import Customer
from integrations import operations
from integrations.bulk import KINDS
from integrations.models import Operation, OperationState, Priority, StiggAccount, SyncJob
from integrations.stigg import importing
from integrations.stigg.account import StiggKind
from integrations.stigg.importing import import_one, open_account
from integrations.stigg.writing import Change
from subscriptions.models import Subscription
from tests.integrations.conftest import World
from tests.integrations.stigg.cloud import Cloud
from tests.integrations.stigg.conftest import NOW

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def run(*, dry_run: bool = False) -> Operation:
    """Import to the end."""
    operation = importing.start(actor=None, now=NOW, dry_run=dry_run)
    for _ in range(1000):
        ran = operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=lambda: NOW, seconds=99)
        if ran.again is None:
            break
    operation.refresh_from_db()
    return operation


def lines(operation: Operation) -> list[tuple[str, str, str]]:
    return list(operation.lines.values_list("key", "outcome", "text"))


def counts() -> list[int]:
    return [model.objects.count() for model in (Product, Feature, Coupon, Addon, Plan, Price, Customer, Subscription)]


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


@pytest.fixture
def whole(cloud: Cloud) -> Cloud:
    """An environment with everything that an import knows."""
    cloud.add("coupons", "launch", type="FIXED", percentOff=None, amountsOff=[{"amount": 5.5, "currency": "eur"}])
    cloud.add("addons", "support", maxQuantity=3)
    cloud.charge("support", 10)
    cloud.rows["plans"][0] |= {
        "compatibleAddonIds": ["support"],
        "defaultTrialConfig": {"duration": 14, "units": "DAY", "trialEndBehavior": "CANCEL_SUBSCRIPTION"},
    }
    cloud.rows["products"][0]["productSettings"] = {
        "subscriptionCancellationTime": "END_OF_BILLING_PERIOD",
        "subscriptionEndSetup": "CANCEL_SUBSCRIPTION",
        "subscriptionStartSetup": "PLAN_SELECTION",
    }
    cloud.charge("pro", 55, currency="usd")
    tiers = [
        {"upTo": 10, "unitPrice": {"amount": 4.99, "currency": "eur"}},
        {"unitPrice": {"amount": 3, "currency": "eur"}, "flatPrice": {"amount": 0, "currency": "eur"}},
    ]
    cloud.charge(
        "pro", 0, billingModel="PER_UNIT", featureId="seats", tiersMode="GRADUATED", tiers=tiers, minUnitQuantity=2,
        price=None,
    )  # fmt: skip
    cloud.rows["customers"][0] |= {
        "couponId": "launch",
        "passthrough": {
            "zuora": {
                "billingAddress": {"country": "de", "city": "Köln"},
                "paymentMethodId": f"{3:032x}",
                "currency": "eur",
            }
        },
    }
    cloud.add(
        "subscriptions", "s1",
        addons=[{"id": "support", "quantity": 2}],
        charges=[{"id": "seats", "quantity": 7, "type": "FEATURE"}],
        prices=[
            {"baseCharge": True, "amount": 39.5, "currency": "eur"},
            {"addonId": "support", "baseCharge": True, "amount": 10, "currency": "eur"},
        ],
        metadata={"team": "sales"},
        resourceId="site-1",
    )  # fmt: skip
    return cloud


@pytest.mark.usefixtures("account")
def test_everything_comes_with_all_that_is_billed(whole: Cloud) -> None:
    operation = run()
    assert lines(operation) == []
    assert (operation.state, operation.done, operation.failed) == (OperationState.DONE, 7, 0)
    assert operation.tally == {
        f"{kind}s created": 1 for kind in ("product", "feature", "coupon", "addon", "plan", "customer", "subscription")
    }
    plan = Plan.objects.get()
    assert (plan.ref_id, plan.display_name, plan.status, plan.version_number) == ("pro", "Pro", "PUBLISHED", 1)
    assert [addon.ref_id for addon in plan.compatible_addons.all()] == ["support"]
    assert (plan.trial_duration, plan.trial_units, plan.trial_end_behavior) == (14, "DAY", "CANCEL_SUBSCRIPTION")
    assert plan.product.cancellation_time == "END_OF_BILLING_PERIOD"
    fee, seats = plan.prices.order_by("billing_model")
    assert [(one.currency, one.amount) for one in fee.amounts.all()] == [("EUR", Decimal(49)), ("USD", Decimal(55))]
    assert (seats.tiers_mode, seats.min_unit_quantity, seats.feature) == ("GRADUATED", 2, Feature.objects.get())
    tiers = PriceTier.objects.values_list("up_to", "unit_price", "flat_price")
    assert list(tiers) == [(10, Decimal("4.99"), None), (None, Decimal(3), Decimal(0))]
    customer = Customer.objects.get()
    assert (customer.billing_currency, customer.billing_country, customer.billing_city) == ("EUR", "DE", "Köln")
    assert (customer.payment_method_id, customer.customer_coupon.coupon.ref_id) == (f"{3:032x}", "launch")
    subscription = Subscription.objects.get()
    assert (subscription.billing_period, subscription.start_date) == ("MONTHLY", datetime(2026, 3, 1, tzinfo=UTC))
    assert [(one.addon.ref_id, one.quantity) for one in subscription.addons.all()] == [("support", 2)]
    assert [(one.feature.ref_id, one.quantity) for one in subscription.quantities.all()] == [("seats", 7)]
    # The add-on is paid by its list: only what differs is an override.
    assert [(one.price, one.amount) for one in subscription.price_overrides.all()] == [(fee, Decimal("39.5"))]
    assert len(whole.requests) == 9  # seven kinds, and the charges of a plan and an add-on


@pytest.mark.usefixtures("account", "whole")
def test_a_second_import_saves_nothing_and_wishes_nothing(world: World) -> None:
    run()
    world.settle()
    before, jobs = counts(), SyncJob.objects.count()
    stamps = list(Customer.objects.values_list("updated_at", flat=True))
    operation = run()
    assert set(operation.tally) == {
        f"{kind}s unchanged" for kind in ("product", "feature", "coupon", "addon", "plan", "customer", "subscription")
    }
    assert (counts(), SyncJob.objects.count()) == (before, jobs)
    assert list(Customer.objects.values_list("updated_at", flat=True)) == stamps
    assert SyncJob.objects.filter(state="WAITING").count() == 0


@pytest.mark.usefixtures("account")
def test_what_came_is_in_zuora_and_only_what_changes_goes_again(world: World, whole: Cloud) -> None:
    run()
    assert set(SyncJob.objects.values_list("priority", flat=True)) == {Priority.BACKFILL}
    world.settle()
    assert set(world.statuses().values()) == {"SUCCESS"}
    whole.rows["customers"][0]["name"] = "Acme Holding"
    whole.rows["subscriptions"][0]["addons"] = [{"id": "support", "quantity": 3}]
    operation = run()
    assert {name: count for name, count in operation.tally.items() if "unchanged" not in name} == {
        "customers updated": 1,
        "subscriptions updated": 1,
    }
    waiting = SyncJob.objects.filter(state="WAITING").values_list("key", flat=True)
    assert sorted(waiting) == ["customer:acme", "subscription:s1"]


@pytest.mark.usefixtures("account", "whole")
def test_a_dry_run_says_what_would_change_and_changes_nothing(world: World) -> None:
    operation = run(dry_run=True)
    assert counts() == [0] * 8
    assert SyncJob.objects.count() == 0
    assert {(key, outcome) for key, outcome, _ in lines(operation)} == {
        ("product:main", "created"),
        ("feature:seats", "created"),
        ("coupon:launch", "created"),
        ("addon:support", "created"),
        ("plan:pro", "created"),
        ("customer:acme", "created"),
        ("subscription:s1", "created"),
    }
    assert world.rows("Account") == []


@pytest.mark.usefixtures("account")
def test_a_new_version_is_another_version_and_the_running_keep_theirs(whole: Cloud) -> None:
    run()
    whole.rows["plans"][0]["versionNumber"] = 2
    whole.charges["pro"][0]["price"] = {"amount": 59, "currency": "eur"}
    run()
    plan = Plan.objects.get()
    assert plan.version_number == 2
    amounts = PriceAmount.objects.filter(price__plan=plan, currency="EUR", price__billing_model="FLAT_FEE")
    assert list(amounts.order_by("amount").values_list("price__version_number", "amount")) == [
        (1, Decimal(49)),
        (2, Decimal(59)),
    ]
    assert Subscription.objects.get().plan_version_number == 1


@pytest.mark.usefixtures("account")
def test_a_version_that_changed_unseen_is_skipped_with_a_sentence(cloud: Cloud) -> None:
    run()
    cloud.charges["pro"][0]["price"] = {"amount": 1, "currency": "eur"}
    operation = run()
    assert lines(operation) == [
        (
            "plan:pro",
            "skipped",
            (
                "Stigg's version 1 has other charges than the one that is sold here: publish a new version in Stigg, "
                "so that nobody's price changes unseen."
            ),
        )
    ]
    assert PriceAmount.objects.get().amount == 49


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        (
            "customers",
            {"email": "nobody"},
            "email: Enter a valid email address.",
        ),
        (
            "subscriptions",
            {"customerId": "nobody"},
            "Its customer nobody is not here: see why that was skipped.",
        ),
        (
            "subscriptions",
            {"status": "CANCELED"},
            "It ended before it was imported: there is nothing to bill.",
        ),
        (
            "subscriptions",
            {"minimumSpend": {"amount": 5, "currency": "eur"}},
            "It has a minimum spend, which has no counterpart in Zuora: bill that by hand.",
        ),
        (
            "subscriptions",
            {"prices": [{"baseCharge": True, "amount": 10, "currency": "usd"}]},
            "It pays in USD, and Acme is billed in EUR: make them the same in Stigg.",
        ),
        (
            "plans",
            {"productId": "elsewhere"},
            "Its product elsewhere is not here: see why that was skipped.",
        ),
        (
            "plans",
            {},
            "Other is PAID and has no prices: add one, or make it FREE or CUSTOM.",
        ),
        (
            "coupons",
            {"type": "FIXED", "percentOff": None},
            "A FIXED coupon takes an amount off: give one per currency.",
        ),
    ],
)
def test_what_cannot_be_taken_is_skipped_by_name_and_the_rest_goes_on(
    cloud: Cloud, kind: str, fields: dict[str, Any], reason: str
) -> None:
    cloud.add(kind, "other", **fields)
    cloud.add("customers", "last")
    operation = run()
    assert lines(operation) == [(f"{kind[:-1]}:other", "skipped", reason)]
    assert (operation.failed, Customer.objects.filter(ref_id="last").count()) == (1, 1)


@pytest.mark.usefixtures("account")
def test_seats_that_stigg_does_not_tell_are_not_guessed(cloud: Cloud) -> None:
    price = {"amount": 8, "currency": "eur"}
    cloud.charge("pro", 8, billingModel="PER_UNIT", featureId="seats", price=price)
    cloud.add("subscriptions", "s1")
    operation = run()
    assert [text for _, _, text in lines(operation)] == [
        (
            "Stigg's API does not say how many seats it has, and a guess would be a wrong invoice: make the "
            "subscription here with its quantities, then import again."
        )
    ]
    assert Subscription.objects.count() == 0


@pytest.mark.usefixtures("account")
def test_pages_are_followed_and_a_broken_import_goes_on_where_it_was(cloud: Cloud) -> None:
    for number in range(250):
        cloud.add("customers", f"c{number:03}")
    operation = importing.start(actor=None, now=NOW)
    while Customer.objects.count() < 100:  # step by step, as if the worker was stopped after each
        operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=lambda: NOW, seconds=0)
    cloud.fails = [403]
    operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=lambda: NOW, seconds=99)
    operation.refresh_from_db()
    assert (operation.state, Customer.objects.count()) == (OperationState.FAILED, 100)
    assert operation.reason == (
        "Stigg does not accept the API key: make a server key with read access in Stigg, and enter it."
    )
    asked = len(cloud.requests)
    operations.resume(operation_id=operation.pk, now=NOW)
    operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=lambda: NOW, seconds=99)
    operation.refresh_from_db()
    assert (operation.state, Customer.objects.count(), operation.done) == (OperationState.DONE, 251, 254)
    assert len(cloud.requests) - asked == 3  # two more pages of customers, and no subscriptions


@pytest.mark.usefixtures("account")
def test_only_one_import_runs_at_a_time() -> None:
    importing.start(actor=None, now=NOW)
    with pytest.raises(operations.AlreadyUnderWay):
        importing.start(actor=None, now=NOW)


def test_one_entity_brings_its_parents(whole: Cloud, account: StiggAccount) -> None:
    assert import_one(open_account(account), StiggKind.SUBSCRIPTION, "s1", now=NOW) == Change(
        StiggKind.SUBSCRIPTION, "s1", "created"
    )
    assert counts() == [1, 1, 1, 1, 1, 3, 1, 1]
    assert import_one(open_account(account), StiggKind.CUSTOMER, "nobody", now=NOW) is None
    assert whole.requests.count("/api/v1/customers/acme") == 1


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
