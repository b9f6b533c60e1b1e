from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import F, Q

from catalog.models import Feature, Price
from customers.models import Customer
from subscriptions.models import Subscription
from usage.models.event import quantity_field


class SliceQuerySet(models.QuerySet["Slice"]):
    def untaken(self) -> Self:
        """Return the slices that billing has not taken over in their latest revision."""
        return self.filter(revision__gt=F("taken_revision"))


class Slice(models.Model):
    """The usage of one charge of one subscription in one hour, or in the part of it up to an edge.

    An edge is the end of a billing period, a change of price, the start or the end of the subscription: what lies on
    either side of it is billed apart. `quantity` is absolute and never negative; `revision` counts its changes.

    Where a SET takes back more than was added, `change` is negative. Then nothing is charged, and the rest is carried:
    `carry` is what the following slices of the same charge still have to give.
    """

    # Two indices below begin with it.
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="slices", db_index=False)
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="slices")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    change = quantity_field(default=0, help_text="What the events changed; negative where more was taken back.")
    carry = quantity_field(default=0, help_text="Zero or less: what the following slices still have to give.")
    quantity = quantity_field()
    event_count = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    taken_revision = models.PositiveIntegerField(default=0, help_text="The revision that billing has taken over.")
    closed_at = models.DateTimeField()

    objects = SliceQuerySet.as_manager()

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "price", "starts_at"], name="slice_once"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="slice_not_negative"),
            models.CheckConstraint(condition=Q(carry__lte=0), name="slice_carries_reductions_only"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="slice_has_a_length"),
        ]
        indexes = [
            # Billing looks for what it has not taken over, however many slices there ever were.
            models.Index(fields=["subscription"], condition=Q(revision__gt=F("taken_revision")), name="slice_untaken"),
            models.Index(fields=["subscription", "starts_at"], name="slice_of_subscription"),
            models.Index(
                fields=["starts_at", "id"],
                condition=Q(revision__gt=F("taken_revision")) & Q(quantity__gt=0),
                name="slice_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} {self.starts_at:%Y-%m-%dT%H:%M}: {self.quantity}"

    @property
    def carried_in(self) -> Decimal:
        """Zero or less: what the slices before it could not give."""
        carried: Decimal = self.quantity + self.carry - self.change
        return carried

    @property
    def has_changed(self) -> bool:
        """Whether billing has not taken over what it is now."""
        return self.revision > self.taken_revision


class UnattributedUsage(models.Model):
    """Usage of a feature that is sold by usage, at a time at which the customer had no subscription for the resource.

    Or there was one, `unsold_by`, that is not free and does not sell the feature in any way. It is counted again as
    soon as a subscription reaches into that time, or one that sells it.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="unattributed_usage")
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="+")
    resource_id = models.CharField(max_length=255, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    unsold_by = models.ForeignKey(Subscription, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    change = quantity_field(help_text="What the events changed, which nobody is charged for.")
    event_count = models.PositiveIntegerField()
    noted_at = models.DateTimeField()

    class Meta:
        ordering = ["-starts_at"]
        verbose_name_plural = "unattributed usage"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "feature", "resource_id", "starts_at"], name="unattributed_usage_once"
            ),
        ]
        indexes = [
            # What a subscription may yet reach into is little, and looked through every hour.
            models.Index(
                fields=["customer", "feature", "resource_id", "starts_at"],
                condition=Q(unsold_by=None),
                name="unattributed_without_one",
            ),
            # Whose it is that one did not sell, of however many hours, is looked through, too.
            models.Index(
                fields=["customer", "feature", "resource_id", "starts_at"],
                condition=Q(unsold_by__isnull=False),
                name="unattributed_unsold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}/{self.feature_id}/{self.resource_id} {self.starts_at:%Y-%m-%dT%H:%M}"
