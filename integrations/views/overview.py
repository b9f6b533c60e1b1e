"""The first page: is it working, what waits, what failed and why."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse

from integrations.models import Connection, Delivery, JobState, SyncJob, SyncRecord
from integrations.problems import causes_of, problems
from integrations.sections import SECTIONS, Section
from integrations.views.access import viewers
from integrations.views.answers import page_or_part
from integrations.views.remembering import remembered

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
    kinds = [section.kind for section in SECTIONS.values()]
    rows = SyncRecord.objects.filter(connection=connection, kind__in=kinds).order_by().values_list("kind", "standing")
    found: dict[str, dict[str, int]] = {}
    for kind, standing, count in rows.annotate(count=Count("*")):
        found.setdefault(kind, {})[standing.replace("-", "_")] = count
    return [Counts(section, **found.get(section.kind.value, {})) for section in SECTIONS.values()]


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
        counts = remembered(f"counts-{connection.pk}", lambda: counts_of(connection))
        context |= {
            "backlog": _backlog(connection),
            "causes": causes[:_CAUSES_SHOWN],
            "failed": sum(cause.count for cause in causes),
            "counts": counts.value,
            "counted_at": counts.counted_at,
            "deliveries": Delivery.objects.filter(job__connection=connection).select_related("job")[:_DELIVERIES_SHOWN],
        }
    return page_or_part(
        request, page="integrations/overview.html", part="integrations/overview_live.html", context=context
    )
