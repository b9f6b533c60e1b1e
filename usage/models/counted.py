"""What has been counted of a billing period: kept, so that closing an hour reads what is new and not the whole period.

All of it follows from the events, and is made anew from them whenever it is missing or rests on other terms.
"""

from typing import Any

from django.db import models
from django.db.models import Q

from catalog.models import Addon, Feature, Plan
from customers.models import Customer
from subscriptions.models import Subscription
from usage.models.event import quantity_field


def _amount(**options: Any) -> "models.DecimalField[Any, Any]":
    """Return the field for a sum of quantities."""
    return models.DecimalField(max_digits=40, decimal_places=9, **options)


class CountedRun(models.Model):
    """A billing period of a charge by a meter that does not add up, from `since` on.

    `basis` says on which terms, and by which meter, it was counted; empty where that has to be done anew.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="+", db_index=False)
    resource_id = models.CharField(max_length=255, blank=True)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="+", db_index=False)
    plan = models.ForeignKey(Plan, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    addon = models.ForeignKey(Addon, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    since = models.DateTimeField()
    basis = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "feature", "resource_id"], name="counted_run_of_source")]

    def __str__(self) -> str:
        return f"{self.customer_id}/{self.feature_id}/{self.resource_id} since {self.since:%Y-%m-%dT%H:%M}"


class CountedWindow(models.Model):
    """An hour of a run, or a part of it: what its own events say, and what all have come to at its end.

    `count` and `amount` are how many counted and their sum, least or most; for UNIQUE how many values came first then.
    What comes between it and the window before is counted to it. `change` is what it adds to the period. `lasting` is
    what the period has come to at its end, less what later windows take back: it stands where there is a change, and
    rises from one to the next; so a lower result finds those that it takes from.
    """

    run = models.ForeignKey(CountedRun, on_delete=models.CASCADE, related_name="windows", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    events = models.PositiveIntegerField()
    count = models.PositiveBigIntegerField()
    amount = _amount(null=True)
    total_count = models.PositiveBigIntegerField()
    total_amount = _amount(null=True)
    change = quantity_field()
    lasting = quantity_field(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "starts_at"], name="counted_window_once")]
        indexes = [
            models.Index(fields=["run", "lasting"], condition=Q(lasting__isnull=False), name="counted_window_lasting"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.starts_at:%Y-%m-%dT%H:%M}: {self.change}"


class CountedValue(models.Model):
    """A value that UNIQUE counts in a run, as its digest, and when it came first."""

    pk = models.CompositePrimaryKey("run_id", "value")
    run = models.ForeignKey(CountedRun, on_delete=models.CASCADE, related_name="values", db_index=False)
    value = models.UUIDField()
    first_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["run", "first_at"], name="counted_value_first")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.value}"
