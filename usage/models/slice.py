from django.db import models
from django.db.models import F, Q

from catalog.models import Price
from subscriptions.models import Subscription
from usage.models.event import quantity_field


class Slice(models.Model):
    """The usage of one charge of one subscription in one hour, or in the part of it up to an edge.

    An edge is the end of a billing period, a change of price, the start or the end of the subscription: what lies on
    either side of it is billed apart. `quantity` is absolute and never negative; `revision` counts its changes.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="slices")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="slices")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    quantity = quantity_field()
    event_count = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    closed_at = models.DateTimeField()

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "price", "starts_at"], name="slice_once"),
            models.CheckConstraint(condition=Q(quantity__gte=0), name="slice_not_negative"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="slice_has_a_length"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} {self.starts_at:%Y-%m-%dT%H:%M}: {self.quantity}"
