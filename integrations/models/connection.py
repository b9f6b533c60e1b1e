from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from integrations.models.secret import EncryptedField


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def active(self) -> Self:
        """Return the connection in use: one, or none."""
        return self.filter(removed_at=None)

    def shown(self) -> "Connection | None":
        """Return the connection in use, or else the one removed last, without its secret: what it was told stays so."""
        return self.defer("client_secret").order_by(models.F("removed_at").desc(nulls_first=True)).first()


class Connection(models.Model):
    """The Zuora tenant of this deployment. Removing keeps the row, so that a reconnect finds its old links."""

    rest_url = models.CharField(max_length=255)
    tenant_id = models.CharField(max_length=64, help_text="As the access token names it.")
    client_id = models.CharField("client ID", max_length=255)
    client_secret = EncryptedField()
    key_prefix = models.CharField(max_length=20)
    sync_customers = models.BooleanField(default=True)
    sync_subscriptions = models.BooleanField(default=True)
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text="The tenant's: it decides on which day something happens there."
    )
    #: What the doctor found: {"custom_fields": {"Product": ["stiggEntityUrl__c"], ...}, "settings_api": bool, ...}
    findings = models.JSONField(default=dict)
    connected_at = models.DateTimeField()
    credentials_since = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    #: While the tenant is down or refuses us nothing is sent before this; then one probe goes out.
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True)
    down_since = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(removed_at=None),
                name="connection_only_one_in_use",
                violation_error_message="One deployment has one tenant: remove the connection in use first.",
            ),
            models.UniqueConstraint(fields=["rest_url", "tenant_id"], name="connection_once_per_tenant"),
        ]

    def __str__(self) -> str:
        return f"Zuora tenant {self.tenant_id} at {self.rest_url}"

    @property
    def is_down(self) -> bool:
        return self.down_since is not None

    def mark_down(self, *, reason: str, until: datetime, now: datetime) -> None:
        """Stop sending until then; the backlog waits."""
        self.down_since = self.down_since or now
        self.pause_reason = reason
        self.paused_until = until
        self.save(update_fields=["down_since", "pause_reason", "paused_until", "updated_at"])

    def mark_up(self) -> None:
        """Send again."""
        self.down_since = None
        self.pause_reason = ""
        self.paused_until = None
        self.save(update_fields=["down_since", "pause_reason", "paused_until", "updated_at"])
