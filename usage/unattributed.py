"""Usage that nobody is charged for: its customer had no subscription at that time, or one that does not sell it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import Exists, Max, Min, OuterRef, QuerySet, Sum
from django.db.models.functions import TruncMonth

from customers.models import Customer
from subscriptions.models import Subscription
from usage.adding import Total
from usage.models import Aggregation, UnattributedUsage
from usage.reopening import had


@dataclass(frozen=True, slots=True)
class Unattributed:
    """What a customer used of a feature in a calendar month of UTC at times at which nobody could be charged for it.

    `quantity` is negative where more was taken back than added. What does not add up hour by hour, as unique users do
    not, has the most of an hour as its quantity. `first` and `last` are the beginnings of its first and last hours.
    `unsold_by` is the subscription that did not sell it, or empty: there was none.
    """

    customer: str
    feature: str
    resource: str
    unit: str
    month: date
    quantity: Decimal
    adds_up: bool
    events: int
    first: datetime
    last: datetime
    unsold_by: str = ""


def to_tell() -> QuerySet[UnattributedUsage]:
    """Return the rows that come to something: events of zero are no usage that somebody could be charged for."""
    return UnattributedUsage.objects.exclude(change=0)


def customers_told() -> QuerySet[Customer]:
    """Return the customers with such rows."""
    return Customer.objects.filter(Exists(to_tell().filter(customer=OuterRef("pk"))))


def by_month(rows: QuerySet[UnattributedUsage]) -> Iterator[Unattributed]:
    """Yield what these rows come to by customer, feature, resource, month and why; one statement."""
    grouped = (
        rows.annotate(month=TruncMonth("starts_at", tzinfo=UTC))
        .order_by("customer__ref_id", "feature__ref_id", "resource_id", "month", "unsold_by__ref_id")
        .values_list(
            "customer__ref_id",
            "feature__ref_id",
            "resource_id",
            "feature__units_plural",
            "feature__meter__aggregation",
            "month",
            "unsold_by__ref_id",
        )
        .annotate(
            total=Total("change"),
            most=Max("change"),
            events=Sum("event_count"),
            first=Min("starts_at"),
            last=Max("starts_at"),
        )
    )
    for customer, feature, resource, unit, aggregation, month, unsold_by, *found in grouped.iterator():
        total, most, events, first, last = found
        adds_up = aggregation is None or Aggregation(aggregation).adds_up
        quantity = total if adds_up else most
        hours = _hour(first), _hour(last)
        yield Unattributed(
            customer, feature, resource, unit, month.date(), quantity, adds_up, events, *hours, unsold_by or ""
        )


def billed_to_nobody(
    *, upto: datetime, subscription: Subscription | None = None, day: date | None = None, whole: bool = False
) -> Iterator[Unattributed]:
    """Yield what was used up to a moment: of this month and the last one, of the month of a day, or of all of them.

    Given a subscription: of those who had it, for the resources that they had it for.
    """
    rows = to_tell().filter(starts_at__lt=upto)
    if subscription is not None:
        rows = rows.filter(had(subscription))
    if day is not None:
        first = _first(datetime(day.year, day.month, day.day, tzinfo=UTC))
        rows = rows.filter(starts_at__gte=first, starts_at__lt=_first(first + timedelta(days=31)))
    elif not whole:
        this = _first(upto - timedelta(microseconds=1))
        rows = rows.filter(starts_at__gte=_first(this - timedelta(days=1)))
    return by_month(rows)


def _first(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
