"""How many calls usage takes: fifty records to a call, and fifty subscriptions to a reading."""

import threading
from datetime import timedelta

import pytest

from integrations import usage_delivery
from integrations.models import UsageCharge
from integrations.zuora.push.far import Far
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage import closing
from usage.models import DirtyHour

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

READ = "GET /object-query/{object}"
ONE_BY_ONE = "GET /v1/subscriptions/{key}"
SENT = "POST /v1/action/create"
READ_BACK = "POST /v1/action/query"
#: Who is rung for, and how many hours are left to be closed then, where each of five has two: again, for the second.
TWICE = [((0, 1), 7), ((2, 0), 4), ((3, 4), 4), ((1, 2), 1), ((3, 4), 0)]


def sell(tenant: UsageWorld, count: int) -> list[Subscription]:
    """Sell so many subscriptions, to one customer, each for a resource of its own."""
    first = tenant.sell("s0", sync=False, resource_id="r0")
    rest = [
        tenant.sell(f"s{number}", sync=False, resource_id=f"r{number}", customer=first.customer)
        for number in range(1, count)
    ]
    tenant.settle()
    tenant.world.calls()
    return [first, *rest]


def test_an_hour_of_sixty_subscriptions_takes_two_calls(tenant: UsageWorld) -> None:
    sold = sell(tenant, 60)
    for one in sold:
        tenant.use(one, 1)
    tenant.next_hour()
    tenant.push()
    assert tenant.world.calls() == {READ: 2, SENT: 2}
    tenant.sweep()
    assert tenant.world.calls() == {READ_BACK: 1}
    for one in sold:
        tenant.use(one, 2)
    tenant.next_hour()
    tenant.push()
    assert tenant.world.calls() == {SENT: 2}
    assert sum(tenant.quantities()) == 180


@pytest.mark.parametrize(("hours", "rings"), [(1, [((0, 1), 2), ((2, 3), 0), ((4,), 0)]), (2, TWICE)])
def test_what_is_closed_is_rung_for_while_the_rest_is_being_closed(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch, hours: int, rings: list[tuple[tuple[int, ...], int]]
) -> None:
    sold = sell(tenant, 5)
    for hour in range(hours):
        for one in sold:
            tenant.use(one, 1, at=START - timedelta(hours=hours - hour))
    monkeypatch.setattr(closing, "_FIRST_CHUNK", 3)
    monkeypatch.setattr(closing, "_CHUNK", 3)
    monkeypatch.setattr(usage_delivery, "CHUNK", 2)
    assert rings_of(tenant, sold) == rings


def test_the_first_rings_come_soon_and_are_of_one_call_each_and_later_ones_of_more(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = sell(tenant, 9)
    for one in sold:
        tenant.use(one, 1, at=START - timedelta(hours=1))
    monkeypatch.setattr(closing, "_FIRST_CHUNK", 1)
    monkeypatch.setattr(closing, "_CHUNK", 3)
    monkeypatch.setattr(usage_delivery, "MOST_OBJECTS", 1)
    monkeypatch.setattr(usage_delivery, "CHUNK", 2)
    singly = [((0,), 8), ((1,), 7), ((2,), 5), ((3,), 5)]
    assert rings_of(tenant, sold) == [*singly, ((4, 5), 2), ((6, 7), 0), ((8,), 0)]


def rings_of(tenant: UsageWorld, sold: list[Subscription]) -> list[tuple[tuple[int, ...], int]]:
    """Run an hour; return whom each ring was for, by place, and how many hours were not closed by then."""
    rung = []
    usage_delivery.run_hour(now=tenant.now, ring=lambda ids: rung.append((ids, DirtyHour.objects.count())))
    ids = [one.pk for one in sold]
    return [(tuple(map(ids.index, some)), left) for some, left in rung]


def test_a_process_plans_for_one_task_at_a_time(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    told, others = list[str](), list[threading.Thread]()

    def plan(**_: object) -> list[int]:
        told.append("begins")
        if not others:
            others.append(threading.Thread(target=push))
            others[0].start()
            others[0].join(0.05)
        told.append("ends")
        return []

    def push() -> None:
        list(usage_delivery._planned(far, None, [1]))

    made = tenant.world.connection
    far = Far(client=tenant.world.client, connection=made, tenant=tenant_of(made), clock=tenant.world.clock)
    monkeypatch.setattr("integrations.usage_delivery.push.plan", plan)
    push()
    others[0].join(60)
    assert told == ["begins", "ends"] * 2


def test_what_a_list_shows_is_what_the_subscription_shows(tenant: UsageWorld) -> None:
    sold = sell(tenant, 2)
    for one in sold:
        tenant.use(one, 1, at=START - timedelta(hours=1))
    tenant.push()
    assert tenant.world.calls() == {READ: 1, SENT: 1}
    fields = ("subscription__ref_id", "catalog_id", "number", "unit", "starts_on", "ends_on")
    by_list = list(UsageCharge.objects.values_list(*fields).order_by("subscription"))
    UsageCharge.objects.update(catalog_id="", number="", unit="", starts_on=None)
    for one in sold:
        tenant.use(one, 1, at=START - timedelta(hours=3))
        tenant.push()
    assert tenant.world.calls() == {ONE_BY_ONE: 2, SENT: 2}
    assert list(UsageCharge.objects.values_list(*fields).order_by("subscription")) == by_list


def test_a_subscription_with_a_name_that_no_filter_takes_is_read_alone(tenant: UsageWorld) -> None:
    sold = sell(tenant, 3)
    record = tenant.world.record("subscription:s1")
    store = tenant.world.app.tenant.store
    [row] = [one for one in store.all("Subscription") if one["Name"] == record.zuora_number]
    store.change("Subscription", row, Name="A,[1]")
    record.zuora_number = "A,[1]"
    record.save()
    for one in sold:
        tenant.use(one, 1, at=START - timedelta(hours=1))
    tenant.push()
    assert tenant.world.calls() == {READ: 1, ONE_BY_ONE: 1, SENT: 1}
