"""The first page: is it working, what waits, what failed and why."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from integrations.models import Connection, Delivery, JobState, SyncJob, SyncRecord, SyncStatus
from integrations.sections import SECTIONS, Section
from integrations.views.access import viewers
from integrations.views.answers import page_or_part

_CAUSES_SHOWN = 8
_DELIVERIES_SHOWN = 10
_PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|\w*\d\w*""")


@dataclass(frozen=True)
class Cause:
    """Failures that only differ in whom they met; `text` names what they share, … stands for the rest."""

    text: str
    count: int


@dataclass(frozen=True)
class Counts:
    """How many entities of a section stand where."""

    section: Section
    pending: int = 0
    synced: int = 0
    failed: int = 0
    not_synced: int = 0
    stopped: int = 0


def active_connection() -> Connection | None:
    """Return the connection in use, without its secret: no page needs it."""
    return Connection.objects.active().defer("client_secret").first()


def problems(connection: Connection) -> QuerySet[SyncJob]:
    """Return the failed jobs that nobody has tried again: what needs a person."""
    later = SyncJob.objects.filter(
        connection=OuterRef("connection"), kind=OuterRef("kind"), entity_id=OuterRef("entity_id"), pk__gt=OuterRef("pk")
    )
    return SyncJob.objects.filter(~Exists(later), connection=connection, state=JobState.FAILED)


def cause_of(reason: str) -> str:
    """Return what is general in a reason: names in quotes and words with digits are particular."""
    return _PARTICULAR.sub("…", reason)


def causes_of(jobs: QuerySet[SyncJob]) -> list[Cause]:
    """Return the causes of failed jobs, the most frequent first."""
    counted: Counter[str] = Counter()
    for reason, count in jobs.order_by().values_list("reason").annotate(count=Count("pk")):
        counted[cause_of(reason)] += count
    return [Cause(text, count) for text, count in counted.most_common()]


def counts_of(connection: Connection) -> list[Counts]:
    """Return the counts of every section, in one query."""
    stopped = Q(status=SyncStatus.NO_SYNC_REQUIRED) & ~Q(zuora_id="")
    rows = (
        SyncRecord.objects.filter(connection=connection)
        .roots()
        .order_by()
        .values("kind", "status")
        .annotate(count=Count("pk"), stopped=Count("pk", filter=stopped))
    )
    found = {(row["kind"], row["status"]): (row["count"], row["stopped"]) for row in rows}

    def of(section: Section, status: SyncStatus) -> tuple[int, int]:
        return found.get((section.kind.value, status.value), (0, 0))

    counts = []
    for section in SECTIONS.values():
        not_synced, stopped_there = of(section, SyncStatus.NO_SYNC_REQUIRED)
        counts.append(
            Counts(
                section,
                pending=of(section, SyncStatus.PENDING)[0],
                synced=of(section, SyncStatus.SUCCESS)[0],
                failed=of(section, SyncStatus.ERROR)[0],
                not_synced=not_synced - stopped_there,
                stopped=stopped_there,
            )
        )
    return counts


def _backlog(connection: Connection) -> dict[str, int | datetime | None]:
    return (
        SyncJob.objects.filter(connection=connection)
        .open()
        .aggregate(
            waiting=Count("pk", filter=Q(state=JobState.WAITING)),
            sending=Count("pk", filter=Q(state=JobState.SENDING)),
            for_parents=Count("pk", filter=Q(state=JobState.WAITING) & ~Q(waiting_for="")),
            oldest=Min("created_at", filter=Q(state=JobState.WAITING)),
        )
    )


@viewers
def overview(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    context: dict[str, object] = {"connection": connection, "page": "overview"}
    if connection:
        causes = causes_of(problems(connection))
        context |= {
            "backlog": _backlog(connection),
            "causes": causes[:_CAUSES_SHOWN],
            "failed": sum(cause.count for cause in causes),
            "counts": counts_of(connection),
            "deliveries": Delivery.objects.filter(job__connection=connection).select_related("job")[:_DELIVERIES_SHOWN],
        }
    return page_or_part(
        request, page="integrations/overview.html", part="integrations/overview_live.html", context=context
    )
