"""What an archived customer had running ends with it."""

from datetime import datetime
from typing import Any

from customers.archiving import archived
from customers.models import Customer
from subscriptions.cancelling import end_at
from subscriptions.models import CancelReason, Subscription, SubscriptionStatus


def end_with_customer(sender: object, *, customer: Customer, now: datetime, **_: Any) -> None:  # noqa: ARG001 - as signals call
    """End every subscription of a customer who is being archived, in the transaction that does it."""
    over = [SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]
    rows = Subscription.objects.filter(customer=customer).exclude(status__in=over).select_for_update(of=("self",))
    for subscription in rows.order_by("pk"):
        end_at(subscription=subscription, moment=now, reason=CancelReason.CUSTOMER_ARCHIVED, now=now)


archived.connect(end_with_customer, dispatch_uid="subscriptions")
