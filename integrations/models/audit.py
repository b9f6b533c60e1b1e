from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models


class AuditEntry(models.Model):
    """Who did what: written once, never changed, never deleted.

    Triggers in the database hold this too, against `update()` and SQL; only the link to a deleted user may go.
    """

    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=255, help_text="Kept when the user is deleted.")
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=300)
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "audit log"
        ordering = ["-pk"]
        # What is filtered by, in the order of the log; and a list of all there are without reading each line.
        indexes = [
            models.Index(fields=["at", "id"], name="audit_in_order"),
            models.Index(fields=["action", "at", "id"], name="audit_by_action"),
            models.Index(fields=["actor_name", "at", "id"], name="audit_by_actor"),
            models.Index(fields=["subject", "at", "id"], name="audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise PermissionDenied("An audit entry cannot be changed.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise PermissionDenied("An audit entry cannot be deleted.")
