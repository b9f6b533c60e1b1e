"""Jobs from wish to end, on the real database."""

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database

from integrations import outbox, sweeping, wishing
from integrations.entities import Wish
from integrations.models import (
    AccountLock,
    Connection,
    Delivery,
    DeliveryOutcome,
    EntityKind,
    JobState,
    Priority,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.outbox import End
from tests.integrations.jobs import (
    CUSTOMER,
    NOW,
    PAID_BY_OTHER,
    PLAN,
    SUBSCRIPTION,
    claim,
    claim_together,
    settle,
    wish,
)

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_wish_is_one_waiting_job_and_a_pending_record(connection: Connection) -> None:
    first = wish(connection, PLAN)
    assert wish(connection, PLAN) == first
    job = SyncJob.objects.get()
    assert (job.key, job.state, job.priority, job.not_before) == ("plan:pro", JobState.WAITING, Priority.CHANGE, NOW)
    assert SyncRecord.objects.get().status == SyncStatus.PENDING


def test_a_burst_settles_before_it_is_due(connection: Connection) -> None:
    [job_id] = wishing.wish(connection=connection, wishes=[PLAN], now=NOW, priority=Priority.CHANGE)
    assert claim(job_id) is None
    wishing.wish(connection=connection, wishes=[PLAN], now=NOW + timedelta(seconds=0.1), priority=Priority.CHANGE)
    assert claim(job_id, now=NOW + timedelta(seconds=0.2)) is not None


def test_a_click_moves_a_waiting_backfill_forward(connection: Connection) -> None:
    wish(connection, PLAN, priority=Priority.BACKFILL, now=NOW + timedelta(hours=1))
    wish(connection, PLAN, priority=Priority.CLICK)
    job = SyncJob.objects.get()
    assert (job.priority, job.not_before) == (Priority.CLICK, NOW)


def test_a_save_while_it_is_sent_waits_for_its_turn(connection: Connection) -> None:
    [first] = wish(connection, PLAN)
    job = claim(first)
    assert job is not None
    [second] = wish(connection, PLAN)
    assert second != first
    assert claim(second) is None
    assert settle(job) == [second]
    assert claim(second) is not None


def test_the_database_itself_refuses_a_second_waiting_or_sending_job(connection: Connection) -> None:
    fields: dict[str, Any] = {
        "connection": connection,
        "kind": "plan",
        "entity_id": 1,
        "key": "plan:pro",
        "not_before": NOW,
    }
    for state in (JobState.WAITING, JobState.SENDING):
        SyncJob.objects.create(**fields, state=state, created_at=NOW)
        with pytest.raises(IntegrityError), transaction.atomic():
            SyncJob.objects.create(**fields, state=state, created_at=NOW)
    for state in (JobState.DONE, JobState.FAILED) * 2:
        SyncJob.objects.create(**fields, state=state, created_at=NOW)


@pytest.mark.parametrize(
    ("first", "second"), [(CUSTOMER, SUBSCRIPTION), (CUSTOMER, PAID_BY_OTHER), (PAID_BY_OTHER, CUSTOMER)]
)
def test_one_write_in_flight_per_account(connection: Connection, first: Wish, second: Wish) -> None:
    ids = [wish(connection, one)[0] for one in (first, second)]
    job = claim(ids[0])
    assert job is not None
    assert claim(ids[1]) is None
    assert SyncJob.objects.get(pk=ids[1]).attempts == 0
    assert settle(job) == [ids[1]]
    assert claim(ids[1]) is not None
    assert AccountLock.objects.count() == len(SyncJob.objects.get(pk=ids[1]).accounts)


def test_who_has_a_message_on_its_way_gets_no_second_one(connection: Connection) -> None:
    first, second = (wish(connection, one, priority=Priority.BACKFILL)[0] for one in (CUSTOMER, SUBSCRIPTION))
    assert len(sweeping.ring_due(now=NOW, most=9)) == 2
    job = claim(first)
    assert job is not None
    assert settle(job) == []
    again = claim(wish(connection, CUSTOMER)[0])
    assert again is not None
    assert claim(second) is None
    assert sweeping.ring_due(now=NOW, most=9) == [], "whoever is at work there wakes it"
    assert settle(again) == [second]


def test_jobs_are_claimed_together_in_the_order_that_was_asked_for(connection: Connection) -> None:
    ids = wish(connection, PLAN, CUSTOMER, SUBSCRIPTION)
    later = wish(connection, PAID_BY_OTHER, now=NOW + timedelta(seconds=9))
    SyncJob.objects.update(rung_at=NOW)
    claimed = claim_together(ids[2], *later, ids[0], ids[1], 4_000_000)
    # One is not due, one is no more, and the customer's account is written to by its subscription.
    assert [job.pk for job in claimed] == [ids[2], ids[0]]
    jobs = {job.pk: job for job in SyncJob.objects.all()}
    assert [jobs[pk].state for pk in ids] == [JobState.SENDING, JobState.WAITING, JobState.SENDING]
    assert [jobs[pk].attempts for pk in ids] == [1, 0, 1]
    assert jobs[ids[1]].rung_at is None, "whoever ends its account's job wakes it"
    assert jobs[later[0]].rung_at == NOW
    ends = {claimed[0]: End(JobState.DONE), claimed[1]: End(JobState.FAILED, "no")}
    assert outbox.settle(ends=ends, now=NOW) == [ids[1]]
    assert (AccountLock.objects.count(), claim(ids[1]) is not None) == (0, True)


def test_one_that_is_being_sent_does_not_keep_the_others_from_going(connection: Connection) -> None:
    [first] = wish(connection, CUSTOMER)
    assert claim(first, worker="another") is not None
    ids = wish(connection, PLAN, SUBSCRIPTION, replace(PAID_BY_OTHER, other_account=""))
    assert [job.pk for job in claim_together(*ids)] == [ids[0], ids[2]]
    assert set(AccountLock.objects.values_list("account", "job__claimed_by")) == {
        ("customer:1", "another"),
        ("customer:2", "a"),
    }


def test_while_the_tenant_is_down_one_goes_alone(connection: Connection) -> None:
    ids = wish(connection, PLAN, CUSTOMER)
    connection.paused_until = NOW
    claimed = outbox.claim(job_ids=ids, connection=connection, worker="a", now=NOW)
    assert [job.pk for job in claimed] == ids[:1]
    assert outbox.claim(job_ids=ids, connection=connection, worker="a", now=NOW, may_go=lambda: False) == []


def test_of_claims_made_together_the_one_taken_away_is_left_alone(connection: Connection) -> None:
    ids = wish(connection, CUSTOMER, replace(PAID_BY_OTHER, other_account=""))
    claimed = claim_together(*ids)
    SyncJob.objects.filter(pk=ids[0]).update(claimed_by="another")  # given back, and claimed again
    assert outbox.settle(ends=dict.fromkeys(claimed, End(JobState.DONE)), now=NOW) == []
    assert list(SyncJob.objects.order_by("pk").values_list("state", flat=True)) == [JobState.SENDING, JobState.DONE]
    assert list(AccountLock.objects.values_list("account", flat=True)) == ["customer:1"]


def test_a_claim_taken_away_writes_no_outcome(connection: Connection) -> None:
    [job_id] = wish(connection, PLAN)
    slow = claim(job_id, now=NOW)
    assert slow is not None
    later = NOW + timedelta(hours=1)
    assert sweeping.release_stuck(now=later) == [job_id, job_id]
    fresh = claim(job_id, worker="b", now=later)
    assert fresh is not None
    assert settle(slow, JobState.FAILED, now=later, reason="too late") == []
    assert SyncJob.objects.get(pk=job_id).state == JobState.SENDING
    settle(fresh, JobState.DONE, now=later)
    assert SyncJob.objects.get(pk=job_id).state == JobState.DONE


def test_a_dead_workers_job_is_given_back_at_once_and_its_delivery_is_lost(connection: Connection) -> None:
    [job_id] = wish(connection, CUSTOMER)
    dead = f"{outbox.HOST}:{2**22 + 1}:abcd"
    job = claim(job_id, worker=dead)
    assert job is not None
    Delivery.objects.create(job=job, track_id="t", worker=dead, started_at=NOW)
    sweeping.release_stuck(now=NOW)
    job.refresh_from_db()
    assert (job.state, job.attempts, AccountLock.objects.count()) == (JobState.WAITING, 0, 0)
    assert Delivery.objects.get().outcome == DeliveryOutcome.LOST


def test_what_a_dead_worker_had_fetched_and_not_begun_is_rung_for_again(connection: Connection) -> None:
    begun, fetched = wish(connection, PLAN, CUSTOMER)
    later = NOW + timedelta(seconds=3)
    assert {pk for pk, _ in sweeping.ring_due(now=later, most=10)} == {begun, fetched}
    claim(begun, worker=f"{outbox.HOST}:{2**22 + 1}:abcd", now=later)
    assert sweeping.ring_due(now=later, most=10) == []
    sweeping.release_stuck(now=later)
    assert [pk for pk, _ in sweeping.ring_due(now=later, most=10)] == [fetched]


@pytest.mark.parametrize(
    ("worker", "given_back"),
    [
        (f"{outbox.HOST}:{os.getpid()}:{outbox.BOOT}", False),
        (f"{outbox.HOST}:{os.getpid()}:0ther", True),
        (f"{outbox.HOST}:1:abcd", False),
        (f"elsewhere:{2**22 + 1}:abcd", False),
    ],
    ids=["this process", "an earlier boot", "another live process", "another host"],
)
def test_only_a_worker_that_is_surely_dead_loses_its_job(
    connection: Connection, worker: str, *, given_back: bool
) -> None:
    [job_id] = wish(connection, PLAN)
    claim(job_id, worker=worker)
    assert bool(sweeping.release_stuck(now=NOW)) == given_back


def test_a_job_that_goes_back_gives_way_to_a_newer_wish(connection: Connection) -> None:
    [first] = wish(connection, PLAN)
    job = claim(first)
    assert job is not None
    [second] = wish(connection, PLAN)
    settle(job, JobState.WAITING, now=NOW, not_before=NOW + timedelta(hours=1))
    assert list(SyncJob.objects.waiting().values_list("pk", flat=True)) == [second]


def test_children_go_when_their_parent_has_arrived(connection: Connection) -> None:
    [job_id] = wish(connection, SUBSCRIPTION)
    job = claim(job_id)
    assert job is not None
    settle(job, JobState.WAITING, now=NOW, waiting_for="plan:pro", reason="Waits for plan pro.")
    assert claim(job_id) is None
    assert outbox.release_children(connection=connection, keys=["plan:other"], now=NOW) == []
    assert outbox.release_children(connection=connection, keys=["plan:pro"], now=NOW) == [job_id]
    assert claim(job_id) is not None


def test_lost_messages_are_swept_up_once_a_minute(connection: Connection) -> None:
    [job_id] = wish(connection, PLAN)
    assert sweeping.ring_due(now=NOW, most=10) == []
    later = NOW + timedelta(seconds=2)
    assert sweeping.ring_due(now=later, most=10) == [(job_id, Priority.CHANGE)]
    assert sweeping.ring_due(now=later + timedelta(seconds=5), most=10) == []
    assert sweeping.ring_due(now=later + timedelta(seconds=60), most=10) == [(job_id, Priority.CHANGE)]


def test_what_was_stored_in_bulk_is_swept_up_at_once_parents_first(connection: Connection) -> None:
    ids = wish(connection, PLAN, CUSTOMER, priority=Priority.BACKFILL)
    assert sweeping.ring_due(now=NOW, most=1) == [(ids[0], Priority.BACKFILL)]
    assert sweeping.ring_due(now=NOW, most=9) == [(ids[1], Priority.BACKFILL)]


def test_the_urgent_are_rung_first(connection: Connection) -> None:
    wish(connection, PLAN, priority=Priority.BACKFILL)
    [click] = wish(connection, CUSTOMER, priority=Priority.CLICK)
    assert sweeping.ring_due(now=NOW + timedelta(seconds=2), most=1) == [(click, Priority.CLICK)]


def test_ten_thousand_wishes_take_few_queries(connection: Connection, django_assert_max_num_queries: Any) -> None:
    wishes = [Wish(EntityKind.CUSTOMER, n, f"customer:{n}", f"customer:{n}") for n in range(2000)]
    with django_assert_max_num_queries(150 if database.vendor == "sqlite" else 40):  # SQLite takes fewer rows at a time
        ids = wishing.wish(connection=connection, wishes=wishes, now=NOW, priority=Priority.BACKFILL)
    assert len(set(ids)) == 2000
