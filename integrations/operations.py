"""Long work in the background, step by step: it can be paused, resumed and cancelled, and survives a dead worker.

How a kind of work is written: one function,

    def step(operation: Operation, checkpoint: dict, fetched: Any, now: datetime) -> Step

which does the next bit (some hundred rows; about a second) and returns where the next step begins, or None when there
is nothing left. The first checkpoint is `{}`; what is in it is the kind's own, plain JSON: as a rule the key of the
last row. The step runs **inside the transaction that saves its checkpoint**, its counts and its lines, so its effects
in the database are there exactly when the checkpoint is: whoever dies, or is paused or cancelled, in the middle of a
step has done nothing, and the next one does that step again. So a step must not talk to anybody else. What must be
asked over the wire is asked by the kind's other function,

    def fetch(operation: Operation, checkpoint: dict, now: datetime) -> Any

which runs before the step, outside of any transaction, and may be repeated; the step gets what it returned.

Either may raise `Later` (not now: the tenant is down) or `Stop` (it makes no sense any more); the texts are shown.
Whatever else they raise fails the operation with the error as its reason: a person can resume it from its checkpoint.
A kind is made known by a line in `integrations.bulk.KINDS`, and begun by `start`.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError, transaction

from integrations.models import Connection, Operation, OperationLine, OperationState
from integrations.outbox import is_dead

log = structlog.get_logger(__name__)
#: After so many seconds a worker turns to something else, and the rest waits for its turn.
SLICE = 2.0
_DATABASE_PAUSE = timedelta(seconds=2)


class Later(Exception):  # noqa: N818 - a state, not a fault
    """The next step cannot be taken now; the text says why."""

    def __init__(self, text: str, *, at: datetime) -> None:
        super().__init__(text)
        self.at = at


class Stop(Exception):  # noqa: N818 - an answer for a person
    """The operation cannot go on; the text says why and what can be done."""


class AlreadyUnderWay(Exception):  # noqa: N818 - an answer for a person
    """There is an unfinished operation that must end first."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(f"“{operation.title}” is not finished yet: see Background work.")
        self.operation = operation


@dataclass(frozen=True)
class Line:
    """A line of the report; `detail` is the kind's own, plain JSON."""

    key: str
    outcome: str
    text: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What a step did, and where the next one begins: `checkpoint` is None when there is nothing left.

    `done` counts what was dealt with, `failed` how much of that failed, `tally` how much ended in which way, by words
    for a person. `pause` lets some seconds pass before the next step; with `waits` nothing can be done meanwhile, and
    they are not counted as work. `ring`: it stored jobs, so wake the workers.
    """

    checkpoint: Mapping[str, Any] | None
    done: int = 0
    failed: int = 0
    lines: tuple[Line, ...] = ()
    tally: Mapping[str, int] = field(default_factory=dict)
    total: int | None = None
    pause: float = 0.0
    waits: bool = False
    ring: bool = False


@dataclass(frozen=True)
class Kind:
    """How one kind of operation goes on; see the top of this module."""

    name: str
    step: Callable[[Operation, dict[str, Any], Any, datetime], Step]
    fetch: Callable[[Operation, dict[str, Any], datetime], Any] = lambda _operation, _checkpoint, _now: None


@dataclass(frozen=True)
class Ran:
    """What is to be done after a turn: `again` says in how many seconds to come back, `ring` that jobs were stored."""

    again: float | None = None
    ring: bool = False


def start(
    *,
    kind: str,
    title: str,
    actor: User | None,
    now: datetime,
    connection: Connection | None = None,
    parameters: Mapping[str, Any] | None = None,
    total: int | None = None,
    exclusive: str = "",
) -> Operation:
    """Store a new operation in the caller's transaction; a worker takes its first step once that is committed.

    Raises:
        AlreadyUnderWay: another one of the same `exclusive` is not finished.
    """
    try:
        with transaction.atomic():
            return Operation.objects.create(
                kind=kind,
                title=title[:300],
                connection=connection,
                parameters=dict(parameters or {}),
                total=total,
                exclusive=exclusive,
                started_by=actor,
                started_by_name=actor.get_username() if actor else "system",
                created_at=now,
                not_before=now,
            )
    except IntegrityError:
        unfinished = [OperationState.WAITING, OperationState.RUNNING, OperationState.PAUSED]
        other = Operation.objects.filter(exclusive=exclusive, state__in=unfinished).first() if exclusive else None
        if other is None:
            raise
        raise AlreadyUnderWay(other) from None


@transaction.atomic
def pause(*, operation_id: int) -> bool:
    """Let it stand; return False when it did not run. A step under way is dropped, and done again later."""
    operation = Operation.objects.open().select_for_update().filter(pk=operation_id).first()
    if operation is not None:
        operation.mark_standing(OperationState.PAUSED)
    return operation is not None


@transaction.atomic
def resume(*, operation_id: int, now: datetime) -> bool:
    """Let it go on from its checkpoint; return False when it did not stand.

    Raises:
        AlreadyUnderWay: meanwhile another one of its kind was begun.
    """
    operation = Operation.objects.select_for_update().filter(pk=operation_id).first()
    if operation is None or not operation.can_resume:
        return False
    try:
        with transaction.atomic():
            operation.mark_waiting(now=now)
    except IntegrityError:
        raise AlreadyUnderWay(Operation.objects.exclude(pk=operation_id).get(exclusive=operation.exclusive)) from None
    return True


@transaction.atomic
def cancel(*, operation_id: int, now: datetime) -> bool:
    """End it where it is; return False when it had ended. What it did stays done."""
    operation = Operation.objects.select_for_update().filter(pk=operation_id).first()
    if operation is None or not operation.can_cancel:
        return False
    operation.mark_standing(OperationState.CANCELLED, now=now)
    return True


def due(*, now: datetime) -> list[int]:
    """Return the operations that a worker can go on with, those of dead workers among them."""
    old = now - timedelta(seconds=settings.SYNC_CLAIM_SECONDS)
    for operation in Operation.objects.open().exclude(claim=""):
        if is_dead(operation.claimed_by) or (operation.claimed_at and operation.claimed_at < old):
            held = Operation.objects.filter(pk=operation.pk, claim=operation.claim)
            held.update(claim="", claimed_by="", claimed_at=None)
    return list(Operation.objects.due(now=now).values_list("pk", flat=True))


def run(
    *,
    operation_id: int,
    kinds: Mapping[str, Kind],
    worker: str,
    clock: Callable[[], datetime],
    seconds: float = SLICE,
) -> Ran:
    """Take step after step for some seconds, unless somebody else is at it or it must not go on."""
    claim = uuid.uuid4().hex
    began = clock()
    mine = Operation.objects.due(now=began).filter(pk=operation_id)
    if not mine.update(claim=claim, claimed_by=worker, claimed_at=began, state=OperationState.RUNNING):
        return Ran()
    ring = False
    while True:
        operation = Operation.objects.select_related("connection").get(pk=operation_id)
        if operation.claim != claim:
            return Ran(ring=ring)
        try:
            step = _take_step(operation, kinds, clock)
        except Exception as error:  # noqa: BLE001 - whatever happened, the operation gets a state and a reason
            return _stumble(operation, error, clock(), ring=ring)
        if step is None:
            return Ran(ring=ring)
        ring = ring or step.ring
        if step.checkpoint is None:
            return Ran(ring=ring)
        if step.pause or (clock() - began).total_seconds() >= seconds:
            return _give_back(operation, clock(), step.pause, ring=ring)


def _take_step(operation: Operation, kinds: Mapping[str, Kind], clock: Callable[[], datetime]) -> Step | None:
    """Take one step, all of it or nothing; None when the operation was paused, cancelled or taken away meanwhile."""
    kind = kinds.get(operation.kind)
    if kind is None:
        raise Stop(f"This version of the program knows no work of the kind {operation.kind}.")
    checkpoint = dict(operation.checkpoint)
    fetched = kind.fetch(operation, checkpoint, clock())
    with transaction.atomic():
        held = Operation.objects.select_for_update(of=("self",)).select_related("connection")
        locked = held.filter(pk=operation.pk, claim=operation.claim, state=OperationState.RUNNING).first()
        if locked is None:
            return None
        step = kind.step(locked, checkpoint, fetched, clock())
        _save(locked, step, clock())
    return step


def _save(operation: Operation, step: Step, now: datetime) -> None:
    operation.done += step.done
    operation.failed += step.failed
    for outcome, count in step.tally.items():
        if not count:
            continue
        operation.tally[outcome] = operation.tally.get(outcome, 0) + count
    if step.total is not None:
        operation.total = step.total
    operation.worked += now - (operation.counted_until or operation.claimed_at or now)
    operation.claimed_at = now
    operation.counted_until = None if step.waits else now
    operation.reason = ""
    OperationLine.objects.bulk_create(
        [
            OperationLine(operation=operation, key=line.key, outcome=line.outcome, text=line.text, detail=line.detail)
            for line in step.lines
        ]
    )
    if step.checkpoint is not None:
        operation.checkpoint = dict(step.checkpoint)
    operation.save(
        update_fields=[
            "done", "failed", "tally", "total", "worked", "counted_until", "claimed_at", "reason", "checkpoint",
        ]
    )  # fmt: skip
    if step.checkpoint is None:
        operation.mark_standing(OperationState.DONE, now=now)


def _give_back(operation: Operation, now: datetime, seconds: float, *, ring: bool, reason: str | None = None) -> Ran:
    held = Operation.objects.filter(pk=operation.pk, claim=operation.claim)
    values: dict[str, Any] = {} if reason is None else {"reason": reason}
    if reason is not None:  # what follows is no work
        values["counted_until"] = None
    held.update(claim="", claimed_by="", claimed_at=None, not_before=now + timedelta(seconds=seconds), **values)
    return Ran(again=seconds, ring=ring)


def _stumble(operation: Operation, error: Exception, now: datetime, *, ring: bool) -> Ran:
    match error:
        case Later():
            wait = max(0.0, (error.at - now).total_seconds())
            return _give_back(operation, now, wait, ring=ring, reason=str(error))
        case OperationalError():  # our own database was busy or away
            why = f"Our own database failed: {error}"
            return _give_back(operation, now, _DATABASE_PAUSE.total_seconds(), ring=ring, reason=why)
        case Stop():
            reason = str(error)
        case _:
            log.error("A step broke; this is a mistake in the program.", operation=operation.pk, exc_info=error)
            reason = f"The program made a mistake ({type(error).__name__}); the log says more. Resuming tries again."
    with transaction.atomic():
        held = Operation.objects.select_for_update().filter(pk=operation.pk, claim=operation.claim).first()
        if held is not None:
            held.mark_standing(OperationState.FAILED, reason=reason, now=now)
    return Ran(ring=ring)
