import re
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from integrations.models.connection import Connection
from integrations.models.kinds import EntityKind, Priority

_PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|\b\w*\d\w*""")
#: An index holds it.
_CAUSE_LENGTH = 300


def cause_of(reason: str) -> str:
    """Return what is general in a reason, never nothing: names in quotes and words with digits are particular."""
    return _PARTICULAR.sub("…", reason)[:_CAUSE_LENGTH] or "It was not said why."


class JobState(models.TextChoices):
    WAITING = "WAITING", "Waiting"
    SENDING = "SENDING", "Sending"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"


class SyncJobQuerySet(models.QuerySet["SyncJob"]):
    def waiting(self) -> Self:
        return self.filter(state=JobState.WAITING)

    def open(self) -> Self:
        """Return the jobs that will still do something by themselves."""
        return self.filter(state__in=[JobState.WAITING, JobState.SENDING])

    def problems(self) -> Self:
        """Return the failed jobs that nobody has tried again or dismissed: what needs a person."""
        return self.exclude(cause="")

    def of(self, *, kind: str, entity_id: int) -> Self:
        return self.filter(kind=kind, entity_id=entity_id)

    def due(self, *, now: datetime) -> Self:
        return self.waiting().filter(waiting_for="", not_before__lte=now)


class SyncJob(models.Model):
    """The wish to push one entity. It holds no payload: whoever sends it reads what is true by then."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=14, choices=EntityKind)
    entity_id = models.BigIntegerField()
    key = models.CharField(max_length=300, help_text="The entity's record key, for example plan:pro.")
    state = models.CharField(max_length=7, choices=JobState, default=JobState.WAITING)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.CHANGE)
    not_before = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=255, blank=True)
    rung_at = models.DateTimeField(null=True, blank=True)
    #: Zuora locks an account while it is written to: jobs that write to the same account go one after the other.
    account = models.CharField(max_length=64, blank=True)
    other_account = models.CharField(max_length=64, blank=True)
    waiting_for = models.CharField(max_length=300, blank=True, help_text="Record key of the parent that must go first.")
    reason = models.TextField(blank=True, help_text="Why it waits or failed, in plain words.")
    #: It goes with the next wish for the entity: so what needs a person is counted and grouped along an index.
    cause = models.CharField(
        max_length=_CAUSE_LENGTH,
        blank=True,
        default="",
        help_text="What is general in its reason, while it needs a person.",
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = SyncJobQuerySet.as_manager()

    class Meta:
        verbose_name = "job"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "entity_id"],
                condition=Q(state="WAITING"),
                name="job_one_waiting_per_entity",
            ),
            models.UniqueConstraint(
                fields=["connection", "kind", "entity_id"],
                condition=Q(state="SENDING"),
                name="job_one_sending_per_entity",
            ),
        ]
        indexes = [
            # The sweep, the backlog and the claim read waiting jobs only, however many are done.
            models.Index(fields=["priority", "not_before"], condition=Q(state="WAITING"), name="job_waiting"),
            models.Index(
                fields=["waiting_for"], condition=Q(state="WAITING") & ~Q(waiting_for=""), name="job_waiting_for"
            ),
            models.Index(fields=["account"], condition=Q(state="WAITING") & ~Q(account=""), name="job_waiting_account"),
            models.Index(
                fields=["other_account"],
                condition=Q(state="WAITING") & ~Q(other_account=""),
                name="job_waiting_other",
            ),
            models.Index(fields=["claimed_at"], condition=Q(state="SENDING"), name="job_sending"),
            models.Index(fields=["connection", "created_at"], condition=Q(state="WAITING"), name="job_waiting_long"),
            models.Index(fields=["kind", "entity_id", "-id"], name="job_of_entity"),
            models.Index(fields=["state", "-finished_at"], name="job_finished"),
            models.Index(fields=["connection", "id"], condition=Q(state="FAILED"), name="job_failed"),
            # What needs a person: the list, of all and of a kind; by cause; and of an entity that is tried again.
            models.Index(fields=["connection", "id"], condition=~Q(cause=""), name="job_problem"),
            models.Index(fields=["connection", "kind", "id"], condition=~Q(cause=""), name="job_problem_of_kind"),
            models.Index(
                fields=["connection", "cause", "id", "kind"], condition=~Q(cause=""), name="job_problem_by_cause"
            ),
            models.Index(
                fields=["connection", "kind", "entity_id"], condition=~Q(cause=""), name="job_problem_of_entity"
            ),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}: {self.key}"

    @property
    def accounts(self) -> list[str]:
        """The locks it needs, in one order for everybody so that no two jobs wait for each other."""
        return sorted({self.account, self.other_account} - {""})


class AccountLock(models.Model):
    """One write in flight per Zuora account: the row exists while the job is sending."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE)
    account = models.CharField(max_length=64)
    job = models.ForeignKey(SyncJob, on_delete=models.CASCADE, related_name="locks")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "account"], name="account_lock_one_writer")]

    def __str__(self) -> str:
        return f"{self.account} by job {self.job_id}"
