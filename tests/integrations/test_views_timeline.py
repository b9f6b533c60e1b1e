"""What happened to an entity, in one order: who saved it, what was decided, what was sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from customers.models import Customer
from integrations import operating, purging
from integrations.acting import acting
from integrations.collecting import collecting
from integrations.models import (
    Connection,
    Delivery,
    DeliveryOutcome,
    EntityKind,
    Happening,
    JobState,
    Request,
    SyncJob,
    SyncRecord,
    TimelineEntry,
)
from integrations.views.timeline import timeline_of
from subscriptions.models import SubscriptionStatus
from tests.browser.scene import people
from tests.factories.catalog import PlanFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entries(**of: Any) -> list[tuple[str, str, str]]:
    rows = TimelineEntry.objects.filter(**of).order_by("pk")
    return [(row.get_what_display(), row.who, row.subject) for row in rows]


def test_a_save_in_the_admin_is_noted_once_with_who(client: Client, connection: Connection) -> None:
    customer = CustomerFactory.create(ref_id="ada", name="Ada")
    assert connection.pk
    administrator = people()["Administrator"]
    administrator.is_superuser = True
    administrator.save()
    client.force_login(administrator)
    TimelineEntry.objects.all().delete()
    form = client.get(f"/admin/customers/customer/{customer.pk}/change/").context["adminform"].form
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    values = {name: value for name, value in values.items() if value is not None}
    values |= {name: "{}" for name, value in values.items() if value == {}}
    management = {"customer_coupon-TOTAL_FORMS": 0, "customer_coupon-INITIAL_FORMS": 0}
    response = client.post(f"/admin/customers/customer/{customer.pk}/change/", {**values, **management, "name": "Eve"})
    assert response.status_code == 302
    assert entries() == [("Saved", "administrator", "customer ada")]
    assert TimelineEntry.objects.get().request_id == response.headers["X-Request-ID"]


def test_a_save_of_a_part_is_one_of_the_whole_and_without_a_door_it_is_the_programs(connection: Connection) -> None:
    assert connection.pk
    plan = plan_with_prices(ref_id="pro")
    TimelineEntry.objects.all().delete()
    plan.prices.all()[0].save()
    assert entries() == [("Saved", "the program", "price")]
    assert [(row.kind, row.entity_id) for row in TimelineEntry.objects.all()] == [("plan", plan.pk)]


def test_what_was_saved_is_named_where_the_save_names_it(connection: Connection) -> None:
    assert connection.pk
    customer = CustomerFactory.create()
    customer.save(update_fields=["name", "email"])
    assert TimelineEntry.objects.first().fields == ["email", "name"]  # type: ignore[union-attr]  # it was just made


def test_a_subscriptions_save_stands_in_its_customers_timeline_too(connection: Connection) -> None:
    assert connection.pk
    subscription = SubscriptionFactory.create(ref_id="first")
    own = entries(kind=EntityKind.CUSTOMER, entity_id=subscription.customer_id)
    assert own[-1] == ("Saved", "the program", "subscription first")


def test_many_saves_of_one_request_are_one_line(connection: Connection) -> None:
    assert connection.pk
    with acting(lambda: "ada", request_id="request-1"):
        plan_with_prices(ref_id="pro")
    assert entries(kind=EntityKind.PLAN) == [("Saved", "ada", "plan pro")]


def test_bulk_work_is_one_line_for_each_entity(connection: Connection) -> None:
    assert connection.pk
    with acting(lambda: "API key import"), collecting(now=NOW):
        made = CustomerFactory.create(ref_id="a")
        made.save()
        CustomerFactory.create(ref_id="b")
    assert entries(kind=EntityKind.CUSTOMER) == [("Saved", "API key import", "in bulk")] * 2


def test_a_save_that_is_rolled_back_leaves_no_line_and_one_without_a_tenant_does() -> None:
    Customer.objects.create(ref_id="ada")
    assert entries() == [("Saved", "the program", "customer ada")]


def test_what_a_person_asked_for_is_noted(world: World) -> None:
    plan = PlanFactory.create(ref_id="pro")
    TimelineEntry.objects.all().delete()
    operator = people()["Operator"]
    operating.sync_now(kind=EntityKind.PLAN, entity_ids=[plan.pk], actor=operator, now=world.now)
    job = SyncJob.objects.get()
    SyncJob.objects.update(state=JobState.FAILED)
    operating.dismiss(job=job, reason="Sold by hand.", actor=operator, now=world.now)
    assert entries() == [("Sync asked for", "operator", ""), ("Failure dismissed", "operator", "Sold by hand.")]


def test_a_delivery_keeps_which_rules_judge_otherwise_than_before(world: World) -> None:
    subscription = SubscriptionFactory.create(
        status=SubscriptionStatus.IN_TRIAL, trial_end_date=world.now + timedelta(days=3)
    )
    world.settle()
    latest = Delivery.objects.filter(job__kind=EntityKind.SUBSCRIPTION).first()
    assert latest is not None
    assert latest.decided == [{"rule": "not_a_trial", "passed": False, "saw": "in trial"}]
    subscription.status = SubscriptionStatus.ACTIVE
    subscription.save()
    world.settle()
    decided = list(Delivery.objects.filter(job__kind=EntityKind.SUBSCRIPTION).values_list("decided", flat=True))
    assert next(one for one in decided if one) == [{"rule": "not_a_trial", "passed": True, "saw": "no trial"}]
    assert decided.count([]) == len(decided) - 2


def test_an_entity_that_was_deleted_is_counted_no_more(connection: Connection) -> None:
    customer = CustomerFactory.create()
    assert SyncRecord.objects.filter(connection=connection).count() == 1
    customer.delete()
    assert SyncRecord.objects.count() == 0


def happened(connection: Connection, count: int) -> Customer:
    """Return a customer to whom so much happened, three things at each moment."""
    customer = Customer.objects.create(ref_id="ada")
    TimelineEntry.objects.all().delete()
    job = SyncJob.objects.get(connection=connection)
    for number in range(count):
        at = NOW + timedelta(minutes=number // 3)
        if number % 2:
            TimelineEntry.objects.create(
                at=at, kind=EntityKind.CUSTOMER, entity_id=customer.pk, what=Happening.SAVED, who="ada"
            )
        else:
            delivery = Delivery.objects.create(
                job=job, track_id=f"t-{number}", worker="w", outcome=DeliveryOutcome.SENT, started_at=at
            )
            Request.objects.create(
                connection=connection, delivery=delivery, method="GET", path="/v1/a", duration_ms=1, started_at=at
            )
    return customer


def test_pages_of_the_timeline_are_whole_and_in_order(connection: Connection) -> None:
    customer = happened(connection, 11)
    whole = timeline_of(kind=EntityKind.CUSTOMER, entity_id=customer.pk, size=50)
    assert len(whole.moments) == 11
    places = [moment.place for moment in whole.moments]
    assert places == sorted(places, reverse=True)
    seen, before = [], ""
    while True:
        page = timeline_of(kind=EntityKind.CUSTOMER, entity_id=customer.pk, before=before, size=2)
        seen += [moment.place for moment in page.moments]
        before = page.older
        if not before:
            break
    assert seen == places


@pytest.mark.parametrize("key", ["x", "2026-13-01T00:00:00+00:00 e1", "2026-03-01T00:00:00 e1", f"{NOW} e{'9' * 30}"])
def test_a_mistyped_place_is_the_newest_page(connection: Connection, key: str) -> None:
    customer = happened(connection, 3)
    assert len(timeline_of(kind=EntityKind.CUSTOMER, entity_id=customer.pk, before=key).moments) == 3


@pytest.mark.parametrize("count", [3, 19])
def test_an_entitys_page_takes_a_fixed_number_of_queries(
    connection: Connection, django_assert_num_queries: DjangoAssertNumQueries, client: Client, count: int
) -> None:
    happened(connection, count)
    client.force_login(people()["Viewer"])
    client.get("/customers/ada/")
    with django_assert_num_queries(16):
        client.get("/customers/ada/")


def test_the_timeline_is_forgotten_with_the_request_log(connection: Connection) -> None:
    assert connection.pk
    Customer.objects.create(ref_id="ada")
    TimelineEntry.objects.update(at=NOW)
    Customer.objects.create(ref_id="eve")
    purging.purge(now=NOW + timedelta(days=30, seconds=1), days=30)
    assert entries() == [("Saved", "the program", "customer eve")]
