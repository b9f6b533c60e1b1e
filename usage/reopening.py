"""Which hours have to be counted again because a subscription has another beginning or end, or other terms."""

from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from subscriptions.models import PastTerms, Subscription, SubscriptionStatus
from subscriptions.tenure import stretches
from usage.models import DirtyHour, Slice, UnattributedUsage
from usage.windows import HOUR

#: An end that is set in hindsight is noticed for so long.
_HINDSIGHT = timedelta(days=40)


def reopen(*, now: datetime, subscription: Subscription | None) -> None:
    """Have hours counted again that another beginning or end of a subscription has made another's, or nobody's."""
    beyond = (
        Slice.objects.annotate(end=Coalesce("subscription__cancellation_date", "subscription__effective_end_date"))
        .filter(_ended("subscription__"), end__gt=now - _HINDSIGHT, end__lt=now)
        .filter(starts_at__gt=F("end") - HOUR, ends_at__gt=F("end"))
        .exclude(change=0)
    )
    reached = UnattributedUsage.objects.filter(Exists(_reaching()))
    # A change that was noticed when its hour had been counted: what was before it and after it are counted apart.
    cut = PastTerms.objects.filter(ends_at__gt=now - _HINDSIGHT, ends_at__lt=now).filter(
        subscription__slices__starts_at__gt=F("ends_at") - HOUR,
        subscription__slices__starts_at__lt=F("ends_at"),
        subscription__slices__ends_at__gt=F("ends_at"),
    )
    if subscription is not None:
        beyond, cut = beyond.filter(subscription=subscription), cut.filter(subscription=subscription)
        reached = reached.filter(had(subscription))
    feature, start = "price__feature_id", "starts_at"
    hours: set[tuple[int, str, int, datetime]] = set(reached.values_list(*_whose(""), "feature_id", start))
    hours |= set(beyond.order_by().values_list(*_whose("subscription__"), feature, start))
    for prefix in ("", "subscription__"):
        slices = "subscription__slices__"
        hours |= set(cut.order_by().values_list(*_whose(prefix), slices + feature, slices + start))
    DirtyHour.objects.bulk_create(
        [
            DirtyHour(
                customer_id=customer,
                feature_id=feature_id,
                resource_id=resource,
                hour=begin.replace(minute=0, second=0, microsecond=0),
                since=now,
            )
            for customer, resource, feature_id, begin in sorted(hours)
        ],
        ignore_conflicts=True,
    )


def had(subscription: Subscription) -> Q:
    """Whoever has or had the subscription, for whichever resource."""
    mine = Q()
    for one in stretches(subscription):
        mine |= Q(customer_id=one.terms.customer_id, resource_id=one.terms.resource_id)
    return mine


def _ended(prefix: str = "") -> Q:
    """Whether an end is known, as `windows.ends_at` tells it."""
    over = [SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]
    return Q(**{f"{prefix}cancellation_date__isnull": False}) | Q(
        **{f"{prefix}status__in": over, f"{prefix}effective_end_date__isnull": False}
    )


def _reaching() -> QuerySet[Subscription]:
    """The subscriptions that reach into a row of UnattributedUsage."""
    rows = Subscription.objects.annotate(end=Coalesce("cancellation_date", "effective_end_date")).filter(
        customer_id=OuterRef("customer_id"), resource_id=OuterRef("resource_id"), start_date__lt=OuterRef("ends_at")
    )
    return rows.filter(~_ended() | Q(end__gt=OuterRef("starts_at")))


def _whose(prefix: str) -> tuple[str, str]:
    return f"{prefix}customer_id", f"{prefix}resource_id"
