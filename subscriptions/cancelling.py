"""How a subscription ends."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from catalog.models import BillingPeriod, CancellationTime, PricingType
from subscriptions.falling_back import fall_back
from subscriptions.models import CancelReason, ScheduledChange, Subscription, SubscriptionStatus
from subscriptions.models.schedule import OPEN, ScheduleStatus
from subscriptions.periods import current_period
from subscriptions.places import lock


@transaction.atomic
def cancel(
    *,
    subscription: Subscription,
    time: CancellationTime | None = None,
    date: datetime | None = None,
    prorate: bool = True,
    now: datetime,
) -> None:
    """Cancel now, at the end of the current billing period, or at a date; a later cancellation replaces an earlier one.

    Without a time it is the product's: but now, where that waits for the end of a period and there is none. Without
    `prorate` the billing period in which it ends is billed whole.

    One that ends now is CANCELED at once; one that ends later keeps its status, and its `cancellation_date` says when.
    One that has not started ends at its start, not before. Raises ValidationError, with a sentence that says what to do
    instead, where Stigg does not allow it: a trial ends now or by itself, a custom-priced plan has no period to end.
    Source: https://docs.stigg.io, "Subscription cancellation".
    """
    lock(subscription)
    time = time or _usual_time(subscription)
    _refuse_the_impossible(subscription, time, date)
    if time == CancellationTime.IMMEDIATE:
        was_running = subscription.is_running
        until = None if prorate else _end_of_billed(subscription, now)
        end_at(subscription=subscription, moment=now, reason=CancelReason.IMMEDIATE, billed_until=until, now=now)
        if was_running:
            fall_back(subscription=subscription, at=now)
        return
    if time == CancellationTime.END_OF_BILLING_PERIOD:
        end = _end_of_period(subscription, now)
    else:
        end = _checked_date(subscription, date, now)
    subscription.cancellation_time = time
    subscription.cancellation_date = end
    subscription.billed_until = None if prorate else _end_of_billed(subscription, end)
    subscription.save(update_fields=["cancellation_time", "cancellation_date", "billed_until", "updated_at"])


@transaction.atomic
def keep(*, subscription: Subscription) -> None:
    """Take a cancellation back that has not come to pass; without one nothing happens."""
    subscription.refresh_from_db(from_queryset=Subscription.objects.select_for_update())
    if subscription.is_ended:
        raise ValidationError(f"{subscription} has ended already.")
    if subscription.cancellation_date is None and not subscription.cancellation_time:
        return
    subscription.cancellation_date, subscription.cancellation_time, subscription.billed_until = None, "", None
    subscription.save(update_fields=["cancellation_time", "cancellation_date", "billed_until", "updated_at"])


@transaction.atomic
def move_trial_end(*, subscription: Subscription, to: datetime, now: datetime) -> None:
    """Let the trial end at another moment.

    Raises:
        ValidationError: it is in no trial, or the moment has passed.
    """
    subscription.refresh_from_db(from_queryset=Subscription.objects.select_for_update())
    if not subscription.is_trial:
        raise ValidationError(f"{subscription} is in no trial that could end at another time.")
    if to <= max(now, subscription.start_date):
        raise ValidationError(f"{to:%Y-%m-%d %H:%M} UTC has passed: give a later end of the trial.")
    subscription.trial_end_date = to
    subscription.save(update_fields=["trial_end_date", "updated_at"])


@transaction.atomic
def end_at(
    *,
    subscription: Subscription,
    moment: datetime,
    reason: CancelReason,
    billed_until: datetime | None = None,
    now: datetime,
) -> None:
    """End the subscription, which the caller has locked, as of a moment, and not before it began.

    What was to change in it will not; whose plan it was to replace keeps its own.
    """
    end = max(moment, subscription.start_date)
    if subscription.cancellation_date is None or end < subscription.cancellation_date:
        subscription.cancellation_date = end
        subscription.cancellation_time = CancellationTime.IMMEDIATE
        subscription.billed_until = billed_until
    subscription.status = SubscriptionStatus.CANCELED
    subscription.effective_end_date = end
    subscription.cancel_reason = reason
    subscription.save(
        update_fields=[
            "status",
            "cancellation_time",
            "cancellation_date",
            "billed_until",
            "effective_end_date",
            "cancel_reason",
            "updated_at",
        ]
    )
    pending = ScheduledChange.objects.filter(Q(subscription=subscription) | Q(successor=subscription), status__in=OPEN)
    pending.update(status=ScheduleStatus.CANCELED, settled_at=now)


def _refuse_the_impossible(subscription: Subscription, time: CancellationTime, date: datetime | None) -> None:
    if subscription.is_ended:
        raise ValidationError(f"{subscription} has ended already.", code="SubscriptionAlreadyCanceledOrExpired")
    if subscription.is_trial and time != CancellationTime.IMMEDIATE:
        raise ValidationError(
            f"{subscription} is in trial: cancel it now, or let the trial end.", code="TrialMustBeCancelledImmediately"
        )
    if date is not None and time != CancellationTime.SPECIFIC_DATE:
        raise ValidationError("A date goes only with a cancellation at a specific date: leave it out.")


def _usual_time(subscription: Subscription) -> CancellationTime:
    usual = CancellationTime(subscription.plan.product.cancellation_time)
    waits = usual == CancellationTime.END_OF_BILLING_PERIOD
    return CancellationTime.IMMEDIATE if waits and (subscription.is_trial or not _has_periods(subscription)) else usual


def _has_periods(subscription: Subscription) -> bool:
    return subscription.plan.pricing_type != PricingType.CUSTOM and bool(subscription.billing_period)


def _end_of_period(subscription: Subscription, now: datetime) -> datetime:
    if not _has_periods(subscription):
        raise ValidationError(f"{subscription} has no billing period that could end: cancel it now, or at a date.")
    period = current_period(
        start=subscription.billing_anchor, billing_period=BillingPeriod(subscription.billing_period), now=now
    )
    return period.end


def _end_of_billed(subscription: Subscription, moment: datetime) -> datetime | None:
    """Return the end of the billing period that is broken off at a moment; none where none is billed then."""
    is_billed = subscription.status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.NOT_STARTED}
    if not (is_billed and subscription.billing_period) or moment <= subscription.first_billed:
        return None
    period = current_period(
        start=subscription.billing_anchor, billing_period=BillingPeriod(subscription.billing_period), now=moment
    )
    return None if period.start == moment else period.end


def _checked_date(subscription: Subscription, date: datetime | None, now: datetime) -> datetime:
    if date is None:
        raise ValidationError("Cancelling at a specific date needs the date: give it.", code="InvalidCancellationDate")
    if date < now:
        raise ValidationError(f"{date:%Y-%m-%d %H:%M} UTC has passed: give a later date, or cancel {subscription} now.")
    if date < subscription.start_date:
        raise ValidationError(f"{subscription} starts on {subscription.start_date:%Y-%m-%d}: give a later date.")
    return date
