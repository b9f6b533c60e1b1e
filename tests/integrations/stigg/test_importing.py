"""An import from Stigg: what comes, and that a second one changes nothing."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from catalog.models import Feature, Plan, PriceAmount, PriceTier
from customers.models import Customer
from integrations import operations
from integrations.bulk import KINDS
from integrations.models import OperationState, Priority, StiggAccount, SyncJob
from integrations.stigg import importing
from integrations.stigg.account import StiggKind
from integrations.stigg.importing import import_one, open_account
from integrations.stigg.writing import Change
from subscriptions.models import Subscription
from tests.integrations.conftest import World
from tests.integrations.stigg.cloud import Cloud
from tests.integrations.stigg.conftest import NOW
from tests.integrations.stigg.imports import counts, lines, run

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


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
