from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q

#: A comparison that has said nothing for so long has died with its worker, or was never taken up by one.
SILENCE = timedelta(minutes=5)


class UsageReconciliationQuerySet(models.QuerySet["UsageReconciliation"]):
    def running(self, *, now: datetime) -> Self:
        """Return those that are under way."""
        return self.filter(finished_at=None, seen_at__gt=now - SILENCE)

    def ended(self, *, now: datetime) -> Self:
        """Return those that have a result, or broke off."""
        return self.filter(~Q(finished_at=None) | Q(seen_at__lte=now - SILENCE))


class UsageReconciliation(models.Model):
    """A comparison of events, slices and Zuora: what it found, or how far it has come. Its differences are rows."""

    at = models.DateTimeField(db_index=True, help_text="When it was asked for.")
    asked_by = models.CharField(max_length=255, blank=True, help_text="Empty: it was the night's.")
    seen_at = models.DateTimeField(help_text="When it last said that it is under way.")
    finished_at = models.DateTimeField(null=True, blank=True)
    compared = models.PositiveIntegerField(default=0, help_text="Charges and periods.")
    differing = models.PositiveIntegerField(default=0)
    changed_there = models.PositiveIntegerField(default=0, help_text="Usage records that somebody changed in Zuora.")
    unattributed = models.PositiveIntegerField(
        default=0, help_text="Customers' features and months with usage that is billed to nobody."
    )
    upto = models.DateTimeField(null=True, blank=True, help_text="What was used from then on is left out.")
    error = models.TextField(blank=True, help_text="Why it could not be finished.")

    objects = UsageReconciliationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {self.differing} of {self.compared} differ"

    @property
    def proves(self) -> bool:
        """Whether it came to its end and found everything equal."""
        return self.finished_at is not None and not self.error and not self.differing

    def is_running(self, *, now: datetime) -> bool:
        return self.finished_at is None and self.seen_at > now - SILENCE

    def mark_seen(self, *, compared: int, differing: int, now: datetime) -> None:
        """Say how far it has come."""
        self.compared, self.differing, self.seen_at = compared, differing, now
        self.save(update_fields=["compared", "differing", "seen_at"])

    def mark_begun(self, *, upto: datetime) -> None:
        """Say what it compares: nothing that was used from `upto` on."""
        self.upto = upto
        self.save(update_fields=["upto"])

    def mark_finished(
        self,
        *,
        compared: int,
        differing: int,
        error: str,
        now: datetime,
        changed_there: int = 0,
        unattributed: int = 0,
    ) -> None:
        """Keep the result; `error` says why it could not come to its end, or nothing."""
        self.compared, self.differing, self.error, self.changed_there = compared, differing, error, changed_there
        self.unattributed = unattributed
        self.seen_at = self.finished_at = now
        told = ["compared", "differing", "error", "changed_there", "unattributed"]
        self.save(update_fields=[*told, "seen_at", "finished_at"])


class UsageDifference(models.Model):
    """A charge and period of which events, slices and Zuora do not say the same."""

    reconciliation = models.ForeignKey(UsageReconciliation, on_delete=models.CASCADE, related_name="differences")
    line = models.JSONField(help_text="As the report has it: who, which charge and period, what each side says.")
    changed_there: Any = models.JSONField(default=list, help_text="Row ids of the usage records to be read again.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.line['subscription']} {self.line['number'] or self.line['charge']}"


class UsageOfNobody(models.Model):
    """A customer's feature and month of which a comparison found usage that is billed to nobody: no difference."""

    reconciliation = models.ForeignKey(UsageReconciliation, on_delete=models.CASCADE, related_name="of_nobody")
    line = models.JSONField(help_text="As the report has it: who, what, how much, and when.")

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "usage of nobody"

    def __str__(self) -> str:
        return f"{self.line['customer']} {self.line['charge']}"
