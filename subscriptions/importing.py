"""Subscriptions that ran elsewhere before: many at once, all of them or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import CancellationTime
from subscriptions.changing import apply
from subscriptions.models import CancelReason, Subscription, SubscriptionStatus
from subscriptions.provisioning import Order


@dataclass(frozen=True)
class Imported:
    """A subscription as it ran: what it was ordered as, and when it ended or will end."""

    order: Order
    ends: datetime | None = None


@transaction.atomic
def import_subscriptions(*, rows: Sequence[Imported], now: datetime) -> list[Subscription]:
    """Take over subscriptions; return the new ones. One whose id is known is left as it is, so twice is once.

    Nothing is replaced or ended: they are taken as they ran.

    Raises:
        ValidationError: `errors` says by index what is wrong, in `error_list` as `code` the index; nothing is stored.
    """
    known = set(
        Subscription.objects.filter(ref_id__in=[row.order.ref_id for row in rows]).values_list("ref_id", flat=True)
    )
    made, problems = [], []
    for index, row in enumerate(rows):
        if row.order.ref_id in known:
            continue
        known.add(row.order.ref_id)
        try:
            with transaction.atomic():
                made.append(_import(row, now))
        except ValidationError as refusal:
            problems += [ValidationError(message, code=str(index)) for message in refusal.messages]
    if problems:
        raise ValidationError(problems)
    return made


def _import(row: Imported, now: datetime) -> Subscription:
    order = row.order
    subscription = Subscription(
        ref_id=order.ref_id,
        customer=order.customer,
        plan=order.plan,
        plan_version_number=order.plan.version_number,
        resource_id=order.resource_id,
        billing_id=order.billing_id,
        start_date=order.start or now,
        status=SubscriptionStatus.ACTIVE,
    )
    if subscription.start_date > now:
        subscription.status = SubscriptionStatus.NOT_STARTED
    if row.ends is not None:
        subscription.cancellation_date = row.ends
        subscription.cancellation_time = CancellationTime.SPECIFIC_DATE
        if row.ends <= now:
            subscription.status = SubscriptionStatus.CANCELED
            subscription.effective_end_date = row.ends
            subscription.cancel_reason = CancelReason.SCHEDULED
    apply(subscription=subscription, content=order.content, at=subscription.start_date)
    return subscription
