"""Sync everything, and retry of many: what becomes of each entity, counted exactly."""

from datetime import timedelta

import pytest

from catalog.models import PackageStatus, Plan, Price
from integrations import operating, operations
from integrations.bulk import KINDS, following
from integrations.models import AuditEntry, JobState, Operation, OperationState, Priority, SyncJob
from integrations.models.job import cause_of
from integrations.operating import Impossible
from tests.factories.catalog import plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _nobody_is_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating, "ring_operation", lambda *_args, **_more: None)


@pytest.fixture
def unsynced(world: World) -> World:
    """A company whose saves sent no signal: two plans (one is refused), three customers, two subscriptions."""
    good, bad = plan_with_prices(ref_id="good"), plan_with_prices(ref_id="bad")
    bad.prices.update(block_size=100)
    SubscriptionFactory.create(ref_id="on-good", plan=good)
    SubscriptionFactory.create(ref_id="on-bad", plan=bad)
    CustomerFactory.create(ref_id="nobody")
    SyncJob.objects.all().delete()
    return world


def lines(operation: Operation) -> list[tuple[str, str]]:
    return list(operation.lines.values_list("key", "outcome"))


@pytest.mark.parametrize(("window", "chunk"), [(2000, 500), (2, 1)])
def test_everything_is_synced_and_counted(
    unsynced: World, monkeypatch: pytest.MonkeyPatch, window: int, chunk: int
) -> None:
    monkeypatch.setattr(following, "WINDOW", window)
    monkeypatch.setattr(following, "CHUNK", chunk)
    operation = unsynced.work(operating.sync_everything(actor=None, now=unsynced.now))
    assert (operation.state, operation.total, operation.done, operation.failed) == ("DONE", 7, 7, 1)
    assert operation.tally == {"Synced": 4, "Failed": 1, "Will not be synced": 1, "Waits for another entity": 1}
    assert sorted(lines(operation)) == [
        ("plan:bad", "Failed"),
        ("subscription:on-bad", "Waits for another entity"),
    ]
    assert len(unsynced.rows("Account")) == 2
    assert len(unsynced.rows("Subscription")) == 1


def test_a_pause_holds_back_what_is_not_stored_yet(unsynced: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "WINDOW", 2)
    monkeypatch.setattr(following, "CHUNK", 1)
    operation = operating.sync_everything(actor=None, now=unsynced.now)
    operations.run(
        operation_id=operation.pk,
        kinds=KINDS,
        worker="worker",
        clock=unsynced.clock,
        seconds=9,
    )
    assert SyncJob.objects.waiting().count() == 2
    assert operations.pause(operation_id=operation.pk)
    unsynced.settle()
    unsynced.work(operation)
    assert SyncJob.objects.count() == 2
    assert operations.resume(operation_id=operation.pk, now=unsynced.now)
    assert unsynced.work(operation).done == 7


def test_one_at_a_time_unless_the_world_has_changed(world: World) -> None:
    first = operating.sync_everything(actor=None, now=world.now)
    with pytest.raises(Impossible, match="not finished yet"):
        operating.sync_everything(actor=None, now=world.now)
    operations.pause(operation_id=first.pk)
    second = operating.sync_everything(actor=None, now=world.now, afresh=True)
    first.refresh_from_db()
    assert (first.state, second.state) == (OperationState.CANCELLED, OperationState.WAITING)


def test_a_removed_tenant_ends_it_with_a_sentence(world: World) -> None:
    operation = operating.sync_everything(actor=None, now=world.now)
    world.connection.removed_at = world.now
    world.connection.save()
    assert world.work(operation).reason == "Zuora is no longer connected. Connect it, then resume."


@pytest.fixture
def failing(world: World) -> World:
    """Three plans that are refused for two reasons, one of which can be cured."""
    for ref, size in (("p1", 100), ("p2", 100), ("p3", 1)):
        plan_with_prices(ref_id=ref).prices.update(block_size=size)
    world.settle()
    assert world.statuses() == {"plan:p1": "ERROR", "plan:p2": "ERROR", "plan:p3": "SUCCESS"}
    job = SyncJob.objects.get(key="plan:p3")
    job.pk, job.state, job.reason = None, JobState.FAILED, "Something else."
    job.cause = cause_of(job.reason)
    job.save()
    return world


def cause_of_plan_1() -> str:
    return cause_of(SyncJob.objects.get(key="plan:p1", state=JobState.FAILED).reason)


def test_all_failures_of_a_cause_are_tried_again(failing: World) -> None:
    operation = operating.retry_cause(cause=cause_of_plan_1(), actor=None, now=failing.now)
    assert operation.total == 2
    assert AuditEntry.objects.get(action="retry cause").detail == {"jobs": 2}
    Price.objects.filter(plan__ref_id="p1").update(block_size=None)
    operation = failing.work(operation)
    assert (operation.state, operation.done, operation.failed) == ("DONE", 2, 1)
    assert operation.tally == {"Synced": 1, "Failed": 1}
    assert lines(operation) == [("plan:p2", "Failed")]
    assert set(SyncJob.objects.filter(priority=Priority.CHANGE).values_list("state", flat=True)) <= {"DONE", "FAILED"}
    assert failing.statuses()["plan:p1"] == "SUCCESS"


def test_what_is_gone_meanwhile_is_counted(failing: World) -> None:
    operation = operating.retry_cause(cause="Something else.", actor=None, now=failing.now)
    Plan.objects.filter(ref_id="p3").update(status=PackageStatus.DRAFT)
    operation = failing.work(operation)
    assert (operation.done, operation.tally, lines(operation)) == (1, {"Taken away": 1}, [("plan:p3", "Taken away")])


def test_without_a_cause_every_failure_is_tried_again(failing: World) -> None:
    assert operating.retry_cause(cause="", actor=None, now=failing.now).total == 3
    assert operating.retry_cause(cause="", kind="plan", actor=None, now=failing.now).total == 3
    with pytest.raises(Impossible, match="Nothing fails in that way"):
        operating.retry_cause(cause="", kind="customer", actor=None, now=failing.now)


def test_a_failure_that_came_later_is_left_to_a_person(failing: World) -> None:
    operation = operating.retry_cause(cause="", actor=None, now=failing.now)
    failing.advance(seconds=1)
    plan_with_prices(ref_id="d").prices.update(block_size=100)
    failing.settle()
    failed = SyncJob.objects.get(key="plan:d")
    assert failing.work(operation).done == 3
    failed.refresh_from_db()
    assert (failed.state, SyncJob.objects.filter(key="plan:d").count()) == (JobState.FAILED, 1)


def test_a_follower_that_waits_for_a_moving_parent_is_not_counted_yet(world: World) -> None:
    plan = plan_with_prices(ref_id="good")
    SubscriptionFactory.create(ref_id="s", plan=plan)
    operation = operating.sync_everything(actor=None, now=world.now)
    run = {"operation_id": operation.pk, "kinds": KINDS, "worker": "w"}
    operations.run(**run, clock=world.clock)  # type: ignore[arg-type]
    world.deliver(SyncJob.objects.get(key="subscription:s").pk)  # before its plan and its customer
    assert SyncJob.objects.get(key="subscription:s").waiting_for != ""
    world.now += timedelta(seconds=2)
    operations.run(**run, clock=world.clock)  # type: ignore[arg-type]
    operation.refresh_from_db()
    assert operation.done == 0
    assert world.work(operation).tally == {"Synced": 3}
