"""Stores jobs a window at a time and follows them to their end: so a pause or a cancel stops what is not stored yet.

Progress is what has become of the entities, not how many jobs were stored.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from integrations import wishing
from integrations.entities import Wish
from integrations.models import Connection, JobState, Operation, Priority, SyncJob, SyncRecord, SyncStatus
from integrations.operations import Line, Step, Stop

#: So many jobs are followed at once: more than all workers of a tenant send in the time between two looks.
WINDOW = 2000
#: So many are stored in one step.
CHUNK = 500
_LOOK_AGAIN = 1.0

SYNCED, NOT_SYNCED = "Synced", "Will not be synced"
WAITS, FAILED, NEWER, GONE = "Waits for another entity", "Failed", "Left to a newer save", "Taken away"


@dataclass(frozen=True)
class Found:
    """The next wishes, what became of those that need none, and the place after them (None: nothing is left)."""

    wishes: list[Wish]
    place: Any
    lines: tuple[Line, ...] = ()


#: Return what comes after a place (None: the beginning), at most so many.
Source = Callable[[Operation, Any, int], Found]


def connection_of(operation: Operation) -> Connection:
    """Return the tenant that the operation was begun for.

    Raises:
        Stop: it is not connected any more.
    """
    if operation.connection is None or operation.connection.removed_at is not None:
        raise Stop("Zuora is no longer connected. Connect it, then resume.")
    return operation.connection


def follow(
    operation: Operation, checkpoint: Mapping[str, Any], *, source: Source, priority: Priority, now: datetime
) -> Step:
    """Look what has become of the jobs under way, and store more where there is room.

    The checkpoint is `{"place": ..., "ended": bool, "open": [job ids]}`.
    """
    connection = connection_of(operation)
    under_way: list[int] = list(checkpoint.get("open", ()))
    settled = _settled(connection, under_way)
    still = [pk for pk in under_way if pk not in settled]
    lines = list(settled.values())
    place, ended = checkpoint.get("place"), bool(checkpoint.get("ended"))
    ids: list[int] = []
    if not ended and len(still) <= WINDOW - CHUNK:
        found = source(operation, place, CHUNK)
        ids = wishing.wish(connection=connection, wishes=found.wishes, now=now, priority=priority, settle=timedelta())
        still, place, ended = list(dict.fromkeys([*still, *ids])), found.place, found.place is None
        lines += found.lines
    tally = Counter(line.outcome for line in lines)
    more = not ended and len(still) <= WINDOW - CHUNK
    return Step(
        checkpoint=None if ended and not still else {"place": place, "ended": ended, "open": still},
        done=len(lines),
        failed=tally[FAILED],
        lines=tuple(line for line in lines if line.outcome not in {SYNCED, NOT_SYNCED}),
        tally=tally,
        pause=0.0 if more else _LOOK_AGAIN,
        waits=connection.is_down and not more,
        ring=bool(ids),
    )


def _settled(connection: Connection, ids: Collection[int]) -> dict[int, Line]:
    """Return what has become of those jobs that do nothing by themselves any more."""
    on_their_way = Q(state=JobState.SENDING) | Q(state=JobState.WAITING, waiting_for="")
    unsettled = set(SyncJob.objects.filter(on_their_way, pk__in=ids).order_by().values_list("pk", flat=True))
    ids = [pk for pk in ids if pk not in unsettled]
    jobs = {job.pk: job for job in SyncJob.objects.filter(pk__in=ids)}
    keys = {job.key for job in jobs.values()} | {job.waiting_for for job in jobs.values() if job.waiting_for}
    records = SyncRecord.objects.filter(connection=connection, key__in=keys)
    statuses = dict(records.values_list("key", "status"))
    lines = {}
    for pk in ids:
        line = _line_of(jobs[pk], statuses) if pk in jobs else Line("", GONE, "Its job was deleted.")
        if line is not None:
            lines[pk] = line
    return lines


def _line_of(job: SyncJob, statuses: Mapping[str, str]) -> Line | None:
    match job.state:
        case JobState.FAILED:
            return Line(job.key, FAILED, job.reason)
        case JobState.DONE if statuses.get(job.key) == SyncStatus.SUCCESS:
            return Line(job.key, SYNCED)
        case JobState.DONE if statuses.get(job.key) == SyncStatus.NO_SYNC_REQUIRED:
            return Line(job.key, NOT_SYNCED)
        case JobState.DONE:
            return Line(job.key, NEWER, job.reason)
        case JobState.WAITING if job.waiting_for and statuses.get(job.waiting_for) != SyncStatus.PENDING:
            # It goes by itself when the parent does; but the parent failed, will not be synced, or was never asked for.
            if statuses.get(job.waiting_for) != SyncStatus.SUCCESS:
                return Line(job.key, WAITS, job.reason)
    return None
