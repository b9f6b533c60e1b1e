"""Subscriptions changed, handed over, paid and cancelled, as Stigg's own client asks for it."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stigg

from catalog.models import Plan
from catalog.publishing import publish, start_draft
from subscriptions.taking_effect import take_effect
from tests.factories.catalog import PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.usage import NOON
from tests.integrations.api.sales import PERIOD_END, refused, sell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon", "customer", "plan")]


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
