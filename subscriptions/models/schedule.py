from collections.abc import Callable, Mapping
from typing import Any

from django.db import models
from django.db.models import Q

from subscriptions.models.subscription import Subscription


class ChangeType(models.TextChoices):
    """What a scheduled change is about, as Stigg's REST API spells it."""

    PLAN = "PLAN", "Plan"
    DOWNGRADE = "DOWNGRADE", "Downgrade"
    BILLING_PERIOD = "BILLING_PERIOD", "Billing period"
    UNIT_AMOUNT = "UNIT_AMOUNT", "Quantities"
    ADDON = "ADDON", "Add-ons"
    COUPON = "COUPON", "Coupon"
    PRICE_OVERRIDE = "PRICE_OVERRIDE", "Prices"
    MIGRATE_TO_LATEST = "MIGRATE_TO_LATEST", "Latest version"
    ADDITIONAL_META_DATA = "ADDITIONAL_META_DATA", "Metadata"
    BILLING_INFO_METADATA = "BILLING_INFO_METADATA", "Billing information"


class ScheduleStatus(models.TextChoices):
    PENDING_PAYMENT = "PENDING_PAYMENT", "Waits for the payment"
    SCHEDULED = "SCHEDULED", "Scheduled"
    CANCELED = "CANCELED", "Canceled"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"


def _counted(named: Mapping[str, int]) -> str:
    return ", ".join(f"{count} \N{MULTIPLICATION SIGN} {ref_id}" for ref_id, count in named.items()) or "none"


def _units(part: Mapping[str, Any]) -> str:
    own = [f"{part['unit_quantity']} of the plan's unit"] if "unit_quantity" in part else []
    return ", ".join([*own, *([_counted(part["quantities"])] if part.get("quantities") else [])]) or "none"


_WORDS: dict[ChangeType, Callable[[Mapping[str, Any]], str]] = {
    ChangeType.PLAN: lambda _: "another plan",
    ChangeType.DOWNGRADE: lambda _: "another plan",
    ChangeType.BILLING_PERIOD: lambda part: str(part["billing_period"]).lower(),
    ChangeType.UNIT_AMOUNT: _units,
    ChangeType.ADDON: lambda part: _counted(part["addons"]),
    ChangeType.COUPON: lambda part: str(part["coupon"]) or "none",
    ChangeType.PRICE_OVERRIDE: lambda part: f"{len(part['price_overrides'])} of its own",
    ChangeType.MIGRATE_TO_LATEST: lambda _: "what is on sale then",
    ChangeType.ADDITIONAL_META_DATA: lambda part: ", ".join(part["metadata"]) or "none",
    ChangeType.BILLING_INFO_METADATA: lambda _: "as noted",
}

#: Those that may still take effect.
OPEN = (ScheduleStatus.PENDING_PAYMENT, ScheduleStatus.SCHEDULED)


class ScheduledChange(models.Model):
    """What a subscription will be different in, from a moment on; `content` names it by reference ids.

    A change of plan has no content: it is a subscription of its own, the `successor`, which ends this one by starting.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="scheduled_changes")
    change_type = models.CharField(max_length=21, choices=ChangeType)
    status = models.CharField(max_length=15, choices=ScheduleStatus, default=ScheduleStatus.SCHEDULED)
    effective_at = models.DateTimeField()
    content = models.JSONField(default=dict, blank=True)
    successor = models.ForeignKey(
        Subscription, null=True, blank=True, on_delete=models.CASCADE, related_name="predecessor_changes"
    )
    problem = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["effective_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "change_type"],
                condition=Q(status__in=["PENDING_PAYMENT", "SCHEDULED"]),
                name="scheduled_change_one_open_per_type",
                violation_error_message="Such a change is scheduled already: call that one off first.",
            ),
        ]
        indexes = [
            models.Index(fields=["effective_at"], condition=Q(status="SCHEDULED"), name="scheduled_change_to_come"),
        ]

    def __str__(self) -> str:
        return f"{self.get_change_type_display()} of {self.subscription}, {self.effective_at:%Y-%m-%d %H:%M} UTC"

    @property
    def in_words(self) -> str:
        """What will be, by the ids that were given: add-ons and how many, a period, a plan."""
        if self.successor is not None:
            return f"{self.successor.plan} ({self.successor})"
        return _WORDS[ChangeType(self.change_type)](self.content)
