"""The first page: is it working, what waits, what failed and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from integrations import figures
from integrations.counting import BACKLOG, DECISIONS, PROBLEMS, STANDINGS, USAGE_PROBLEMS
from integrations.figures import Shown
from integrations.models import Connection, Delivery, JobState, SyncJob
from integrations.problems import Cause
from integrations.sections import SECTIONS, Section
from integrations.views.access import viewers
from integrations.views.answers import page_or_part

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


def _by_section(counted: dict[str, dict[str, int]]) -> list[Counts]:
    return [
        Counts(
            section, **{standing.replace("-", "_"): n for standing, n in counted.get(section.kind.value, {}).items()}
        )
        for section in SECTIONS.values()
    ]


def causes_among(found: list[list[Any]], *, kind: str = "") -> list[Cause]:
    """Return the causes of a figure's rows, of one kind of entity or of all, the most frequent first."""
    counted: Counter[str] = Counter()
    for of_kind, cause, count in found:
        if kind in {"", of_kind}:
            counted[cause] += count
    return [Cause(cause, count) for cause, count in counted.most_common()]


def end_of_backlog(connection: Connection, *, waiting: int, now: datetime) -> datetime | None:
    """Return when what waits will be done at the pace of the last minutes; None where nothing was done in them.

    What waits for another entity is not to be counted: that one may never come.
    """
    done = SyncJob.objects.filter(connection=connection, state=JobState.DONE, finished_at__gte=now - _PACE).count()
    return now + _PACE * (waiting / done) if done else None


def _backlog(connection: Connection, shown: Shown, *, now: datetime) -> dict[str, Any]:
    """Return what waits, as of when, and when it will be done; of what is counted for the first time nothing."""
    if shown.value is None:
        return {}
    moving = shown.value["waiting"] - shown.value["for_parents"]
    oldest = shown.value["oldest"]
    return {
        "backlog": {**shown.value, "oldest": datetime.fromisoformat(oldest) if oldest else None},
        "backlog_at": shown.counted_at,
        "moving": moving,
        "ends_at": end_of_backlog(connection, waiting=moving, now=now),
    }


def _problems(found: Mapping[str, Shown]) -> dict[str, Any]:
    """Return how much needs a person, by what it is; the oldest of the counts says as of when."""
    jobs, usage, decisions = (found[name] for name in (PROBLEMS, USAGE_PROBLEMS, DECISIONS))
    if jobs.value is None or usage.value is None or decisions.value is None:
        return {}
    of_usage = usage.value["failed"] + usage.value["to_credit"] + usage.value.get("not_counted", 0)
    return {
        "need_a_person": jobs.value["failed"] + of_usage + decisions.value,
        "failed": jobs.value["failed"],
        "causes_count": jobs.value["distinct"],
        "causes": causes_among(jobs.value["causes"])[:_CAUSES_SHOWN],
        "of_usage": of_usage,
        "to_decide": decisions.value,
        "problems_at": min((one.counted_at for one in (jobs, usage, decisions) if one.counted_at), default=None),
    }


@viewers
def overview(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    context: dict[str, object] = {"connection": connection, "page": "overview"}
    if connection:
        now = timezone.now()
        found = figures.read(connection, STANDINGS, PROBLEMS, BACKLOG, DECISIONS, USAGE_PROBLEMS, now=now)
        standings = found[STANDINGS]
        context |= {
            **_backlog(connection, found[BACKLOG], now=now),
            **_problems(found),
            "counts": None if standings.value is None else _by_section(standings.value),
            "counted_at": standings.counted_at,
            "deliveries": Delivery.objects.filter(job__connection=connection).select_related("job")[:_DELIVERIES_SHOWN],
        }
    return page_or_part(
        request, page="integrations/overview.html", part="integrations/overview_live.html", context=context
    )
