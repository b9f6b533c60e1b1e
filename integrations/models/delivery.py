from django.db import models
from django.db.models import F, Q

from integrations.models.connection import Connection
from integrations.models.job import SyncJob


class DeliveryOutcome(models.TextChoices):
    SENDING = "SENDING", "Sending"
    SENT = "SENT", "Sent"
    UNCHANGED = "UNCHANGED", "Nothing to send"
    NOT_SYNCED = "NOT_SYNCED", "Will not be synced"
    WAITS = "WAITS", "Waits for another entity"
    RETRY = "RETRY", "Will be tried again"
    FAILED = "FAILED", "Failed"
    LOST = "LOST", "The worker died"


class Delivery(models.Model):
    """One attempt at one job."""

    job = models.ForeignKey(SyncJob, on_delete=models.CASCADE, related_name="deliveries")
    track_id = models.CharField(max_length=64, unique=True)
    worker = models.CharField(max_length=255)
    outcome = models.CharField(max_length=10, choices=DeliveryOutcome, default=DeliveryOutcome.SENDING)
    error = models.TextField(blank=True)
    #: [{"rule": ..., "passed": ..., "saw": ...}]: the rules that judged otherwise than the last time.
    decided = models.JSONField(default=list)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.track_id


class Request(models.Model):
    """One HTTP exchange with Zuora, as it may be shown: nothing secret is in it."""

    connection = models.ForeignKey(Connection, null=True, on_delete=models.SET_NULL, related_name="requests")
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.CASCADE, related_name="requests")
    track_id = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=7)
    path = models.CharField(max_length=2048)
    idempotency_key = models.CharField(max_length=255, blank=True)
    body = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    error = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField()
    zuora_request_id = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["started_at", "id"], name="request_in_order"),
            models.Index(fields=["track_id"], name="request_track_id"),
            models.Index(fields=["zuora_request_id"], condition=~Q(zuora_request_id=""), name="request_zuora_id"),
            # The log's filters, each in the order of the log.
            models.Index(fields=["started_at", "id"], condition=~Q(error=""), name="request_failed"),
            models.Index(F("status") / 100, "started_at", "id", name="request_by_answer"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status or self.error}"
