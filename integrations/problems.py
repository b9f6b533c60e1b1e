"""What needs a person: failed jobs, and what they have in common."""

import re
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, OuterRef, QuerySet, Subquery

from integrations.models import Connection, JobState, Standing, SyncJob, SyncRecord, UsageRecord, one_of

_PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|\b\w*\d\w*""")


@dataclass(frozen=True)
class Cause:
    """Failures that only differ in whom they met; `text` names what they share, … stands for the rest."""

    text: str
    count: int


def problems(connection: Connection) -> QuerySet[SyncJob]:
    """Return the failed jobs that nobody has tried again: what needs a person."""
    # As a value of each failed job, and not as a join: PostgreSQL would join all jobs there ever were.
    of_entity = SyncJob.objects.filter(kind=OuterRef("kind"), entity_id=OuterRef("entity_id"), connection=connection)
    latest = Subquery(of_entity.order_by("-pk").values("pk")[:1])
    # None is later than the latest; asked like this, PostgreSQL expects many, and looks at them in the list's order.
    return SyncJob.objects.filter(pk__gte=latest, connection=connection, state=JobState.FAILED)


def to_decide(connection: Connection) -> QuerySet[SyncRecord]:
    """Return what is linked and no longer synced, and about which nobody has decided yet."""
    return SyncRecord.objects.filter(
        connection=connection, standing=Standing.STOPPED, kept_at=None, cancel_wanted_at=None
    )


def cause_of(reason: str) -> str:
    """Return what is general in a reason: names in quotes and words with digits are particular."""
    return _PARTICULAR.sub("…", reason)


def causes_of(jobs: QuerySet[SyncJob] | QuerySet[UsageRecord]) -> list[Cause]:
    """Return the causes of failed jobs, or of failed usage records, the most frequent first."""
    counted: Counter[str] = Counter()
    for reason, count in jobs.order_by().values_list("reason").annotate(count=Count("pk")):
        counted[cause_of(reason)] += count
    return [Cause(text, count) for text, count in counted.most_common()]


def of_cause(jobs: QuerySet[SyncJob], cause: str) -> QuerySet[SyncJob]:
    """Return the jobs that failed by this cause."""
    failed = SyncJob.objects.filter(state=JobState.FAILED)
    reasons = failed.order_by().values_list("reason", flat=True).distinct()
    return jobs.filter(one_of("reason", [reason for reason in reasons if cause_of(reason) == cause]))
