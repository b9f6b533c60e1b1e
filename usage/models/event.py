from typing import Any

from django.db import models
from django.db.models import Q

from catalog.models import Feature
from customers.models import Customer


def quantity_field(**options: Any) -> "models.DecimalField[Any, Any]":
    """Return the field for how much was used: 13 digits before and 9 after the point, as billing systems hold them."""
    return models.DecimalField(max_digits=22, decimal_places=9, **options)


class UpdateBehavior(models.TextChoices):
    """DELTA adds to what was used; SET says what is used from now on."""

    DELTA = "DELTA"
    SET = "SET"


class UsageEvent(models.Model):
    """Something was used: reported by feature, or a raw event that a meter counts. Stored once, never changed.

    The idempotency key is unique in the very insert that stores the event: it is never "seen" before it is "stored".
    """

    idempotency_key = models.CharField(max_length=255, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="usage_events", db_index=False)
    feature = models.ForeignKey(
        Feature, null=True, on_delete=models.PROTECT, related_name="usage_events", db_index=False
    )
    event_name = models.CharField(max_length=255, blank=True)
    resource_id = models.CharField(max_length=255, blank=True)
    update_behavior = models.CharField(max_length=5, choices=UpdateBehavior, default=UpdateBehavior.DELTA)
    value = quantity_field(null=True, help_text="Empty for a raw event.")
    dimensions = models.JSONField(default=dict, blank=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(feature__isnull=False, event_name="", value__isnull=False)
                | (Q(feature__isnull=True, value__isnull=True) & ~Q(event_name="")),
                name="usage_event_by_feature_or_by_name",
            ),
        ]
        indexes = [
            # Closing an hour reads that hour of one customer's feature, however many events there ever were. What is
            # added up stands in it: a billing period, or all before the first SET, is on far fewer pages than its rows.
            models.Index(
                fields=["customer", "feature", "resource_id", "occurred_at"],
                include=["value", "update_behavior"],
                condition=Q(feature__isnull=False),
                name="usage_event_counted",
            ),
            # What a SET adds rests on the one before it, however many events lie between them.
            models.Index(
                fields=["customer", "feature", "resource_id", "occurred_at"],
                condition=Q(update_behavior="SET"),
                name="usage_event_set",
            ),
            models.Index(
                fields=["customer", "resource_id", "occurred_at"],
                condition=Q(feature__isnull=True),
                name="usage_event_raw",
            ),
        ]

    def __str__(self) -> str:
        return self.idempotency_key


class DirtyHour(models.Model):
    """An hour of a customer's feature that has events which no slice knows of yet: written with the events."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="+")
    resource_id = models.CharField(max_length=255, blank=True)
    hour = models.DateTimeField(help_text="Its first instant, UTC.")
    since = models.DateTimeField(help_text="When its latest event was stored.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "feature", "resource_id", "hour"], name="dirty_hour_once"),
        ]
        indexes = [models.Index(fields=["hour"], name="dirty_hour_by_hour")]

    def __str__(self) -> str:
        return f"{self.customer_id}/{self.feature_id}/{self.resource_id} {self.hour:%Y-%m-%d %H}h"
