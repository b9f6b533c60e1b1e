"""What Prometheus is told beside the requests that are served: how the sync is doing."""

from collections.abc import Iterator

from django.db import DatabaseError
from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from integrations.models import JobState, SyncJob


class SyncCollector(Collector):
    """Counts jobs when it is asked; without a database it has nothing to say."""

    def describe(self) -> list[Metric]:
        """Say nothing beforehand: the registry would count jobs to learn the names, before there are tables."""
        return []

    def collect(self) -> Iterator[Metric]:
        due = Q(state=JobState.WAITING, waiting_for="", not_before__lte=timezone.now())
        try:
            # Not of all jobs: of the few that are not done, each found by an index.
            open_ones = Q(state=JobState.WAITING) | Q(state=JobState.SENDING) | ~Q(cause="")
            found = SyncJob.objects.filter(open_ones).aggregate(
                due=Count("pk", filter=due),
                sending=Count("pk", filter=Q(state=JobState.SENDING)),
                failed=Count("pk", filter=~Q(cause="")),
                parents=Count("pk", filter=Q(state=JobState.WAITING) & ~Q(waiting_for="")),
                oldest=Min("not_before", filter=due),
            )
        except DatabaseError:
            return
        jobs = GaugeMetricFamily("stigg_zuora_jobs", "Jobs that are not done, by what they do.", labels=["state"])
        for state in ("due", "sending", "failed", "parents"):
            jobs.add_metric(["waiting_for_parent" if state == "parents" else state], found[state])
        yield jobs
        age = (timezone.now() - found["oldest"]).total_seconds() if found["oldest"] else 0.0
        yield GaugeMetricFamily(
            "stigg_zuora_oldest_due_job_seconds", "How long the oldest due job is overdue.", value=age
        )
