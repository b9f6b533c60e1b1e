from django.db import models

from catalog.models import Feature


class Aggregation(models.TextChoices):
    SUM = "SUM"
    COUNT = "COUNT"
    UNIQUE = "UNIQUE"
    MIN = "MIN"
    MAX = "MAX"
    AVG = "AVG"


class Meter(models.Model):
    """Turns raw events into the usage of a feature: which events count, and how.

    `filters` is Stigg's list: an event counts when it meets every condition of any one of them, each
    `{"conditions": [{"field": ..., "operation": ..., "value": ...}]}`; an empty list lets all events count.
    """

    feature = models.OneToOneField(Feature, on_delete=models.CASCADE, related_name="meter")
    aggregation = models.CharField(max_length=6, choices=Aggregation)
    field = models.CharField(max_length=255, blank=True, help_text="The dimension that is aggregated; empty for COUNT.")
    filters = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(aggregation="COUNT") | ~models.Q(field=""),
                name="meter_names_its_field",
                violation_error_message="Only COUNT needs no field: name the dimension that is aggregated.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.aggregation} {self.field}".strip()
