"""What the pages count: each figure is one function, from the tenant to plain JSON, so that it can be kept."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, Min, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import TruncHour

from integrations.entities import ENTITIES
from integrations.models import Connection, JobState, SyncJob, SyncRecord, UsageRecord, UsageState
from integrations.problems import causes_of_usage, problems, to_decide
from integrations.usage_problems import charges_to_credit, failed_records
from usage.models import Slice
from usage.overdue import overdue

STANDINGS, PROBLEMS, BACKLOG, DECISIONS, LINKS = "standings", "problems", "backlog", "decisions", "links"
USAGE_PROBLEMS, USAGE_HOURS = "usage-problems", "usage-hours"
#: So many hours are shown of usage, the one under way among them.
SPAN = timedelta(hours=48)
_HOUR = timedelta(hours=1)
_HOUR_OF = TruncHour("starts_at", tzinfo=UTC)
#: So many causes are named, the most frequent ones.
_CAUSES, _USAGE_CAUSES = 1000, 20
_TAKEN = {UsageState.ACCEPTED.value, UsageState.CONFIRMED.value}
_SEEN = {**dict.fromkeys(_TAKEN, "synced"), UsageState.FAILED.value: "failed"}


def _standings(connection: Connection, _now: datetime) -> dict[str, dict[str, int]]:
    """{kind: {standing: count}} of the entities, without what rides along."""
    rows = SyncRecord.objects.filter(connection=connection, kind__in=list(ENTITIES)).order_by()
    found: dict[str, dict[str, int]] = {}
    for kind, standing, count in rows.values_list("kind", "standing").annotate(count=Count("*")):
        found.setdefault(kind, {})[standing] = count
    return found


def _problems(connection: Connection, _now: datetime) -> dict[str, Any]:
    """{"failed": in all, "distinct": causes, "causes": [[kind, cause, count]]}, the most frequent causes first."""
    grouped = problems(connection).order_by().values_list("cause", "kind").annotate(count=Count("*"))
    rows = sorted(grouped, key=lambda row: (-row[2], row[0], row[1]))
    return {
        "failed": sum(count for _, _, count in rows),
        "distinct": len({cause for cause, _, _ in rows}),
        "causes": [[kind, cause, count] for cause, kind, count in rows[:_CAUSES]],
    }


def _backlog(connection: Connection, _now: datetime) -> dict[str, Any]:
    """How many jobs wait, are being sent, and wait for a parent; and since when the oldest waits."""
    found = (
        SyncJob.objects.filter(connection=connection)
        .open()
        .aggregate(
            waiting=Count("pk", filter=Q(state=JobState.WAITING)),
            sending=Count("pk", filter=Q(state=JobState.SENDING)),
            for_parents=Count("pk", filter=Q(state=JobState.WAITING) & ~Q(waiting_for="")),
            oldest=Min("created_at", filter=Q(state=JobState.WAITING)),
        )
    )
    return {**found, "oldest": found["oldest"] and found["oldest"].isoformat()}


def _decisions(connection: Connection, _now: datetime) -> int:
    return to_decide(connection).count()


def _links(connection: Connection, _now: datetime) -> int:
    """How many objects in Zuora are ours, with all that rides along."""
    return SyncRecord.objects.filter(connection=connection).exclude(zuora_id="").count()


def _usage_problems(connection: Connection, now: datetime) -> dict[str, Any]:
    causes = causes_of_usage(failed_records(connection))
    return {
        "failed": sum(cause.count for cause in causes),
        "to_credit": charges_to_credit(connection, now=now).count(),
        "not_counted": overdue(now=now).count(),
        "causes": [[cause.text, cause.count] for cause in causes[:_USAGE_CAUSES]],
    }


def hours_until(now: datetime) -> tuple[datetime, datetime]:
    """Return the first moment that the hours of usage show, and the first that they do not."""
    end = now.replace(minute=0, second=0, microsecond=0) + _HOUR
    return end - SPAN, end


def _usage_hours(connection: Connection, now: datetime) -> list[list[Any]]:
    """[[hour, "synced" | "pending" | "failed", count]]: slices and corrections; an hour may come several times."""
    since, until = hours_until(now)
    records = UsageRecord.objects.filter(connection=connection, starts_at__gte=since, starts_at__lt=until)
    grouped = records.exclude(state=UsageState.VOID).order_by().annotate(hour=_HOUR_OF).values_list("hour", "state")
    found = [
        [hour.isoformat(), _SEEN.get(state, "pending"), count]
        for hour, state, count in grouped.annotate(count=Count("*"))
    ]
    # A value of each slice, and not a join: PostgreSQL takes a third of all slices to be untaken, and would join them.
    state = UsageRecord.objects.filter(connection=connection, slice=OuterRef("pk")).values("state")[:1]
    is_used = Case(When(quantity__gt=0, then=Value(True)), default=Value(False))
    untaken = Slice.objects.untaken().filter(starts_at__gte=since, starts_at__lt=until).order_by()
    by_hour = untaken.annotate(hour=_HOUR_OF, state=Subquery(state), is_used=is_used).values_list("hour", "state")
    for hour, state_then, used, count in by_hour.annotate(used=F("is_used"), count=Count("*")):
        if state_then in _TAKEN:  # it has changed: whatever its record says, Zuora does not have what it is now
            found += [[hour.isoformat(), "synced", -count], [hour.isoformat(), "pending", count]]
        elif state_then is None and used:
            found.append([hour.isoformat(), "pending", count])
    return found


FIGURES: Mapping[str, Callable[[Connection, datetime], Any]] = {
    STANDINGS: _standings,
    PROBLEMS: _problems,
    BACKLOG: _backlog,
    DECISIONS: _decisions,
    LINKS: _links,
    USAGE_PROBLEMS: _usage_problems,
    USAGE_HOURS: _usage_hours,
}
