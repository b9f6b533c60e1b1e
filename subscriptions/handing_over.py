"""How a subscription comes to another customer, or to another resource of its own."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from customers.models import Customer
from subscriptions.models import Subscription, SubscriptionStatus
from subscriptions.past import keep_past, present
from subscriptions.places import in_place_of, lock, lock_customer


@transaction.atomic
def delegate(*, subscription: Subscription, to: Customer, now: datetime) -> None:
    """Give the subscription to another customer; whoever has paid for it pays on.

    Usage up to now stays that of the customer who had it.

    Raises:
        ValidationError: it has ended, or the other customer cannot have it.
    """
    for customer in sorted({subscription.customer, to}, key=lambda one: one.pk):
        lock_customer(customer)
    lock(subscription)
    to.refresh_from_db()
    if to == subscription.customer:
        raise ValidationError(f"{to} has {subscription} already.")
    if to.archived_at is not None:
        raise ValidationError(f"{to} is archived: unarchive the customer first.")
    payer = subscription.payer
    before = present(subscription)
    subscription.customer = to
    subscription.paying_customer = payer if payer != to else None
    subscription.effective_from = at = _moment(subscription, now)
    _move(subscription, "customer", "paying_customer", "effective_from")
    keep_past(subscription, before=before, at=at)


@transaction.atomic
def transfer(*, subscription: Subscription, to_resource: str, now: datetime) -> None:
    """Move the subscription to another resource of its customer; usage up to now stays that of the old one.

    Raises:
        ValidationError: it has ended, or the resource has a subscription to this product.
    """
    lock(subscription)
    if subscription.resource_id == to_resource:
        raise ValidationError(f"{subscription} is for {to_resource or 'no resource'} already.")
    before = present(subscription)
    subscription.resource_id = to_resource
    _move(subscription, "resource_id")
    keep_past(subscription, before=before, at=_moment(subscription, now))


def _move(subscription: Subscription, *fields: str) -> None:
    if subscription.is_ended:
        raise ValidationError(f"{subscription} has ended: there is nothing to hand over.")
    holders = in_place_of(subscription).exclude(status__in=[SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED])
    if (other := holders.filter(status=subscription.status).first()) is not None:
        whose = subscription.resource_id or str(subscription.customer)
        raise ValidationError(f"{whose} has {other} to the same product: cancel that first.")
    subscription.full_clean()
    subscription.save(update_fields=[*fields, "updated_at"])


def _moment(subscription: Subscription, now: datetime) -> datetime:
    return max(now, subscription.start_date, subscription.effective_from or now)
