"""What is stored for many records at once is what would be stored for each of them."""

import threading
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from integrations.models import BatchState, UsageBatch, UsageRecord, UsageState
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage import batches, settling
from integrations.zuora.push.usage.batches import claim, form
from integrations.zuora.push.usage.charges import linked_records
from integrations.zuora.push.usage.outcomes import accept
from integrations.zuora.push.usage.planning import plan
from integrations.zuora.tenant import tenant_of
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def far(tenant: UsageWorld) -> Far:
    made = tenant.world.connection
    return Far(client=tenant.world.client, connection=made, tenant=tenant_of(made), clock=tenant.world.clock)


def on_its_way(tenant: UsageWorld, hours: int) -> UsageBatch:
    """A call with a record for each of so many hours, which has left and is not answered."""
    acme = tenant.sell()
    tenant.use(acme, 1, at=START - timedelta(hours=hours + 1))
    tenant.push()  # and so the charge's number is known
    tenant.sweep()
    for hour in range(hours):
        tenant.use(acme, 3, at=START - timedelta(hours=hour + 1))
    tenant.close()
    made, now = tenant.world.connection, tenant.now
    plan(connection=made, tenant=tenant_of(made), subscription_ids=[acme.pk], now=now)
    [batch_id] = form(connection=made, now=now)
    claimed = claim(batch=batch_id, worker="worker", now=now)
    assert claimed is not None
    return claimed[0]


def settled(tenant: UsageWorld, batch: UsageBatch, taken: Mapping[int, str], *, together: bool) -> list[dict[str, Any]]:
    """Return the records as they are once the answer is stored, and undo it."""
    with transaction.atomic():
        settling.finish(
            far(tenant),
            batch,
            lambda one: accept(one, taken[one.pk], now=tenant.now),
            taken=taken if together else {},
        )
        rows = [dict(row) for row in UsageRecord.objects.order_by("pk").values()]
        assert UsageBatch.objects.get(pk=batch.pk).state == BatchState.DONE
        transaction.set_rollback(True)
    return rows


def test_a_call_that_was_just_formed_is_claimed_without_reading_it(
    tenant: UsageWorld, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch, now = on_its_way(tenant, 1), tenant.now
    UsageBatch.objects.update(state=BatchState.READY, claimed_by="", claimed_at=None)
    formed, again = UsageBatch.objects.get(pk=batch.pk), UsageBatch.objects.get(pk=batch.pk)
    with django_assert_num_queries(1):
        claimed = claim(batch=formed, worker="worker", now=now)
    assert claimed == (batch, BatchState.READY)
    assert claim(batch=again, worker="the other", now=now) is None


def test_of_two_who_read_the_same_call_one_claims_it(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, now = on_its_way(tenant, 1), tenant.now
    UsageBatch.objects.update(state=BatchState.UNKNOWN, claimed_by="", claimed_at=None)
    update, others = QuerySet.update, []

    def update_after_the_other(rows: QuerySet[UsageBatch], **values: Any) -> int:
        monkeypatch.setattr(QuerySet, "update", update)
        others.append(claim(batch=batch.pk, worker="the other", now=now))
        return update(rows, **values)

    monkeypatch.setattr(QuerySet, "update", update_after_the_other)
    assert claim(batch=batch.pk, worker="worker", now=now) is None
    assert [(one.claimed_by, one.attempts, before) for one, before in filter(None, others)] == [
        ("the other", 2, BatchState.UNKNOWN)
    ]
    stored = UsageBatch.objects.filter(pk=batch.pk).values_list("state", "claimed_by", "attempts", "sent_at").get()
    assert stored == (BatchState.SENDING, "the other", 2, batch.sent_at)


def test_whatever_happened_to_a_record_meanwhile_it_is_settled_as_alone(tenant: UsageWorld) -> None:
    batch = on_its_way(tenant, 6)
    as_it_was, more, moved, billed, gone, noted = UsageRecord.objects.filter(pk__in=batch.record_ids).order_by("pk")
    mine = UsageRecord.objects.filter
    mine(pk=more.pk).update(wanted=Decimal("3.000000001"))
    mine(pk=moved.pk).update(starts_at=moved.starts_at - timedelta(seconds=1))
    mine(pk=billed.pk).update(is_billed=True, owed=Decimal(2))
    mine(pk=gone.pk).update(batch=None, state=UsageState.PLANNED)
    mine(pk=noted.pk).update(
        state=UsageState.UNKNOWN, attempts=3, reason="It broke off.", cure="Wait.", confirmed_at=tenant.now
    )
    taken = {pk: f"usage-{pk}" for pk in batch.record_ids}
    alone = settled(tenant, batch, taken, together=False)
    assert settled(tenant, batch, taken, together=True) == alone
    states = {row["id"]: row["state"] for row in alone}
    assert [states[one.pk] for one in (as_it_was, more, moved, billed, gone, noted)] == [
        UsageState.ACCEPTED,
        UsageState.PLANNED,
        UsageState.PLANNED,
        UsageState.CONFIRMED,
        UsageState.PLANNED,
        UsageState.ACCEPTED,
    ]


def never(record: UsageRecord) -> None:
    pytest.fail(f"{record} was settled by itself.")


def test_records_that_are_wanted_as_they_were_sent_take_two_statements(tenant: UsageWorld) -> None:
    batch = on_its_way(tenant, 4)
    with CaptureQueriesContext(connection) as asked:
        settling.finish(far(tenant), batch, never, taken={pk: f"usage-{pk}" for pk in batch.record_ids})
    verbs = [one["sql"].split()[0] for one in asked.captured_queries]
    assert [verb for verb in verbs if verb not in {"SAVEPOINT", "RELEASE"}] == ["UPDATE", "UPDATE"]
    rows = UsageRecord.objects.filter(batch=batch)
    assert {(one.zuora_id == f"usage-{one.pk}", one.state, one.held) for one in rows} == {
        (True, UsageState.ACCEPTED, Decimal(3))
    }


def test_full_calls_leave_planning_and_what_fills_none_waits_for_others(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_OBJECTS", 2)
    acme = tenant.sell()
    tenant.use(acme, 1, at=START - timedelta(hours=9))
    tenant.push()
    for hour in range(5):
        tenant.use(acme, hour + 1, at=START - timedelta(hours=hour + 1))
    tenant.close()
    made, now = tenant.world.connection, tenant.now
    linked = linked_records(made, [acme.pk])
    planned = plan(connection=made, tenant=tenant_of(made), subscription_ids=[acme.pk], now=now, linked=linked)
    full = [one.pk for one in planned if isinstance(one, UsageBatch)]
    left = form(connection=made, now=now)
    formed = UsageBatch.objects.in_bulk([*full, *left])
    keys = dict(UsageRecord.objects.values_list("pk", "external_key"))
    assert [[keys[pk][-16:] for pk in formed[one].record_ids] for one in full] == [
        ["20260310t070000z", "20260310t080000z"],
        ["20260310t090000z", "20260310t100000z"],
    ]
    assert [[keys[pk][-16:] for pk in formed[one].record_ids] for one in left] == [["20260310t110000z"]]
    for pk in [*full, *left]:
        batch = formed[pk]
        assert [keys[one] in batch.body for one in batch.record_ids] == [True] * len(batch.record_ids)
        assert {(one.state, one.sent == one.wanted, one.revision) for one in batch.records.all()} == {
            (UsageState.SENDING, True, 1)
        }
    tenant.quiet()
    assert sorted(tenant.quantities()) == [1, 1, 2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory, SQLite has one connection: nobody else holds")
def test_a_record_that_somebody_holds_is_not_waited_for_while_others_are_held(tenant: UsageWorld) -> None:
    batch = on_its_way(tenant, 3)
    held, *others = batch.record_ids
    holds, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            UsageRecord.objects.select_for_update().get(pk=held)
            holds.set()
            may_go.wait(30)
        connection.close()

    somebody = threading.Thread(target=hold)
    somebody.start()
    try:
        assert holds.wait(30)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        taken = {pk: f"usage-{pk}" for pk in batch.record_ids}
        assert settling._accept(batch, taken, now=tenant.now) == set(others)
    finally:
        may_go.set()
        somebody.join(30)
    settling.finish(far(tenant), batch, lambda one: accept(one, taken[one.pk], now=tenant.now), taken=taken)
    assert tenant.states() == [UsageState.CONFIRMED, *[UsageState.ACCEPTED] * 3]
