"""Usage on its way to the tenant: one record per slice, whatever happens to the hour afterwards."""

import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from django.db.models import Model
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from integrations.models import UsageBatch, UsageRecord, UsageState
from integrations.zuora.budget import Budget
from integrations.zuora.leases import Priority
from integrations.zuora.push.usage import batches, planning
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage import closing
from usage.models import Slice
from usage.reporting import UsageReport, report_usage

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

#: What a call is formed of.
FORMED = "SKIP LOCKED"


def test_each_hour_of_usage_becomes_one_confirmed_record(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - timedelta(hours=2))
    tenant.use(acme, 4, at=START - timedelta(minutes=90))
    tenant.use(acme, 5, at=START - timedelta(minutes=30))
    tenant.world.calls()
    tenant.push()
    assert tenant.world.calls() == {"GET /v1/subscriptions/{key}": 1, "POST /v1/action/create": 1}
    assert tenant.states() == [UsageState.ACCEPTED] * 2
    tenant.sweep()
    assert tenant.world.calls() == {"POST /v1/action/query": 1}
    assert tenant.states() == [UsageState.CONFIRMED] * 2
    assert tenant.rows() == [
        ("s1--plan--payg--api-calls--20260310t100000z", Decimal(7), "2026-03-10T10:00:00.000+00:00"),
        ("s1--plan--payg--api-calls--20260310t110000z", Decimal(5), "2026-03-10T11:00:00.000+00:00"),
    ]
    tenant.push()
    tenant.sweep()
    assert tenant.world.calls() == {}


def test_a_record_names_account_subscription_charge_and_unit(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, "2.5", at=START - timedelta(hours=1))
    tenant.push()
    [sent] = tenant.control.requests("POST", "/v1/action/create")
    assert sent.body == {
        "type": "Usage",
        "objects": [
            {
                "AccountNumber": "stigg--customer-0",
                "SubscriptionNumber": "stigg--s1",
                "ChargeNumber": "C-00000001",
                "UOM": "API calls",
                "Quantity": Decimal("2.5"),
                "StartDateTime": "2026-03-10T11:00:00+00:00",
                "Description": "stigg--s1--plan--payg--api-calls--20260310t110000z",
            }
        ],
    }


def test_late_usage_changes_the_record_while_it_is_not_billed(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - timedelta(hours=1))
    tenant.quiet()
    tenant.use(acme, 4, at=START - timedelta(minutes=50))
    tenant.world.calls()
    tenant.push()
    assert tenant.world.calls() == {"POST /v1/action/update": 1}
    tenant.sweep()
    assert tenant.quantities() == [7]
    assert tenant.states() == [UsageState.CONFIRMED]


def test_a_slice_that_shrinks_to_nothing_leaves_a_record_of_zero(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - timedelta(hours=1))
    tenant.quiet()
    tenant.use(acme, -3, at=START - timedelta(minutes=50))
    tenant.quiet()
    assert tenant.quantities() == [0]


def test_what_was_billed_is_made_up_for_in_the_open_period(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(days=31))
    tenant.use(acme, 10, at=START - timedelta(days=30))
    tenant.quiet()
    assert tenant.bill(date(2026, 3, 10)) == {"stigg--s1": 10}
    tenant.use(acme, 4, at=START - timedelta(days=30))
    tenant.quiet()
    assert tenant.rows() == [
        ("s1--plan--payg--api-calls--20260208t120000z", Decimal(10), "2026-02-08T12:00:00.000+00:00"),
        ("s1--plan--payg--api-calls--correction-1", Decimal(4), "2026-03-10T12:00:00.000+00:00"),
    ]
    assert tenant.bill(date(2026, 4, 10)) == {"stigg--s1": 14}


def test_what_was_billed_too_much_is_taken_from_other_records(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(days=31))
    tenant.use(acme, 10, at=START - timedelta(days=30))
    tenant.quiet()
    tenant.bill(date(2026, 3, 10))
    tenant.use(acme, 3, at=START - timedelta(hours=2))
    tenant.quiet()
    tenant.use(acme, -4, at=START - timedelta(days=30))
    tenant.quiet()
    assert tenant.quantities() == [10, 0]
    assert UsageRecord.objects.get(is_billed=True).charge.unabsorbed == Decimal(1)
    tenant.use(acme, 5, at=START - timedelta(hours=1))
    tenant.quiet()
    assert tenant.quantities() == [10, 0, 4]
    assert UsageRecord.objects.get(is_billed=True).charge.unabsorbed == Decimal(0)
    assert tenant.bill(date(2026, 4, 10)) == {"stigg--s1": 14}


def test_a_correction_that_was_billed_too_is_followed_by_the_next(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(days=31))
    tenant.use(acme, 10, at=START - timedelta(days=30))
    tenant.quiet()
    tenant.bill(date(2026, 3, 10))
    for day, value in ((10, 4), (10, 2), (40, 8), (40, -3)):
        tenant.at(START + timedelta(days=day))
        if day == 40 and value == 8:
            tenant.bill(date(2026, 4, 15))
        tenant.use(acme, value, at=START - timedelta(days=30))
        tenant.quiet()
    assert [(key.rpartition("--")[2], int(quantity)) for key, quantity, _ in tenant.rows()] == [
        ("20260208t120000z", 10),
        ("correction-1", 6),
        ("correction-2", 5),
    ]
    assert tenant.bill(date(2026, 6, 15)) == {"stigg--s1": 21}


def test_more_than_fifty_records_go_fifty_to_a_call(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    for hour in range(1, 121):
        tenant.use(acme, hour, at=START - timedelta(hours=hour))
    tenant.world.calls()
    tenant.push()
    tenant.sweep()
    assert tenant.world.calls() == {
        "GET /v1/subscriptions/{key}": 1,
        "POST /v1/action/create": 3,
        "POST /v1/action/query": 1,
    }
    assert sum(tenant.quantities()) == sum(range(1, 121))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a writing transaction of SQLite is alone")
def test_a_record_that_planning_changes_cannot_be_put_into_a_call_meanwhile(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    for value in (3, 4):
        tenant.use(acme, value, at=START - timedelta(hours=2))
        tenant.close()
        with CaptureQueriesContext(connection) as captured:
            tenant.push()
        tenant.bill(date(2026, 3, 11))
        tenant.sweep()
    read = [
        one["sql"] for one in captured.captured_queries if one["sql"].startswith('SELECT "integrations_usagerecord')
    ]
    planned = read[: [FORMED in sql for sql in read].index(True)]
    assert planned
    assert [sql for sql in planned if not sql.endswith('FOR NO KEY UPDATE OF "integrations_usagerecord"')] == []


def test_records_are_looked_for_only_of_slices_that_were_planned_before(tenant: UsageWorld) -> None:
    acme, looks = tenant.sell(), []
    for _ in range(2):
        tenant.use(acme, 3, at=START - timedelta(hours=2))
        tenant.close()
        with CaptureQueriesContext(connection) as captured:
            tenant.push()
        read = [one["sql"].partition(" WHERE ") for one in captured.captured_queries]
        looks.append([head for head, _, where in read if '"slice_id" IN' in where and "usagerecord" in head])
    assert [len(one) for one in looks] == [0, 1]


def test_planning_makes_way_for_calls_that_wait(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    acme, made = tenant.sell(), []

    def make_way(_: Budget, priority: Priority, *, seconds: float) -> bool:
        made.append((priority, seconds > 0, Slice.objects.untaken().count()))
        return True

    monkeypatch.setattr(Budget, "make_way", make_way)
    tenant.use(acme, 3, at=START - timedelta(hours=2))
    tenant.push()
    assert made == [(Priority.USAGE, True, 1)]


def test_however_many_slices_wait_as_many_rows_are_held_at_once(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (closing, planning, batches):
        monkeypatch.setattr(room, "_CHUNK", 10)
    monkeypatch.setattr(closing, "_FIRST_CHUNK", 10)
    monkeypatch.setattr(batches, "MOST_OBJECTS", 5)
    acme, most = tenant.sell(), []
    for hours in (30, 120):
        tenant.advance(hours=hours)
        reports = {
            ago: UsageReport(
                customer=acme.customer.ref_id,
                feature="api-calls",
                value=Decimal(1),
                key=f"{hours}-{ago}",
                at=tenant.now - timedelta(hours=ago),
            )
            for ago in range(1, hours + 1)
        }
        report_usage(reports=reports, now=tenant.now)
        with held_at_once(Slice, UsageRecord, UsageBatch) as held:
            tenant.push()
        most.append(dict(held))
    assert UsageRecord.objects.count() == 150
    assert most[0] == most[1]
    assert set(most[0]) == {Slice, UsageRecord, UsageBatch}


@contextmanager
def held_at_once(*models: type[Model]) -> Iterator[Counter[type[Model]]]:
    """Count how many rows of these models are in memory at the same time, at most."""
    alive: dict[type[Model], set[int]] = {model: set() for model in models}
    most: Counter[type[Model]] = Counter()
    numbers = count()

    def made(sender: type[Model], instance: Model, **_: object) -> None:
        number = next(numbers)
        alive[sender].add(number)
        weakref.finalize(instance, alive[sender].discard, number)
        most[sender] = max(most[sender], len(alive[sender]))

    for model in models:
        post_init.connect(made, sender=model)
    try:
        yield most
    finally:
        for model in models:
            post_init.disconnect(made, sender=model)


def test_usage_waits_for_its_subscription(tenant: UsageWorld) -> None:
    acme = tenant.sell(sync=False, customer__payment_method_id="")
    tenant.use(acme, 3, at=START - timedelta(hours=1))
    tenant.settle()
    tenant.quiet()
    assert tenant.rows() == []
    acme.customer.payment_method_id = f"{1:032x}"
    acme.customer.save()
    tenant.settle()
    tenant.quiet()
    assert tenant.quantities() == [3]
