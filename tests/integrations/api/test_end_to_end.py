"""From Stigg's own client through the door and the jobs into the tenant, and read back there."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stigg

from catalog.models import BillingPeriod, Plan
from tests.factories.catalog import ProductFactory, addon_with_prices, plan_with_prices
from tests.integrations.conftest import Story

pytestmark = [pytest.mark.engine, pytest.mark.django_db]

ADDRESS: Any = {"line1": "Weg 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}


@pytest.fixture
def plan(story: Story) -> Plan:
    product = ProductFactory.create()
    plan_with_prices(ref_id="team", product=product, display_name="Team", amounts={"EUR": 50})
    addon_with_prices(ref_id="support", display_name="Support", periods=BillingPeriod, amounts={"EUR": 5})
    return plan_with_prices(
        ref_id="pro", product=product, display_name="Pro", periods=BillingPeriod, amounts={"EUR": 20}
    )


@pytest.fixture
def shop(client: stigg.Stigg, story: Story, plan: Plan) -> stigg.Stigg:
    """An application with two customers."""
    for number, ref_id in enumerate(("acme", "other")):
        client.v1.customers.provision(
            id=ref_id,
            name=ref_id,
            email=f"{ref_id}@shop.example",
            billing_currency="eur",
            passthrough={"zuora": {"billing_address": ADDRESS, "payment_method_id": f"{number:032x}"}},
        )
    return client


def sell(shop: stigg.Stigg, ref_id: str, plan_id: str = "pro", **fields: Any) -> None:
    shop.v1.subscriptions.provision(
        **{"id": ref_id, "customer_id": "acme", "plan_id": plan_id, "billing_period": "MONTHLY", **fields}
    )


def held(story: Story) -> dict[str, Any]:
    """Return what the tenant holds, by subscription: whose it is, its days, and each charge with days and price."""
    accounts = {row["Id"]: row["AccountNumber"].removeprefix("stigg--") for row in story.world.rows("Account")}
    latest = {row["Name"]: row for row in sorted(story.world.rows("Subscription"), key=lambda row: int(row["Version"]))}
    return {
        name.removeprefix("stigg--"): {
            "owner": accounts[row["AccountId"]],
            "payer": accounts[row["InvoiceOwnerId"]],
            "status": row["Status"],
            "start": row["ContractEffectiveDate"],
            "cancelled": row.get("CancelledDate"),
            "charges": [
                (
                    f"{plan['ProductName']}, {plan['Name']}",
                    charge["EffectiveStartDate"],
                    charge.get("EffectiveEndDate"),
                    charge["Tiers"][0]["Price"],
                )
                for plan in row["RatePlans"]
                for charge in plan["Charges"]
            ],
        }
        for name, row in latest.items()
    }


def one(*charges: tuple[str, str, str | None, int], **fields: str | None) -> dict[str, Any]:
    return {
        "owner": "acme",
        "payer": "acme",
        "status": "Active",
        "start": "2026-01-31",
        "cancelled": None,
        "charges": list(charges),
        **fields,
    }


def test_a_customer_and_what_it_pays_for(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1", addons=[{"id": "support", "quantity": 2}])
    waiting: Any = shop.v1.subscriptions.retrieve("s1").data
    assert [state["status"] for state in waiting.syncStates] == ["PENDING"]
    story.settle()
    assert held(story) == {
        "s1": one(("Pro, Monthly", "2026-01-31", None, 20), ("Support, Monthly", "2026-01-31", None, 10))
    }
    [account] = story.world.rows("Account")
    assert (account["Name"], account["Currency"], account["DefaultPaymentMethodId"]) == ("acme", "EUR", f"{0:032x}")
    told: Any = shop.v1.subscriptions.retrieve("s1").data
    record = story.world.record("subscription:s1")
    assert told.syncStates == [
        {"vendorIdentifier": "ZUORA", "status": "SUCCESS", "syncedEntityId": record.zuora_id, "error": None}
    ]
    assert (told.billing_id, told.billingLinkUrl) == (
        record.zuora_id,
        f"https://test.zuora.com/apps/Subscription.do?method=view&id={record.zuora_id}",
    )


def invoiced(story: Story, day: datetime) -> list[tuple[str, str, int]]:
    """Run the bill on a day, and return all that was ever invoiced, by service period."""
    story.at(day)
    story.world.app.control.bill_run(day.date())
    items = story.world.rows("InvoiceItem")
    return sorted((one["ServiceStartDate"], one["ServiceEndDate"], one["ChargeAmount"]) for one in items)


def test_what_was_billed_elsewhere_so_far_is_billed_from_its_next_period(shop: stigg.Stigg, story: Story) -> None:
    begun = datetime(2025, 12, 15, 8, tzinfo=UTC)
    sell(shop, "s1", start_date=begun, billing_information={"is_backdated": True})
    told: Any = shop.v1.subscriptions.retrieve("s1").data
    assert (told.start_date, told.status, told.billedFrom) == (begun, "ACTIVE", "2026-02-15T08:00:00Z")
    story.settle()
    assert held(story) == {"s1": one(("Pro, Monthly", "2026-02-15", None, 20), start="2026-02-15")}
    assert invoiced(story, datetime(2026, 2, 14, tzinfo=UTC)) == []
    assert invoiced(story, datetime(2026, 2, 16, tzinfo=UTC)) == [("2026-02-15", "2026-03-14", 20)]


def test_a_cancellation_without_proration_lets_its_period_be_billed_whole(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1")
    story.settle()
    story.at(datetime(2026, 2, 10, 15, tzinfo=UTC))
    told: Any = shop.v1.subscriptions.cancel("s1", prorate=False).data
    assert (told.status, told.effective_end_date) == ("CANCELED", datetime(2026, 2, 10, 15, tzinfo=UTC))
    story.settle()
    charge = ("Pro, Monthly", "2026-01-31", "2026-02-28", 20)
    assert held(story) == {"s1": one(charge, status="Cancelled", cancelled="2026-02-28")}
    assert invoiced(story, datetime(2026, 4, 1, tzinfo=UTC)) == [("2026-01-31", "2026-02-27", 20)]


def test_an_upgrade_ends_the_old_subscription_and_begins_the_new(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1")
    story.settle()
    story.at(datetime(2026, 2, 10, 15, tzinfo=UTC))
    sell(shop, "s2", "team")
    story.settle()
    assert held(story) == {
        "s1": one(("Pro, Monthly", "2026-01-31", "2026-02-10", 20), status="Cancelled", cancelled="2026-02-10"),
        "s2": one(("Team, Monthly", "2026-02-10", None, 50), start="2026-02-10"),
    }


def test_an_add_on_that_was_scheduled_begins_with_the_next_period(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1")
    shop.v1.subscriptions.update(
        "s1", addons=[{"id": "support", "quantity": 1}], schedule_strategy="END_OF_BILLING_PERIOD"
    )
    story.settle()
    assert held(story) == {"s1": one(("Pro, Monthly", "2026-01-31", None, 20))}
    story.at(datetime(2026, 3, 2, tzinfo=UTC))
    assert held(story) == {
        "s1": one(("Pro, Monthly", "2026-01-31", None, 20), ("Support, Monthly", "2026-02-28", None, 5))
    }


def test_a_trial_is_billed_from_its_end_on(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1", trial_override_configuration={"is_trial": True, "trial_end_date": "2026-02-14T09:00:00Z"})
    story.settle()
    told: Any = shop.v1.subscriptions.retrieve("s1").data
    assert [state["status"] for state in told.syncStates] == ["NO_SYNC_REQUIRED"]
    assert held(story) == {}
    story.at(datetime(2026, 2, 15, tzinfo=UTC))
    assert held(story) == {"s1": one(("Pro, Monthly", "2026-02-14", None, 20), start="2026-02-14")}


def test_one_cancelled_at_the_periods_end_is_billed_until_then(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1")
    story.settle()
    shop.v1.subscriptions.cancel("s1", cancellation_time="END_OF_BILLING_PERIOD")
    story.settle()
    ended = {
        "s1": one(("Pro, Monthly", "2026-01-31", "2026-02-28", 20), status="Cancelled", cancelled="2026-02-28"),
    }
    assert held(story) == ended
    assert shop.v1.subscriptions.retrieve("s1").data.status == "ACTIVE"
    story.at(datetime(2026, 3, 1, tzinfo=UTC))
    assert held(story) == ended
    assert shop.v1.subscriptions.retrieve("s1").data.status == "CANCELED"


def test_one_that_is_delegated_changes_hands_and_is_paid_as_before(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1")
    story.settle()
    shop.v1.subscriptions.delegate("s1", target_customer_id="other")
    story.settle()
    assert held(story) == {"s1": one(("Pro, Monthly", "2026-01-31", None, 20), owner="other")}


def test_a_period_changed_at_once_is_another_rate_plan_from_that_day_on(shop: stigg.Stigg, story: Story) -> None:
    sell(shop, "s1")
    story.settle()
    story.at(datetime(2026, 2, 10, 15, tzinfo=UTC))
    shop.v1.subscriptions.update("s1", billing_period="ANNUALLY")
    story.settle()
    assert held(story) == {
        "s1": one(("Pro, Monthly", "2026-01-31", "2026-02-10", 20), ("Pro, Annual", "2026-02-10", None, 20))
    }
