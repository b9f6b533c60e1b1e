"""How a customer comes to a subscription.

Source: https://docs.stigg.io/documentation/managing-customers-and-subscriptions/subscriptions/provisioning-subscriptions
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Plan, PricingType
from customers.models import Customer
from subscriptions.cancelling import cancel, end_at
from subscriptions.changing import apply
from subscriptions.models import (
    CancellationTime,
    CancelReason,
    PaymentCollection,
    Subscription,
    SubscriptionStatus,
    TrialEndBehavior,
)
from subscriptions.scheduling import (
    Strategy,
    in_place_of,
    lock_customer,
    moment_of,
    replace_others,
    schedule_successor,
)
from subscriptions.wanted import Content

NOTHING = Content()
_RUNNING = (SubscriptionStatus.ACTIVE, SubscriptionStatus.IN_TRIAL)


@dataclass(frozen=True)
class Trial:
    """For how long nothing is paid: until `ends`, or for a time from the start; and what comes then."""

    ends: datetime | None = None
    lasts: timedelta | None = None
    behavior: TrialEndBehavior = TrialEndBehavior.CONVERT_TO_PAID


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is ordered. `start` None: now, or when the trial ends that it takes the place of; the past is allowed."""

    customer: Customer
    plan: Plan
    ref_id: str
    content: Content = NOTHING
    start: datetime | None = None
    trial: Trial | None = None
    paying_customer: Customer | None = None
    resource_id: str = ""
    cancellation_date: datetime | None = None
    billing_id: str = ""
    payment_collection_method: str = ""
    awaits_payment: bool = False
    strategy: Strategy = Strategy.IMMEDIATE


@transaction.atomic
def provision(*, order: Order, now: datetime) -> Subscription:
    """Give the customer a subscription; return it.

    A customer has one running subscription per product, where the product is sold so per resource, and a trial beside
    it: a new one ends the old one as of its start. What starts later is NOT_STARTED until then, and the running one
    shows that its plan will change; another one that waits to start gives way.

    Raises:
        ValidationError: it cannot be sold so; the sentences say what to do instead. The code is
            "SubscriptionAlreadyExists" when the id is taken.
    """
    lock_customer(order.customer)
    order.customer.refresh_from_db()
    if Subscription.objects.filter(ref_id=order.ref_id).exists():
        raise ValidationError(f"There is a subscription {order.ref_id} already.", code="SubscriptionAlreadyExists")
    subscription = Subscription(
        ref_id=order.ref_id,
        customer=order.customer,
        paying_customer=order.paying_customer if order.paying_customer != order.customer else None,
        plan=order.plan,
        plan_version_number=order.plan.version_number,
        billing_period=_only_period(order),
        resource_id=order.resource_id,
        billing_id=order.billing_id,
        payment_collection_method=order.payment_collection_method,
    )
    running = list(in_place_of(subscription).filter(status__in=_RUNNING).order_by("pk"))
    subscription.start_date = order.start or _start(order, running, now)
    _begin(subscription, order, running, now)
    apply(subscription=subscription, content=order.content, at=subscription.start_date)
    _make_room(subscription, running, now)
    if order.cancellation_date is not None:
        cancel(subscription=subscription, time=CancellationTime.SPECIFIC_DATE, date=order.cancellation_date, now=now)
    return subscription


def _only_period(order: Order) -> str:
    """Return the billing period where the plan has only one, so that nobody needs to name it."""
    if order.plan.pricing_type != PricingType.PAID:
        return ""
    offered = order.plan.prices.filter(version_number=order.plan.version_number)
    periods = set(offered.values_list("billing_period", flat=True))
    return periods.pop() if len(periods) == 1 else ""


def _start(order: Order, running: list[Subscription], now: datetime) -> datetime:
    paid = [one for one in running if not one.is_trial]
    if order.strategy != Strategy.IMMEDIATE and paid:
        return moment_of(subscription=paid[0], strategy=order.strategy, now=now)
    trials = [one.trial_end_date for one in running if one.trial_end_date is not None and one.is_trial]
    if order.trial is None and order.plan.pricing_type == PricingType.PAID:
        return max([now, *trials])
    return now


def _begin(subscription: Subscription, order: Order, running: list[Subscription], now: datetime) -> None:
    """Set status and trial by what was ordered and by the clock."""
    is_later = subscription.start_date > now
    if order.trial is not None:
        _refuse_trial(subscription, running)
        ends = order.trial.ends or subscription.start_date + (order.trial.lasts or timedelta())
        if ends <= max(now, subscription.start_date):
            raise ValidationError(
                f"The trial would end at {ends:%Y-%m-%d %H:%M} UTC, before it begins: choose a later end."
            )
        subscription.trial_end_date, subscription.trial_end_behavior = ends, order.trial.behavior
        subscription.status = SubscriptionStatus.IN_TRIAL
    elif order.awaits_payment and order.plan.pricing_type == PricingType.PAID:
        subscription.status = SubscriptionStatus.PAYMENT_PENDING
        subscription.payment_collection = PaymentCollection.PROCESSING
        return
    else:
        subscription.status = SubscriptionStatus.ACTIVE
    if is_later:
        subscription.status = SubscriptionStatus.NOT_STARTED


def _refuse_trial(subscription: Subscription, running: list[Subscription]) -> None:
    if subscription.plan.pricing_type != PricingType.PAID:
        raise ValidationError(f"{subscription.plan} is {subscription.plan.pricing_type}: only a paid plan has a trial.")
    if trials := [one for one in running if one.is_trial]:
        raise ValidationError(
            f"{subscription.customer} is in trial of {subscription.plan.product} already, by {trials[0]}: cancel that "
            "trial first, or provision without one."
        )


def _make_room(subscription: Subscription, running: list[Subscription], now: datetime) -> None:
    """End what the new subscription takes the place of, now or when it will start."""
    if subscription.status == SubscriptionStatus.ACTIVE:
        replace_others(subscription=subscription, at=subscription.start_date, now=now)
    if subscription.status in {SubscriptionStatus.IN_TRIAL, SubscriptionStatus.PAYMENT_PENDING}:
        return
    waiting = in_place_of(subscription).filter(status=SubscriptionStatus.NOT_STARTED)
    for other in waiting.select_for_update(of=("self",)).order_by("pk"):
        end_at(subscription=other, moment=now, reason=CancelReason.UPGRADE_OR_DOWNGRADE, now=now)
    if subscription.status == SubscriptionStatus.NOT_STARTED:
        for other in running:
            schedule_successor(subscription=other, successor=subscription, now=now)
