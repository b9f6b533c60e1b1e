from django.db import models

from catalog.models import BillingPeriod, Plan
from customers.models import Customer
from subscriptions.models.subscription import Subscription


class PastTerms(models.Model):
    """What a subscription was from a moment up to another: who had it, and in which versions, at which own prices.

    Written by whoever changes one of these, so that usage of that time is still charged to those prices.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="past_terms")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="past_terms")
    resource_id = models.CharField(max_length=255, blank=True)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="past_terms")
    plan_version_number = models.PositiveIntegerField()
    billing_period = models.CharField(max_length=8, choices=BillingPeriod, blank=True)
    addons = models.JSONField(default=list, help_text="Pairs of an add-on's row id and its version.")
    own_prices = models.JSONField(default=list, help_text="Pairs of a price's row id and what was paid instead.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering = ["subscription", "starts_at"]
        verbose_name_plural = "past terms"

    def __str__(self) -> str:
        return f"{self.subscription} up to {self.ends_at:%Y-%m-%d %H:%M} UTC"


class PastContent(models.Model):
    """What a subscription held from a moment up to another, as far as it is billed: quantities, prices, coupon and all.

    Written by whoever changes one of these, so that who hears of several changes at once can take one after the other.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="past_contents")
    content = models.JSONField(help_text="By row ids, as `subscriptions.past` reads it.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering = ["subscription", "starts_at"]

    def __str__(self) -> str:
        return f"{self.subscription} up to {self.ends_at:%Y-%m-%d %H:%M} UTC"
