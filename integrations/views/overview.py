"""The first page: is it working, what waits, what failed and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from integrations.models import Connection, Delivery, JobState, SyncJob, SyncRecord
from integrations.problems import causes_of, problems, to_decide
from integrations.sections import SECTIONS, Section
from integrations.views.access import viewers
from integrations.views.answers import page_or_part
from integrations.views.remembering import remembered

_CAUSES_SHOWN = 8
_DELIVERIES_SHOWN = 10
_PACE = timedelta(minutes=5)


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
    return _by_section(_counted(connection))


def _counted(connection: Connection) -> dict[str, dict[str, int]]:
    kinds = [section.kind for section in SECTIONS.values()]
    rows = SyncRecord.objects.filter(connection=connection, kind__in=kinds).order_by().values_list("kind", "standing")
    found: dict[str, dict[str, int]] = {}
    for kind, standing, count in rows.annotate(count=Count("*")):
        found.setdefault(kind, {})[standing.replace("-", "_")] = count
    return found


def _by_section(counted: dict[str, dict[str, int]]) -> list[Counts]:
    return [Counts(section, **counted.get(section.kind.value, {})) for section in SECTIONS.values()]


def _backlog(connection: Connection) -> dict[str, Any]:
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


def end_of_backlog(connection: Connection, *, waiting: int, now: datetime) -> datetime | None:
    """Return when what waits will be done at the pace of the last minutes; None where nothing was done in them.

    What waits for another entity is not to be counted: that one may never come.
    """
    done = SyncJob.objects.filter(connection=connection, state=JobState.DONE, finished_at__gte=now - _PACE).count()
    return now + _PACE * (waiting / done) if done else None


@viewers
def overview(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    context: dict[str, object] = {"connection": connection, "page": "overview"}
    if connection:
        causes = remembered(f"causes-{connection.pk}", lambda: causes_of(problems(connection))).value
        counts = remembered(f"counts-{connection.pk}", lambda: _counted(connection))
        backlog = remembered(f"backlog-{connection.pk}", lambda: _backlog(connection)).value
        moving = backlog["waiting"] - backlog["for_parents"]
        context |= {
            "backlog": backlog,
            "ends_at": end_of_backlog(connection, waiting=moving, now=timezone.now()),
            "moving": moving,
            "to_decide": to_decide(connection).count(),
            "causes": causes[:_CAUSES_SHOWN],
            "failed": sum(cause.count for cause in causes),
            "counts": _by_section(counts.value),
            "counted_at": counts.counted_at,
            "deliveries": Delivery.objects.filter(job__connection=connection).select_related("job")[:_DELIVERIES_SHOWN],
        }
    return page_or_part(
        request, page="integrations/overview.html", part="integrations/overview_live.html", context=context
    )
