from django.db import models


class EntityKind(models.TextChoices):
    """What can be pushed. Jobs are for the first five; the others ride along with the entity they belong to."""

    PLAN = "plan"
    ADDON = "addon", "Add-on"
    COUPON = "coupon"
    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    BILLING_PERIOD = "billing_period", "Billing period"
    CHARGE = "charge"
    UNIT = "unit", "Unit of measure"


class SyncStatus(models.TextChoices):
    """Stigg's four words, and what screens say."""

    PENDING = "PENDING", "Pending"
    SUCCESS = "SUCCESS", "Synced"
    ERROR = "ERROR", "Failed"
    NO_SYNC_REQUIRED = "NO_SYNC_REQUIRED", "Will not be synced"


class Standing(models.TextChoices):
    """Where an entity stands, as lists and counts tell it: the status, and whether what is not synced is in Zuora."""

    FAILED = "failed", "Failed"
    NOT_SYNCED = "not-synced", "Will not be synced"
    PENDING = "pending", "Pending"
    STOPPED = "stopped", "Linked, sync stopped"
    SYNCED = "synced", "Synced"


class Priority(models.IntegerChoices):
    """A click goes before usage, usage before changes, changes before a backfill."""

    CLICK = 1
    USAGE = 2
    CHANGE = 3
    BACKFILL = 4

    @property
    def queue(self) -> str:
        """The Celery queue that carries it."""
        return {1: "click", 2: "usage", 3: "changes", 4: "backfill"}[self.value]
