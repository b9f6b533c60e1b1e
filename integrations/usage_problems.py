"""What of usage needs a person: records that Zuora refused, and what was billed too much and stays so."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum

from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from subscriptions.models import SubscriptionStatus
from usage.adding import Total

ZERO = Decimal(0)


def failed_records(connection: Connection) -> QuerySet[UsageRecord]:
    """Return the usage records that only a person can help."""
    return UsageRecord.objects.filter(connection=connection, state=UsageState.FAILED)


def charges_to_credit(connection: Connection, *, now: datetime) -> QuerySet[UsageCharge]:
    """Return the charges that were billed too much and have no later usage to take it from.

    While it runs the next usage makes up for it: nobody has to do anything. A charge that was taken away and sold again
    has another number, and usage under that, at its own price, makes up for nothing of the time before.
    """
    over = Q(subscription__status__in=[SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]) | Q(
        subscription__cancellation_date__lte=now
    )
    before = UsageRecord.objects.filter(charge=OuterRef("pk"), is_billed=True).exclude(charge_number=OuterRef("number"))
    of_before = before.order_by().values("charge").annotate(sum=Sum("owed")).values("sum")
    charges = UsageCharge.objects.filter(connection=connection, unabsorbed__gt=0).alias(before=Subquery(of_before))
    return charges.filter(over | Q(ends_on__lte=now.date()) | Q(before__lt=0))


def to_credit(charge: UsageCharge, *, now: datetime) -> Iterator[tuple[str, Decimal]]:
    """Yield by number what was billed too much of such a charge, and no usage will make up for."""
    runs = not charge.subscription.is_ended and (charge.ends_on is None or charge.ends_on > now.date())
    cancelled = charge.subscription.cancellation_date
    for number in charge.numbers:
        if number == charge.number and runs and (cancelled is None or cancelled > now):
            continue
        records = charge.records_under(number)
        owed = records.filter(is_billed=True).aggregate(sum=Total("owed"))["sum"] or ZERO
        taken = records.filter(is_billed=False).aggregate(sum=Total("taken"))["sum"] or ZERO
        if -owed > taken:
            yield number, -owed - taken
