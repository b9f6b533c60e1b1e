"""What of usage needs a person: records that Zuora refused, and what was billed too much and stays so."""

from datetime import datetime

from django.db.models import Q, QuerySet

from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from subscriptions.models import SubscriptionStatus


def failed_records(connection: Connection) -> QuerySet[UsageRecord]:
    """Return the usage records that only a person can help."""
    return UsageRecord.objects.filter(connection=connection, state=UsageState.FAILED)


def charges_to_credit(connection: Connection, *, now: datetime) -> QuerySet[UsageCharge]:
    """Return the charges that were billed too much and have no later usage to take it from.

    While its subscription runs the next usage makes up for it: nobody has to do anything.
    """
    over = Q(subscription__status__in=[SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]) | Q(
        subscription__cancellation_date__lte=now
    )
    return UsageCharge.objects.filter(over, connection=connection, unabsorbed__gt=0)
