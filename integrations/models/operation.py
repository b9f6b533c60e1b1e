from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from integrations.models.connection import Connection


class OperationState(models.TextChoices):
    WAITING = "WAITING", "Waiting"
    RUNNING = "RUNNING", "Running"
    PAUSED = "PAUSED", "Paused"
    CANCELLED = "CANCELLED", "Cancelled"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"


class OperationQuerySet(models.QuerySet["Operation"]):
    def open(self) -> Self:
        """Return the operations that will still do something by themselves."""
        return self.filter(state__in=[OperationState.WAITING, OperationState.RUNNING])

    def due(self, *, now: datetime) -> Self:
        """Return the open operations that nobody is at and whose next step may be taken."""
        return self.open().filter(claim="", not_before__lte=now)


class Operation(models.Model):
    """Long work in the background: what it is, how far it has come, and from where it goes on.

    `done` counts what was dealt with, `failed` how much of that failed, `tally` how much ended in which way. All of
    them change in the transaction that saves the `checkpoint`.
    """

    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=300)
    connection = models.ForeignKey(Connection, null=True, on_delete=models.CASCADE, related_name="operations")
    parameters = models.JSONField(default=dict)
    exclusive = models.CharField(
        max_length=64, blank=True, help_text="Of those with the same text, only one is unfinished at a time."
    )
    state = models.CharField(max_length=9, choices=OperationState, default=OperationState.WAITING)
    checkpoint = models.JSONField(default=dict)
    total = models.PositiveIntegerField(null=True, help_text="How much there is to do; empty where nobody knows.")
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    tally = models.JSONField(default=dict)
    reason = models.TextField(blank=True, help_text="Why it waits or failed, in plain words.")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    started_by_name = models.CharField(max_length=255, help_text="Kept when the user is deleted.")
    created_at = models.DateTimeField()
    not_before = models.DateTimeField()
    counted_until = models.DateTimeField(null=True, help_text="Up to when `worked` counts.")
    worked = models.DurationField(default=timedelta)
    finished_at = models.DateTimeField(null=True)
    claim = models.CharField(max_length=32, blank=True, help_text="Drawn anew by whoever is at it.")
    claimed_by = models.CharField(max_length=255, blank=True)
    claimed_at = models.DateTimeField(null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["exclusive"],
                condition=Q(state__in=["WAITING", "RUNNING", "PAUSED"]) & ~Q(exclusive=""),
                name="operation_one_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["not_before"], condition=Q(state__in=["WAITING", "RUNNING"]), name="op_open")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.state in {OperationState.WAITING, OperationState.RUNNING}

    @property
    def can_resume(self) -> bool:
        """Whether it stands, and can go on from its checkpoint."""
        return self.state in {OperationState.PAUSED, OperationState.FAILED}

    @property
    def can_cancel(self) -> bool:
        return self.is_open or self.state == OperationState.PAUSED

    @property
    def left_under_way(self) -> int:
        """How many of its jobs were stored when it was stopped: they end by themselves, and it does not follow them."""
        if self.state not in {OperationState.PAUSED, OperationState.CANCELLED, OperationState.FAILED}:
            return 0
        return len((self.checkpoint or {}).get("open", ()))

    def waited(self, now: datetime) -> timedelta:
        """Return how long it has stood so far: paused, before its turn, or because nothing could be done."""
        return max(timedelta(), (self.finished_at or now) - self.created_at - self.worked)

    @property
    def per_second(self) -> float | None:
        """How many it has dealt with per second of work; None while that says nothing."""
        seconds = self.worked.total_seconds()
        return self.done / seconds if seconds > 0 and self.done else None

    @property
    def time_left(self) -> timedelta | None:
        """How long the rest takes at the pace so far."""
        if self.total is None or self.per_second is None:
            return None
        return timedelta(seconds=max(0, self.total - self.done) / self.per_second)

    def mark_standing(self, state: OperationState, *, reason: str = "", now: datetime | None = None) -> None:
        """Let it stand where it is; with `now` it has ended. The caller holds the row's lock."""
        self.state, self.reason, self.counted_until, self.finished_at = state, reason, None, now
        self.claim, self.claimed_by, self.claimed_at = "", "", None
        self.save(
            update_fields=["state", "reason", "counted_until", "finished_at", "claim", "claimed_by", "claimed_at"]
        )

    def mark_waiting(self, *, now: datetime) -> None:
        """Let it go on from its checkpoint. The caller holds the row's lock."""
        self.state, self.reason, self.not_before, self.finished_at = OperationState.WAITING, "", now, None
        self.save(update_fields=["state", "reason", "not_before", "finished_at"])


class OperationLine(models.Model):
    """A line of an operation's report."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="lines")
    key = models.CharField(max_length=300, help_text="What it is about: a record key such as plan:pro, if it has one.")
    outcome = models.CharField(max_length=64, help_text="As the tally names it.")
    text = models.TextField(blank=True)
    detail: Any = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["operation", "outcome", "id"], name="operation_line_outcome")]

    def __str__(self) -> str:
        return f"{self.key}: {self.outcome}"
