"""What needs a person: failed jobs, and what they have in common."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from integrations.models import Connection, Standing, SyncJob, SyncRecord, UsageRecord
from integrations.models.job import cause_of


@dataclass(frozen=True)
class Cause:
    """Failures that only differ in whom they met; `text` names what they share, … stands for the rest."""

    text: str
    count: int


def problems(connection: Connection) -> QuerySet[SyncJob]:
    """Return the failed jobs that nobody has tried again: what needs a person."""
    return SyncJob.objects.problems().filter(connection=connection)


def to_decide(connection: Connection) -> QuerySet[SyncRecord]:
    """Return what is linked and no longer synced, and about which nobody has decided yet."""
    return SyncRecord.objects.filter(
        connection=connection, standing=Standing.STOPPED, kept_at=None, cancel_wanted_at=None
    )


def causes_of_usage(records: QuerySet[UsageRecord]) -> list[Cause]:
    """Return the causes of failed usage records, the most frequent first."""
    counted: Counter[str] = Counter()
    for reason, count in records.order_by().values_list("reason").annotate(count=Count("pk")):
        counted[cause_of(reason)] += count
    return [Cause(text, count) for text, count in counted.most_common()]
