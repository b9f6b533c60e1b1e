"""Changes that wait for their moment: the end of a billing period, or of a month, or a payment."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models, transaction

from catalog.models import BillingPeriod, PricingType
from subscriptions.cancelling import end_at
from subscriptions.changing import apply
from subscriptions.models import (
    OPEN,
    CancelReason,
    ChangeType,
    ScheduledChange,
    ScheduleStatus,
    Subscription,
    SubscriptionStatus,
)
from subscriptions.periods import current_period
from subscriptions.places import in_place_of, lock
from subscriptions.wanted import Content


class Strategy(models.TextChoices):
    """When a change takes effect."""

    IMMEDIATE = "IMMEDIATE"
    END_OF_BILLING_PERIOD = "END_OF_BILLING_PERIOD"
    END_OF_BILLING_MONTH = "END_OF_BILLING_MONTH"


def moment_of(*, subscription: Subscription, strategy: Strategy, now: datetime) -> datetime:
    """Return when a change by this strategy takes effect.

    Raises:
        ValidationError: the subscription has no billing period that could end.
    """
    if strategy == Strategy.IMMEDIATE:
        return now
    if subscription.plan.pricing_type == PricingType.CUSTOM or not subscription.billing_period:
        raise ValidationError(f"{subscription} has no billing period that could end: change it now.")
    is_monthly = strategy == Strategy.END_OF_BILLING_MONTH
    period = BillingPeriod.MONTHLY if is_monthly else BillingPeriod(subscription.billing_period)
    return current_period(start=subscription.billing_anchor, billing_period=period, now=now).end


@transaction.atomic
def update(
    *,
    subscription: Subscription,
    content: Content,
    strategy: Strategy = Strategy.IMMEDIATE,
    awaits_payment: bool = False,
    now: datetime,
) -> None:
    """Change the subscription now, or note the change for its moment; a pending one of the same type is replaced.

    A change that awaits its payment is made when the invoice is paid. What could not be made now is refused now, and
    nothing is noted.

    Raises:
        ValidationError: it has ended, or it cannot hold that.
    """
    lock(subscription)
    if subscription.is_ended:
        raise ValidationError(
            f"{subscription} has ended: provision a new subscription.", code="SubscriptionAlreadyCanceledOrExpired"
        )
    _call_off(_open(subscription).filter(change_type__in=[kind for kind, _ in content.by_type()]), now=now)
    moment = moment_of(subscription=subscription, strategy=strategy, now=now)
    if moment <= now and not awaits_payment:
        apply(subscription=subscription, content=content, at=max(now, subscription.start_date))
        return
    _rehearse(subscription, content, at=moment)
    for change_type, part in content.by_type():
        ScheduledChange.objects.create(
            subscription=subscription,
            change_type=change_type,
            content=part,
            effective_at=moment,
            status=ScheduleStatus.PENDING_PAYMENT if awaits_payment else ScheduleStatus.SCHEDULED,
        )
    subscription.save(update_fields=["updated_at"])


@transaction.atomic
def call_off(*, subscription: Subscription, statuses: Collection[ScheduleStatus], now: datetime) -> int:
    """Cancel what is scheduled, a change of plan with its successor; return how many changes that were."""
    lock(subscription)
    found = _open(subscription).filter(status__in=statuses)
    return _call_off(found, now=now)


@transaction.atomic
def mark_paid(*, subscription: Subscription, now: datetime) -> None:
    """Take note that the invoice is paid: what waited for that begins, or changes, now.

    Raises:
        ValidationError: nothing waits for a payment.
    """
    lock(subscription)
    waiting = list(_open(subscription).filter(status=ScheduleStatus.PENDING_PAYMENT))
    is_new = subscription.status == SubscriptionStatus.PAYMENT_PENDING
    if not (waiting or is_new):
        raise ValidationError(f"{subscription} has no invoice that waits to be paid.")
    if is_new:
        is_early = subscription.start_date > now
        subscription.status = SubscriptionStatus.NOT_STARTED if is_early else SubscriptionStatus.ACTIVE
        subscription.payment_collection = "NOT_REQUIRED"
        subscription.save(update_fields=["status", "payment_collection", "updated_at"])
        if not is_early:
            replace_others(subscription=subscription, at=subscription.start_date, now=now)
    if waiting:
        carry_out(subscription, waiting, at=now, now=now)


def carry_out(subscription: Subscription, changes: Iterable[ScheduledChange], *, at: datetime, now: datetime) -> None:
    """Make scheduled changes of one moment together, as of that moment; what fails is kept with its reason."""
    rows = list(changes)
    try:
        apply(subscription=subscription, content=Content.of(row.content for row in rows), at=at)
    except ValidationError as refusal:
        subscription.refresh_from_db()
        outcome, problem = ScheduleStatus.FAILED, " ".join(refusal.messages)
    else:
        outcome, problem = ScheduleStatus.DONE, ""
    for row in rows:
        row.status, row.problem, row.settled_at = outcome, problem, now
        row.save(update_fields=["status", "problem", "settled_at"])


def schedule_successor(*, subscription: Subscription, successor: Subscription, now: datetime) -> None:
    """Note at a running subscription that another plan will replace it when its successor starts."""
    _call_off(_open(subscription).filter(change_type__in=[ChangeType.PLAN, ChangeType.DOWNGRADE]), now=now)
    is_down = successor.plan.pricing_type == PricingType.FREE and subscription.plan.pricing_type != PricingType.FREE
    ScheduledChange.objects.create(
        subscription=subscription,
        change_type=ChangeType.DOWNGRADE if is_down else ChangeType.PLAN,
        effective_at=successor.start_date,
        successor=successor,
    )


def replace_others(*, subscription: Subscription, at: datetime, now: datetime) -> None:
    """End, as of `at`, those whose place the subscription takes by starting; its customer's row is locked.

    A trial takes the place of a trial only, and is tried out beside what is paid.
    """
    running = [SubscriptionStatus.IN_TRIAL]
    if not subscription.is_trial:
        running.append(SubscriptionStatus.ACTIVE)
    for other in in_place_of(subscription).filter(status__in=running).select_for_update(of=("self",)).order_by("pk"):
        is_bought = other.is_trial and not subscription.is_trial
        reason = CancelReason.TRIAL_CONVERTED if is_bought else CancelReason.UPGRADE_OR_DOWNGRADE
        ScheduledChange.objects.filter(subscription=other, successor=subscription, status__in=OPEN).update(
            status=ScheduleStatus.DONE, settled_at=now
        )
        end_at(subscription=other, moment=at, reason=reason, now=now)


def _open(subscription: Subscription) -> models.QuerySet[ScheduledChange]:
    return subscription.scheduled_changes.filter(status__in=OPEN)


def _call_off(found: models.QuerySet[ScheduledChange], *, now: datetime) -> int:
    successors = [row.successor for row in found.select_related("successor") if row.successor is not None]
    count = found.update(status=ScheduleStatus.CANCELED, settled_at=now)
    for successor in successors:
        if successor.status == SubscriptionStatus.NOT_STARTED:
            end_at(subscription=successor, moment=now, reason=CancelReason.SCHEDULED, now=now)
    return count


class _Rehearsed(Exception):  # noqa: N818 - it went well
    """Everything that was tried is to be undone."""


def _rehearse(subscription: Subscription, content: Content, *, at: datetime) -> None:
    try:
        with transaction.atomic():
            apply(subscription=subscription, content=content, at=at)
            raise _Rehearsed  # noqa: TRY301 - the block ends by it
    except _Rehearsed:
        pass
    subscription.refresh_from_db()
