"""The first page: is it working, what waits, what failed and why."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse

from integrations.models import Connection, Delivery, JobState, SyncJob, SyncRecord, SyncStatus
from integrations.problems import causes_of, problems
from integrations.sections import SECTIONS, Section
from integrations.views.access import viewers
from integrations.views.answers import page_or_part

_CAUSES_SHOWN = 8
_DELIVERIES_SHOWN = 10


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
