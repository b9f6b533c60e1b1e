"""Finds the jobs that nobody woke: lost messages, dead workers' claims, parents that arrived unseen."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from integrations.models import (
    AccountLock,
    Delivery,
    DeliveryOutcome,
    JobState,
    Priority,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.outbox import End, is_dead, settle

_UNSEEN = timedelta(seconds=2)  # younger jobs have a message on its way
_FORGOTTEN = timedelta(seconds=60)  # rung so long ago, the message is lost


def release_orphans(*, now: datetime) -> int:
    """Let the jobs go whose parent has arrived while nobody looked."""
    arrived = SyncRecord.objects.filter(
        connection=OuterRef("connection"), key=OuterRef("waiting_for"), status=SyncStatus.SUCCESS
    ).exclude(zuora_id="")
    return (
        SyncJob.objects.waiting()
        .exclude(waiting_for="")
        .filter(Exists(arrived))
        .update(waiting_for="", reason="", not_before=now, rung_at=None)
    )


def release_stuck(*, now: datetime) -> list[int]:
    """Give back the jobs whose worker died: at once when it was on this host, else when the claim is too old.

    The messages that it had fetched died with it; whose they were, nobody knows, so all are rung for again.
    """
    old = now - timedelta(seconds=settings.SYNC_CLAIM_SECONDS)
    freed = []
    for job in SyncJob.objects.filter(state=JobState.SENDING):
        if (job.claimed_at and job.claimed_at < old) or is_dead(job.claimed_by):
            Delivery.objects.filter(job=job, outcome=DeliveryOutcome.SENDING).update(
                outcome=DeliveryOutcome.LOST, finished_at=now
            )
            freed += [job.pk, *settle(ends={job: End(JobState.WAITING, not_before=now, counts=False)}, now=now)]
    if freed:
        SyncJob.objects.waiting().filter(rung_at__isnull=False).update(rung_at=None)
    return freed


def ring_due(*, now: datetime, most: int) -> list[tuple[int, int]]:
    """Return (job id, priority) of due jobs that nobody was woken for lately, and note that they were rung now."""
    nobody_rang = Q(priority=Priority.BACKFILL)  # such jobs are stored in bulk, and left to the sweep
    busy = AccountLock.objects.filter(
        Q(account=OuterRef("account")) | Q(account=OuterRef("other_account")), connection=OuterRef("connection")
    )
    due = (
        SyncJob.objects.due(now=now)
        .exclude(Exists(busy))  # whoever is at work there wakes them
        .filter(Q(rung_at=None) & (nobody_rang | Q(not_before__lte=now - _UNSEEN)) | Q(rung_at__lte=now - _FORGOTTEN))
        .order_by("priority", "not_before", "pk")  # parents were wished first
        .values_list("pk", "priority")[:most]
    )
    with transaction.atomic():
        # Of two sweeps at once each rings for others.
        jobs = list(due.select_for_update(skip_locked=True))
        SyncJob.objects.filter(pk__in=[pk for pk, _ in jobs]).update(rung_at=now)
    return jobs
