"""What an import makes of subscriptions: nobody pays something else than before, and nobody is asked twice."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from catalog.models import Addon, Price
from customers.models import Customer
from integrations.collecting import collecting
from integrations.models import StiggAccount, SyncJob
from integrations.stigg import importing
from integrations.stigg.account import StiggKind
from integrations.stigg.importing import Fetched, import_one, open_account
from integrations.stigg.writing import Change
from subscriptions.models import PastTerms, Subscription
from tests.integrations.conftest import World
from tests.integrations.stigg.cloud import Cloud
from tests.integrations.stigg.conftest import NOW
from tests.integrations.stigg.imports import lines, run

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def euros(amount: float, **fields: Any) -> dict[str, Any]:
    return {"baseCharge": True, "amount": amount, "currency": "eur", **fields}


def overrides() -> list[tuple[str, Decimal | None]]:
    found = Subscription.objects.get().price_overrides
    return [(one.price.billing_cadence, one.amount) for one in found.order_by("price__billing_cadence")]


@pytest.fixture
def second(cloud: Cloud) -> Cloud:
    """The plan is on sale in its second version, for more."""
    cloud.charge("pro 1", 49)
    cloud.charges["pro"] = []
    cloud.rows["plans"][0]["versionNumber"] = 2
    cloud.charge("pro", 59)
    return cloud


@pytest.mark.usefixtures("account")
def test_who_was_sold_an_older_version_keeps_it(world: World, second: Cloud) -> None:
    second.rows["customers"][0]["passthrough"] = {
        "zuora": {"billingAddress": {"country": "DE"}, "paymentMethodId": f"{3:032x}"}
    }
    second.add("subscriptions", "old", planVersionNumber=1, resourceId="a")
    second.add("subscriptions", "new", planVersionNumber=2, resourceId="b")
    operation = run()
    assert lines(operation) == []
    sold = Subscription.objects.order_by("ref_id").values_list("ref_id", "plan_version_number")
    assert list(sold) == [("new", 2), ("old", 1)]
    amounts = Price.objects.order_by("version_number").values_list("version_number", "amounts__amount")
    assert list(amounts) == [(1, Decimal(49)), (2, Decimal(59))]
    world.settle()
    paid = {
        row["Name"].removeprefix("stigg--"): row["RatePlans"][0]["Charges"][0]["Tiers"][0]["Price"]
        for row in world.rows("Subscription")
    }
    assert paid == {"old": 49, "new": 59}
    asked = len(second.requests)
    assert set(run().tally) == {f"{kind}s unchanged" for kind in ("product", "feature", "plan", "customer")} | {
        "subscriptions unchanged"
    }
    assert len(second.requests) - asked == 8  # seven kinds and the plan's charges: the old version is here


@pytest.mark.usefixtures("account")
def test_a_version_that_nobody_tells_is_not_replaced_by_another(second: Cloud) -> None:
    del second.charges["pro 1"]
    second.add("subscriptions", "old", planVersionNumber=1)
    assert [text for _, _, text in lines(run())] == [
        (
            "It was sold version 1 of Pro, which is not here: see why that was skipped, or import again if it was "
            "published just now."
        )
    ]
    assert Subscription.objects.count() == 0


def test_a_version_published_just_now_is_read_with_who_bought_it(cloud: Cloud, account: StiggAccount) -> None:
    run()
    cloud.rows["plans"][0]["versionNumber"] = 2
    cloud.charges["pro"][0]["price"]["amount"] = 59
    cloud.add("subscriptions", "s1", planVersionNumber=2)
    change = import_one(open_account(account), StiggKind.SUBSCRIPTION, "s1", now=NOW)
    assert change == Change(StiggKind.SUBSCRIPTION, "s1", "created")
    [price] = [price for price in Subscription.objects.get().prices() if price.version_number == 2]
    assert price.amounts.get().amount == 59


@pytest.mark.usefixtures("account")
def test_an_add_on_keeps_the_version_that_was_sold(cloud: Cloud) -> None:
    cloud.add("addons", "support", versionNumber=3)
    cloud.charge("support", 12)
    cloud.charge("support 2", 10)
    cloud.add("subscriptions", "s1", addons=[{"id": "support", "quantity": 1, "versionNumber": 2}])
    assert lines(run()) == []
    assert Subscription.objects.get().addons.get().addon_version_number == 2
    assert [price.amounts.get().amount for price in Subscription.objects.get().prices() if price.addon] == [10]


@pytest.mark.usefixtures("account")
def test_who_moved_to_another_version_was_of_the_other_until_then(cloud: Cloud) -> None:
    cloud.add("subscriptions", "s1", planVersionNumber=1, effectiveFrom="2026-03-01T00:00:00Z")
    run()
    cloud.rows["plans"][0]["versionNumber"] = 2
    cloud.rows["subscriptions"][0] |= {"planVersionNumber": 2, "effectiveFrom": "2026-05-10T08:00:00Z"}
    run()
    moved = datetime(2026, 5, 10, 8, tzinfo=UTC)
    subscription = Subscription.objects.get()
    assert (subscription.plan_version_number, subscription.effective_from) == (2, moved)
    past = PastTerms.objects.values_list("plan_version_number", "starts_at", "ends_at")
    assert list(past) == [(1, datetime(2026, 3, 1, tzinfo=UTC), moved)]


@pytest.mark.usefixtures("account")
def test_a_trial_that_ends_there_ends_here_too(cloud: Cloud) -> None:
    cloud.add(
        "subscriptions", "s1", status="IN_TRIAL", trialEndDate="2026-07-01T00:00:00Z",
        trial={"trialEndBehavior": "CANCEL_SUBSCRIPTION"}, paymentCollectionMethod="NONE", paymentCollection="FAILED",
        cancelReason="SomethingNew",
    )  # fmt: skip
    assert lines(run()) == []
    one = Subscription.objects.get()
    assert (one.trial_end_behavior, one.payment_collection_method, one.payment_collection, one.cancel_reason) == (
        "CANCEL_SUBSCRIPTION", "NONE", "FAILED", "",
    )  # fmt: skip


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("country", "amount", "kept"),
    [
        ("DE", 45, []),  # by the list of its country
        ("DE", 49, [("RECURRING", Decimal(49))]),  # by everybody else's list, though its own country has one
        ("FR", 45, [("RECURRING", Decimal(45))]),
        ("FR", 49, []),
    ],
)
def test_a_price_is_compared_with_what_this_payer_would_pay(
    cloud: Cloud, country: str, amount: float, kept: list[Any]
) -> None:
    cloud.charge("pro", 45, billingCountryCode="DE")
    cloud.rows["customers"][0]["passthrough"] = {"zuora": {"billingAddress": {"country": country}}}
    cloud.add("subscriptions", "s1", prices=[euros(amount)])
    assert lines(run()) == []
    assert overrides() == kept


@pytest.mark.usefixtures("account")
def test_a_fee_at_the_start_and_one_each_month_are_two_charges(cloud: Cloud) -> None:
    cloud.charge("pro", 200, billingCadence="ONE_OFF")
    cloud.add(
        "subscriptions", "s1", prices=[euros(39, billingCadence="RECURRING"), euros(150, billingCadence="ONE_OFF")]
    )
    assert lines(run()) == []
    assert overrides() == [("ONE_OFF", Decimal(150)), ("RECURRING", Decimal(39))]
    cloud.rows["subscriptions"][0]["prices"] = [euros(49), euros(200)]  # Stigg's own cloud does not tell which
    run()
    assert overrides() == []
    cloud.rows["subscriptions"][0]["prices"] = [euros(17)]
    assert [text for _, _, text in lines(run())] == [
        "It has a price of its plan, which is not one charge of what it was sold: correct it in Stigg."
    ]


@pytest.mark.usefixtures("account")
def test_its_customers_coupon_goes_when_it_leaves_the_customer(cloud: Cloud) -> None:
    cloud.add("coupons", "launch")
    cloud.rows["customers"][0]["couponId"] = "launch"
    told = [{"id": "launch", "name": "Launch", "status": "ACTIVE"}]
    cloud.add("subscriptions", "s1", coupons=told)
    cloud.add("customers", "other")
    cloud.add("subscriptions", "s2", customerId="other", coupons=told)
    run()
    coupons = Subscription.objects.order_by("ref_id").values_list("ref_id", "coupon__ref_id")
    assert list(coupons) == [("s1", None), ("s2", "launch")]


@pytest.mark.usefixtures("account", "world")
def test_what_is_skipped_after_all_wishes_nothing(cloud: Cloud) -> None:
    run()
    jobs = set(SyncJob.objects.values_list("key", flat=True))
    cloud.add("subscriptions", "s1", prices=[euros(9, featureId="seats")])
    operation = run()
    assert (operation.failed, Subscription.objects.count()) == (1, 0)
    assert set(SyncJob.objects.values_list("key", flat=True)) == jobs


@pytest.mark.usefixtures("account")
def test_what_the_billing_system_alone_is_told_comes_too(cloud: Cloud) -> None:
    cloud.rows["customers"][0] |= {
        "passthrough": {"zuora": {"metadata": {"segment": "smb"}}},
        "language": "de",
        "timezone": "Europe/Berlin",
    }
    run()
    told = Customer.objects.values_list("billing_metadata", "language", "timezone")
    assert list(told) == [({"segment": "smb"}, "de", "Europe/Berlin")]


def statements(fetched: Fetched, *, what: str) -> tuple[int, int]:
    """Write a page, and return the number of queries, and of savepoints begun and released."""
    with CaptureQueriesContext(database) as captured, collecting(now=NOW):
        changes = importing.write(fetched, now=NOW)
    assert {change.what for change in changes} == {what}
    savepoints = sum("SAVEPOINT" in query["sql"] for query in captured)
    return len(captured) - savepoints, savepoints


@pytest.mark.skipif(database.vendor == "sqlite", reason="SQLite takes so many rows by several statements")
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("many", [3, 100])
def test_a_page_takes_as_many_queries_as_one_row(cloud: Cloud, account: StiggAccount, many: int) -> None:
    cloud.add("coupons", "launch")
    cloud.add("addons", "support")
    cloud.charge("support", 10)
    cloud.charge("pro", 8, billingModel="PER_UNIT", featureId="seats")
    cloud.rows["customers"] = []
    run()
    for number in range(many):
        cloud.add("customers", f"c{number}", couponId="launch", billingCurrency="eur")
        cloud.add(
            "subscriptions", f"s{number}",
            customerId=f"c{number}",
            addons=[{"id": "support", "quantity": 2, "versionNumber": 1}],
            charges=[{"id": "seats", "quantity": 7, "type": "FEATURE"}],
            coupons=[{"id": "launch", "name": "Launch", "status": "ACTIVE"}],
            prices=[euros(39, billingModel="FLAT_FEE"), euros(8, featureId="seats"), euros(9, addonId="support")],
            planVersionNumber=1,
        )  # fmt: skip
    reader = open_account(account)
    customers, subscriptions = (reader.page(kind) for kind in (StiggKind.CUSTOMER, StiggKind.SUBSCRIPTION))
    first, second = Fetched(StiggKind.CUSTOMER, customers, {}), Fetched(StiggKind.SUBSCRIPTION, subscriptions, {})
    taken = [statements(page, what=what) for what in ("created", "unchanged") for page in (first, second)]
    assert taken == [(11, 4), (19, 4), (2, 2), (17, 2)]
    assert SyncJob.objects.filter(kind__in=["customer", "subscription"]).count() == 2 * many


@pytest.mark.usefixtures("account", "world")
def test_of_a_page_only_the_row_that_the_database_refuses_is_skipped(cloud: Cloud) -> None:
    cloud.add("subscriptions", "s1", resourceId="a", addons=[])
    cloud.add("subscriptions", "s2", resourceId="b", cancellationDate="2026-02-01T00:00:00Z")
    cloud.add("subscriptions", "s3", resourceId="c", prices=[euros(39)])
    operation = run()
    assert lines(operation) == [
        (
            "subscription:s2",
            "skipped",
            "A subscription cannot end before it starts: choose a later cancellation date.",
        )
    ]
    assert list(Subscription.objects.values_list("ref_id", "price_overrides__amount")) == [("s1", None), ("s3", 39)]
    assert set(SyncJob.objects.filter(kind="subscription").values_list("key", flat=True)) == {
        "subscription:s1",
        "subscription:s3",
    }


@pytest.mark.usefixtures("account", "world")
def test_what_differs_in_a_page_is_brought_in_line_and_wished_for(cloud: Cloud) -> None:
    cloud.add("addons", "support")
    cloud.charge("support", 10)
    cloud.add("addons", "audit")
    cloud.charge("audit", 5)
    held = {"addons": [{"id": "support", "quantity": 2}], "prices": [euros(39)]}
    for number in range(3):
        cloud.add("subscriptions", f"s{number}", resourceId=f"{number}", **held)
    run()
    stamps = dict(Subscription.objects.values_list("ref_id", "updated_at"))
    SyncJob.objects.all().delete()
    cloud.rows["subscriptions"][0] |= {"addons": [{"id": "audit", "quantity": 1}], "metadata": {"team": "sales"}}
    cloud.rows["subscriptions"][1] |= {"prices": [euros(38)], "resourceId": "elsewhere"}
    operation = run()
    assert operation.tally["subscriptions updated"] == 2
    rows = Subscription.objects.values_list(
        "ref_id", "resource_id", "metadata", "addons__addon__ref_id", "price_overrides__amount"
    )
    assert list(rows) == [
        ("s0", "0", {"team": "sales"}, "audit", Decimal(39)),
        ("s1", "elsewhere", {}, "support", Decimal(38)),
        ("s2", "2", {}, "support", Decimal(39)),
    ]
    now = dict(Subscription.objects.values_list("ref_id", "updated_at"))
    assert {ref_id for ref_id, stamp in now.items() if stamp != stamps[ref_id]} == {"s0", "s1"}
    assert set(SyncJob.objects.values_list("key", flat=True)) == {"customer:acme", "subscription:s0", "subscription:s1"}
    past = PastTerms.objects.values_list("subscription__ref_id", "resource_id", "addons").order_by("subscription")
    support = Addon.objects.get(ref_id="support").pk
    assert list(past) == [("s0", "0", [[support, 1]]), ("s1", "1", [[support, 1]])]
