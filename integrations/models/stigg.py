import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from integrations.models.secret import EncryptedField


class StiggAccountQuerySet(models.QuerySet["StiggAccount"]):
    def active(self) -> Self:
        """Return the account in use: one, or none."""
        return self.filter(removed_at=None)


class StiggAccount(models.Model):
    """The Stigg environment that this deployment reads: by import, and kept fresh by webhooks."""

    base_url = models.CharField(max_length=255)
    api_key = EncryptedField()
    #: The last part of the address that Stigg posts to: who does not know it does not even reach the secret.
    hook_path = models.CharField(max_length=64, unique=True)
    hook_secret = EncryptedField(blank=True)
    connected_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = StiggAccountQuerySet.as_manager()

    class Meta:
        verbose_name = "Stigg account"
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(removed_at=None),
                name="stigg_account_only_one_in_use",
                violation_error_message="One deployment reads one Stigg environment: remove the one in use first.",
            ),
        ]

    def __str__(self) -> str:
        return f"Stigg at {self.base_url}"

    @staticmethod
    def draw_hook_path() -> str:
        """Return 192 bits of chance, as a part of an address."""
        return secrets.token_urlsafe(24)


class StiggEventState(models.TextChoices):
    """UNKNOWN: of a type that says nothing to us, or of something that Stigg does not have."""

    WAITING = "WAITING", "Waiting"
    DONE = "DONE", "Done"
    UNKNOWN = "UNKNOWN", "Nothing to do"
    FAILED = "FAILED", "Failed"


class StiggEventQuerySet(models.QuerySet["StiggEvent"]):
    def due(self, *, now: datetime) -> Self:
        return self.filter(state=StiggEventState.WAITING, not_before__lte=now)

    def of(self, account: StiggAccount, kind: str, ref_ids: Collection[str]) -> Self:
        return self.filter(account=account, kind=kind, ref_id__in=ref_ids)

    def ended_since(self, moment: datetime) -> Self:
        return self.filter(finished_at__gt=moment)

    def wait_again(self, *, now: datetime) -> int:
        """Have them looked at from the beginning."""
        return self.update(state=StiggEventState.WAITING, attempts=0, reason="", not_before=now, finished_at=None)


class StiggEvent(models.Model):
    """A webhook of Stigg's as it came: kept before it was answered, looked at afterwards, and shown to a person.

    What it says of the entity is not believed: events come late, twice and in any order, so the entity is read again.
    """

    account = models.ForeignKey(StiggAccount, on_delete=models.CASCADE, related_name="events")
    message_id = models.CharField(max_length=255)
    type = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, blank=True, help_text="What is to be read again; empty: nothing.")
    ref_id = models.CharField("Stigg id", max_length=255, blank=True)
    body = models.TextField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=7, choices=StiggEventState, default=StiggEventState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    reason = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StiggEventQuerySet.as_manager()

    class Meta:
        verbose_name = "Stigg event"
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["account", "message_id"], name="stigg_event_once")]
        indexes = [
            models.Index(fields=["not_before"], condition=Q(state="WAITING"), name="stigg_event_waiting"),
            models.Index(fields=["state", "-id"], name="stigg_event_state"),
            models.Index(fields=["finished_at"], name="stigg_event_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.ref_id}".rstrip()

    def mark_ended(self, state: StiggEventState, *, reason: str, now: datetime) -> None:
        """Note what became of it."""
        self.state, self.reason, self.finished_at = state, reason, now
        self.attempts += 1
        self.save(update_fields=["state", "reason", "finished_at", "attempts"])

    def mark_again(self, *, reason: str, at: datetime) -> None:
        """Have it looked at once more, at that time."""
        self.reason, self.not_before = reason, at
        self.attempts += 1
        self.save(update_fields=["reason", "not_before", "attempts"])

    def mark_waiting(self, *, now: datetime) -> None:
        """Have it looked at from the beginning."""
        self.state, self.attempts, self.reason, self.not_before, self.finished_at = (
            StiggEventState.WAITING,
            0,
            "",
            now,
            None,
        )
        self.save(update_fields=["state", "attempts", "reason", "not_before", "finished_at"])
