from django.db import models
from django.db.models import Q

from integrations.models.kinds import EntityKind


class Happening(models.TextChoices):
    SAVED = "SAVED", "Saved"
    DELETED = "DELETED", "Lost a part"
    ASKED = "ASKED", "Sync asked for"
    KEPT = "KEPT", "Kept in Zuora"
    CANCELLED = "CANCELLED", "Cancelling in Zuora asked for"
    DISMISSED = "DISMISSED", "Failure dismissed"


class TimelineEntry(models.Model):
    """What somebody did to an entity: written once, forgotten with the request log.

    Deliveries and requests have rows of their own; the page of an entity shows all of them in one order.
    """

    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=14, choices=EntityKind)
    entity_id = models.BigIntegerField()
    what = models.CharField(max_length=9, choices=Happening)
    who = models.CharField(max_length=255)
    subject = models.CharField(max_length=300, blank=True, help_text="The row that was saved, or a reason.")
    fields = models.JSONField(default=list, help_text="What was changed, where that is known.")
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "timeline"
        ordering = ["-pk"]
        constraints = [
            # A form that saves a plan and its thirty prices is one save to whoever reads.
            models.UniqueConstraint(
                fields=["request_id", "kind", "entity_id", "what"],
                condition=~Q(request_id=""),
                name="timeline_once_per_request",
            )
        ]
        indexes = [models.Index(fields=["kind", "entity_id", "at", "id"], name="timeline_of_entity")]

    def __str__(self) -> str:
        return f"{self.who}: {self.get_what_display()} {self.kind} {self.entity_id}"
