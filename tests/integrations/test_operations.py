"""The machinery of long work: steps, checkpoints, and everything that may come between."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from integrations import operations
from integrations.models import AuditEntry, Operation, OperationLine, OperationState
from integrations.operations import AlreadyUnderWay, Kind, Later, Line, Ran, Step, Stop
from integrations.outbox import worker_name

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEPS = 4


class Death(BaseException):
    """The worker died here."""


def count(operation: Operation, checkpoint: dict[str, Any], fetched: Any, now: datetime) -> Step:
    """Deal with three rows, one of which fails; the effect is a row of the audit log."""
    del fetched
    number = checkpoint.get("number", 0) + 1
    AuditEntry.objects.create(at=now, actor_name="", action="step", subject=str(number))
    last = number == STEPS
    return Step(
        checkpoint=None if last else {"number": number},
        done=3,
        failed=1,
        lines=(Line(f"plan:{number}", "Failed", f"It was for {operation.title}.", {"number": number}),),
        tally={"Fine": 2, "Failed": 1},
    )


class Clock:
    """Moves by a second with each look, so that a slice of work ends at some time."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def begin(kind: str = "count", **more: Any) -> Operation:
    return operations.start(kind=kind, title="counting", actor=None, now=NOW, total=3 * STEPS, **more)


def run(
    operation: Operation, kinds: Mapping[str, Kind] | None = None, *, clock: Any = None, seconds: float = 99
) -> Ran:
    known = kinds or {"count": Kind("count", count)}
    ran = operations.run(
        operation_id=operation.pk, kinds=known, worker="worker", clock=clock or Clock(), seconds=seconds
    )
    operation.refresh_from_db()
    return ran


def effects() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("subject", flat=True))


def reported() -> list[str]:
    return list(OperationLine.objects.values_list("key", flat=True))


def test_it_goes_step_by_step_to_its_end() -> None:
    operation = begin()
    assert run(operation) == Ran()
    assert (operation.state, operation.done, operation.failed) == (OperationState.DONE, 12, 4)
    assert operation.tally == {"Fine": 8, "Failed": 4}
    assert effects() == ["1", "2", "3", "4"]
    assert next(iter(OperationLine.objects.values("key", "outcome", "text", "detail"))) == {
        "key": "plan:1",
        "outcome": "Failed",
        "text": "It was for counting.",
        "detail": {"number": 1},
    }
    assert reported() == ["plan:1", "plan:2", "plan:3", "plan:4"]
    assert operation.finished_at is not None
    assert (operation.claim, operation.claimed_by) == ("", "")
    assert run(operation) == Ran()
    assert effects() == ["1", "2", "3", "4"]


def test_after_its_slice_it_lets_others_work_and_goes_on_from_its_checkpoint() -> None:
    operation = begin()
    assert run(operation, seconds=0) == Ran(again=0.0)
    assert (operation.state, operation.checkpoint, operation.done) == (OperationState.RUNNING, {"number": 1}, 3)
    clock = Clock()
    clock.now += timedelta(minutes=1)
    assert run(operation, clock=clock) == Ran()
    assert effects() == ["1", "2", "3", "4"]


def test_a_worker_that_dies_in_a_step_has_done_nothing_of_it() -> None:
    def die_at_the_third(operation: Operation, checkpoint: dict[str, Any], fetched: Any, now: datetime) -> Step:
        step = count(operation, checkpoint, fetched, now)
        if step.checkpoint == {"number": 3}:
            raise Death
        return step

    operation = begin()
    with pytest.raises(Death):
        run(operation, {"count": Kind("count", die_at_the_third)})
    operation.refresh_from_db()
    assert (operation.state, operation.checkpoint, operation.done) == (OperationState.RUNNING, {"number": 2}, 6)
    assert (effects(), reported()) == (["1", "2"], ["plan:1", "plan:2"])
    assert run(operation) == Ran()  # the dead one's claim holds until somebody knows
    assert operation.done == 6


def test_the_claim_of_a_dead_worker_is_given_back() -> None:
    operation = begin()
    dead = worker_name().rpartition(":")[0] + ":another-boot"
    Operation.objects.update(claim="x", claimed_by=dead, claimed_at=NOW, state=OperationState.RUNNING)
    assert operations.due(now=NOW) == [operation.pk]
    Operation.objects.update(claim="x", claimed_by=worker_name(), claimed_at=NOW)
    assert operations.due(now=NOW) == []
    assert operations.due(now=NOW + timedelta(days=1)) == [operation.pk]


def test_two_workers_do_not_take_the_same_step() -> None:
    operation = begin()
    seen: list[Ran] = []

    def fetch(_operation: Operation, _checkpoint: dict[str, Any], _now: datetime) -> None:
        seen.append(operations.run(operation_id=operation.pk, kinds={}, worker="another", clock=Clock()))

    run(operation, {"count": Kind("count", count, fetch)})
    assert seen == [Ran()] * STEPS
    assert (operation.state, operation.done) == (OperationState.DONE, 12)


def test_who_was_taken_for_dead_and_comes_back_changes_nothing() -> None:
    operation = begin()

    def fetch(_operation: Operation, _checkpoint: dict[str, Any], _now: datetime) -> None:
        Operation.objects.update(claim="somebody-else")

    assert run(operation, {"count": Kind("count", count, fetch)}) == Ran()
    assert (operation.done, operation.claim, effects()) == (0, "somebody-else", [])


@pytest.mark.parametrize("stop", ["pause", "cancel"])
def test_a_step_under_way_is_dropped_when_somebody_pauses_or_cancels(stop: str) -> None:
    operation = begin()

    def fetch(_operation: Operation, checkpoint: dict[str, Any], now: datetime) -> None:
        if checkpoint.get("number") == 2:
            if stop == "pause":
                assert operations.pause(operation_id=operation.pk)
            else:
                assert operations.cancel(operation_id=operation.pk, now=now)

    assert run(operation, {"count": Kind("count", count, fetch)}) == Ran()
    assert (operation.done, effects()) == (6, ["1", "2"])
    assert operation.state == (OperationState.PAUSED if stop == "pause" else OperationState.CANCELLED)
    assert operations.due(now=NOW + timedelta(days=1)) == []
    assert run(operation) == Ran()
    assert operations.resume(operation_id=operation.pk, now=NOW) is (stop == "pause")
    run(operation)
    assert effects() == (["1", "2", "3", "4"] if stop == "pause" else ["1", "2"])


def test_what_has_ended_is_not_paused_resumed_or_cancelled() -> None:
    operation = begin()
    run(operation)
    assert not operations.pause(operation_id=operation.pk)
    assert not operations.resume(operation_id=operation.pk, now=NOW)
    assert not operations.cancel(operation_id=operation.pk, now=NOW)
    operation.refresh_from_db()
    assert operation.state == OperationState.DONE


def raising(error: Exception) -> dict[str, Kind]:
    def fail(_operation: Operation, checkpoint: dict[str, Any], fetched: Any, now: datetime) -> Step:
        if checkpoint.get("number") == 1:
            raise error
        return count(_operation, checkpoint, fetched, now)

    return {"count": Kind("count", fail)}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Stop("The tenant is gone."), "The tenant is gone."),
        (KeyError("x"), "The program made a mistake (KeyError); the log says more. Resuming tries again."),
    ],
)
def test_a_failed_one_says_why_and_can_be_resumed_from_where_it_stands(error: Exception, reason: str) -> None:
    operation = begin()
    assert run(operation, raising(error)) == Ran()
    assert (operation.state, operation.reason, operation.done) == (OperationState.FAILED, reason, 3)
    assert operations.resume(operation_id=operation.pk, now=NOW)
    run(operation)
    assert (operation.state, operation.reason, effects()) == (OperationState.DONE, "", ["1", "2", "3", "4"])


def test_one_that_must_wait_says_for_what_and_is_left_alone_until_then() -> None:
    operation = begin()
    clock = Clock()
    at = NOW + timedelta(minutes=5)
    assert (run(operation, raising(Later("Zuora is down.", at=at)), clock=clock).again or 0) > 200
    assert (operation.state, operation.reason) == (OperationState.RUNNING, "Zuora is down.")
    assert operations.due(now=NOW + timedelta(minutes=4)) == []
    assert operations.due(now=at) == [operation.pk]
    clock.now = at
    run(operation, clock=clock)
    assert (operation.state, operation.reason) == (OperationState.DONE, "")


def test_a_database_that_is_busy_is_tried_again() -> None:
    operation = begin()
    assert run(operation, raising(OperationalError("database is locked"))) == Ran(again=2.0)
    assert operation.state == OperationState.RUNNING


def test_an_unknown_kind_fails_with_a_sentence() -> None:
    operation = begin("import")
    run(operation)
    assert operation.reason == "This version of the program knows no work of the kind import."


def test_of_what_is_exclusive_only_one_is_unfinished() -> None:
    first = begin(exclusive="all")
    begin()
    with pytest.raises(AlreadyUnderWay, match="“counting” is not finished yet"):
        begin(exclusive="all")
    operations.pause(operation_id=first.pk)
    with pytest.raises(AlreadyUnderWay):
        begin(exclusive="all")
    operations.resume(operation_id=first.pk, now=NOW)
    run(first, raising(Stop("no")))
    second = begin(exclusive="all")
    with pytest.raises(AlreadyUnderWay) as caught:
        operations.resume(operation_id=first.pk, now=NOW)
    assert caught.value.operation == second


def test_pace_and_time_left_count_only_the_time_of_work() -> None:
    operation = begin()
    clock = Clock()
    run(operation, clock=clock, seconds=0)
    worked = operation.worked
    assert operation.per_second == 3 / worked.total_seconds()
    assert operation.time_left == worked * 3
    operations.pause(operation_id=operation.pk)
    operations.resume(operation_id=operation.pk, now=NOW)
    clock.now += timedelta(days=1)
    run(operation, clock=clock)
    assert operation.worked < timedelta(minutes=1)
    assert operation.time_left == timedelta()


@pytest.mark.parametrize("says", ["waits", "later"])
def test_what_is_waited_for_is_told_apart_from_work(says: str) -> None:
    def step(_operation: Operation, checkpoint: dict[str, Any], _fetched: Any, now: datetime) -> Step:
        if says == "later" and clock.now < NOW + timedelta(hours=1):
            raise Later("Zuora is down.", at=now + timedelta(hours=1))
        return Step(checkpoint=None if checkpoint else {"seen": True}, done=1, pause=2, waits=not checkpoint)

    operation, clock = begin("step"), Clock()
    run(operation, {"step": Kind("step", step)}, clock=clock)
    clock.now = NOW + timedelta(hours=1)
    while operation.is_open:
        run(operation, {"step": Kind("step", step)}, clock=clock)
        clock.now += timedelta(minutes=10)
    assert operation.worked < timedelta(minutes=1)
    assert operation.finished_at is not None
    assert operation.waited(clock.now) == operation.finished_at - NOW - operation.worked > timedelta(minutes=59)
