"""Retry of many: the failed jobs of one cause, or of all."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Max, QuerySet

from integrations.bulk.following import GONE, Found, connection_of, follow
from integrations.entities import ENTITIES, Wish
from integrations.models import Connection, Operation, Priority, SyncJob
from integrations.operations import Kind, Line, Step, start
from integrations.problems import problems

NAME = "retry"


def chosen(connection: Connection, *, cause: str, kind: str) -> QuerySet[SyncJob]:
    """Return the failed jobs of a cause and a kind of entity; empty stands for all."""
    jobs = problems(connection)
    if kind:
        jobs = jobs.filter(kind=kind)
    return jobs.filter(cause=cause) if cause else jobs


def _found(operation: Operation, place: Any, most: int) -> Found:
    """`place` is the last job's number. Failures younger than the operation are left to a person."""
    asked = operation.parameters
    jobs = chosen(connection_of(operation), cause=asked["cause"], kind=asked["kind"])
    rows = list(jobs.filter(pk__gt=place or 0, pk__lte=asked["upto"]).order_by("pk")[:most])
    wishes: list[Wish] = []
    for kind, entity in ENTITIES.items():
        wishes += entity.wishes_of([job.entity_id for job in rows if job.kind == kind])
    there = {(wish.kind, wish.entity_id) for wish in wishes}
    gone = [job for job in rows if (job.kind, job.entity_id) not in there]
    lines = tuple(Line(job.key, GONE, "It was deleted, or is not on sale any more.") for job in gone)
    return Found(wishes, rows[-1].pk if len(rows) == most else None, lines)


def _step(operation: Operation, checkpoint: dict[str, Any], _fetched: Any, now: datetime) -> Step:
    return follow(operation, checkpoint, source=_found, priority=Priority.CHANGE, now=now)


KIND = Kind(NAME, _step)


def begin(*, connection: Connection, cause: str, kind: str, actor: User | None, now: datetime) -> Operation | None:
    """Begin to try them again; None where nothing failed in that way."""
    jobs = chosen(connection, cause=cause, kind=kind)
    found = jobs.aggregate(count=Count("pk"), upto=Max("pk"))
    if not found["count"]:
        return None
    return start(
        kind=NAME,
        title=f"Retry {found['count']:,}: {cause or 'every failure'}",
        connection=connection,
        parameters={"cause": cause, "kind": kind, "upto": found["upto"]},
        total=found["count"],
        actor=actor,
        now=now,
    )
