"""What a customer is left with when a subscription is over: a free plan, where the product has one for that."""

from datetime import datetime

from catalog.models import PackageStatus
from subscriptions.changing import apply
from subscriptions.models import Subscription, SubscriptionStatus
from subscriptions.places import in_place_of
from subscriptions.wanted import Content

_OVER = (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)


def fall_back(*, subscription: Subscription, at: datetime) -> None:
    """Give the customer of one that is over the product's free plan, from `at` on.

    Nothing happens where the product has none on sale, where something else of it runs or will begin, or where what
    is over was free itself: somebody who leaves a free plan wants to leave. Its id is that of the old one with `-free`
    behind it, so that it is found.
    """
    plan = subscription.plan.product.downgrade_plan
    if plan is None or plan.status != PackageStatus.PUBLISHED or subscription.plan.is_free:
        return
    if in_place_of(subscription).exclude(status__in=_OVER).exists():
        return
    after = Subscription(
        ref_id=_free_id(subscription),
        customer=subscription.customer,
        plan=plan,
        resource_id=subscription.resource_id,
        start_date=at,
        status=SubscriptionStatus.ACTIVE,
    )
    apply(subscription=after, content=Content(), at=at)


def _free_id(subscription: Subscription) -> str:
    wanted = f"{subscription.ref_id[:240]}-free"
    taken = Subscription.objects.filter(ref_id=wanted).exists()
    return f"{wanted}-{subscription.pk}" if taken else wanted
