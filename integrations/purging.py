from datetime import datetime, timedelta

from integrations.models import (
    ApiAnswer,
    BatchState,
    JobState,
    Operation,
    Request,
    StiggEvent,
    SyncJob,
    TimelineEntry,
    UsageBatch,
)


def purge(*, now: datetime, days: int) -> tuple[int, int]:
    """Delete requests and finished jobs older than so many days; return how many of each.

    What needs a person stays until somebody has tried it again or dismissed it, however old it is.
    The API's answers go when they are not given again any more.
    """
    ApiAnswer.objects.filter(created_at__lte=now - ApiAnswer.KEPT).delete()
    before = now - timedelta(days=days)
    UsageBatch.objects.filter(state=BatchState.DONE, finished_at__lt=before).delete()
    Operation.objects.filter(finished_at__lt=before).delete()
    StiggEvent.objects.filter(finished_at__lt=before).delete()
    TimelineEntry.objects.filter(at__lt=before).delete()
    requests, _ = Request.objects.filter(started_at__lt=before).delete()
    finished = SyncJob.objects.filter(state__in=[JobState.DONE, JobState.FAILED], finished_at__lt=before, cause="")
    jobs, _ = finished.delete()
    return requests, jobs
