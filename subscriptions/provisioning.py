"""How a customer comes to a subscription.

Source: https://docs.stigg.io/documentation/managing-customers-and-subscriptions/subscriptions/provisioning-subscriptions
"""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import BillingCadence, BillingModel, BillingPeriod, CancellationTime, Plan, PricingType
from customers.models import Customer
from subscriptions.cancelling import cancel, end_at
from subscriptions.changing import apply
from subscriptions.models import CancelReason, PaymentCollection, Subscription, SubscriptionStatus
from subscriptions.periods import current_period
from subscriptions.places import in_place_of, lock_customer
from subscriptions.scheduling import (
    Strategy,
    moment_of,
    replace_others,
    schedule_successor,
)
from subscriptions.trials import Trial, default_trial
from subscriptions.wanted import Content

NOTHING = Content()
_RUNNING = (SubscriptionStatus.ACTIVE, SubscriptionStatus.IN_TRIAL)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is ordered. `start` None: now, or when the trial ends that it takes the place of; the past is allowed.

    Without a `trial` it begins with the plan's default one where the customer may have it, unless `no_trial` says that
    nobody wants one. One that `is_backdated` was billed elsewhere so far: it is billed from its next billing period on.
    """

    customer: Customer
    plan: Plan
    ref_id: str
    content: Content = NOTHING
    start: datetime | None = None
    trial: Trial | None = None
    no_trial: bool = False
    paying_customer: Customer | None = None
    resource_id: str = ""
    cancellation_date: datetime | None = None
    billing_id: str = ""
    payment_collection_method: str = ""
    awaits_payment: bool = False
    is_backdated: bool = False
    strategy: Strategy = Strategy.IMMEDIATE


@transaction.atomic
def provision(*, order: Order, now: datetime) -> Subscription:
    """Give the customer a subscription; return it.

    A customer has one running subscription per product, where the product is sold so per resource, and a trial beside
    it: a new one ends the old one as of its start, and a new trial an old trial. What starts later is NOT_STARTED until
    then, and the running one shows that its plan will change; another one that waits to start gives way.

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
    _begin(subscription, order, now)
    if order.is_backdated:
        subscription.billed_from = _next_period(subscription, order, now)
    apply(subscription=subscription, content=order.content, at=subscription.start_date)
    if subscription.billed_from is not None:
        _refuse_what_is_not_by_period(subscription)
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


def _begin(subscription: Subscription, order: Order, now: datetime) -> None:
    """Set status and trial by what was ordered and by the clock."""
    trial = order.trial
    if trial is None and not (order.no_trial or order.is_backdated):
        trial = default_trial(subscription, now=now)
    if trial is not None:
        trial.begin(subscription, now=now)
        subscription.status = SubscriptionStatus.IN_TRIAL
    elif order.awaits_payment and order.plan.pricing_type == PricingType.PAID:
        subscription.status = SubscriptionStatus.PAYMENT_PENDING
        subscription.payment_collection = PaymentCollection.PROCESSING
        return
    else:
        subscription.status = SubscriptionStatus.ACTIVE
    if subscription.start_date > now:
        subscription.status = SubscriptionStatus.NOT_STARTED


def _next_period(subscription: Subscription, order: Order, now: datetime) -> datetime | None:
    """Return when the next billing period begins of one that has begun; none where nothing was billed yet."""
    billing_period = order.content.billing_period or subscription.billing_period
    if not billing_period or order.trial is not None or subscription.start_date >= now:
        return None
    period = current_period(start=subscription.start_date, billing_period=BillingPeriod(billing_period), now=now)
    return now if period.start == now else period.end


def _refuse_what_is_not_by_period(subscription: Subscription) -> None:
    for price in subscription.prices():
        if price.billing_model == BillingModel.USAGE_BASED or price.billing_cadence == BillingCadence.ONE_OFF:
            what = "is charged once" if price.billing_cadence == BillingCadence.ONE_OFF else "is charged by usage"
            raise ValidationError(
                f"Something of {price.package} {what}, so not all of what came before the next billing period can be "
                f"billed elsewhere: begin the subscription on {subscription.first_billed:%Y-%m-%d}, not backdated."
            )


def _make_room(subscription: Subscription, running: list[Subscription], now: datetime) -> None:
    """End what the new subscription takes the place of, now or when it will start."""
    if subscription.is_running:
        replace_others(subscription=subscription, at=subscription.start_date, now=now)
    if subscription.status in {SubscriptionStatus.IN_TRIAL, SubscriptionStatus.PAYMENT_PENDING}:
        return
    waiting = in_place_of(subscription).filter(status=SubscriptionStatus.NOT_STARTED)
    for other in waiting.select_for_update(of=("self",)).order_by("pk"):
        end_at(subscription=other, moment=now, reason=CancelReason.UPGRADE_OR_DOWNGRADE, now=now)
    if subscription.status == SubscriptionStatus.NOT_STARTED:
        for other in running:
            schedule_successor(subscription=other, successor=subscription, now=now)
