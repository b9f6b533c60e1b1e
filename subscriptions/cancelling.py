"""How a subscription ends."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import BillingPeriod, PricingType
from subscriptions.models import CancellationTime, Subscription, SubscriptionStatus
from subscriptions.periods import current_period


@transaction.atomic
def cancel(*, subscription: Subscription, time: CancellationTime, date: datetime | None = None, now: datetime) -> None:
    """Cancel now, at the end of the current billing period, or at a date; a later cancellation replaces an earlier one.

    One that ends now is CANCELED at once; one that ends later keeps its status, and its `cancellation_date` says when.
    One that has not started ends at its start, not before. Raises ValidationError, with a sentence that says what to do
    instead, where Stigg does not allow it: a trial ends now or by itself, a custom-priced plan has no period to end.
    Source: https://docs.stigg.io, "Subscription cancellation".
    """
    subscription.refresh_from_db(from_queryset=Subscription.objects.select_for_update())
    _refuse_the_impossible(subscription, time, date)
    if time == CancellationTime.IMMEDIATE:
        end = max(now, subscription.start_date)
        subscription.status = SubscriptionStatus.CANCELED
        subscription.effective_end_date = end
    elif time == CancellationTime.END_OF_BILLING_PERIOD:
        end = _end_of_period(subscription, now)
    else:
        end = _checked_date(subscription, date, now)
    subscription.cancellation_time = time
    subscription.cancellation_date = end
    subscription.save(
        update_fields=["status", "cancellation_time", "cancellation_date", "effective_end_date", "updated_at"]
    )


def _refuse_the_impossible(subscription: Subscription, time: CancellationTime, date: datetime | None) -> None:
    if subscription.is_ended:
        raise ValidationError(f"{subscription} has ended already.")
    if subscription.is_trial and time != CancellationTime.IMMEDIATE:
        raise ValidationError(f"{subscription} is in trial: cancel it now, or let the trial end.")
    if date is not None and time != CancellationTime.SPECIFIC_DATE:
        raise ValidationError("A date goes only with a cancellation at a specific date: leave it out.")


def _end_of_period(subscription: Subscription, now: datetime) -> datetime:
    if subscription.plan.pricing_type == PricingType.CUSTOM or not subscription.billing_period:
        raise ValidationError(f"{subscription} has no billing period that could end: cancel it now, or at a date.")
    period = current_period(
        start=subscription.billing_anchor, billing_period=BillingPeriod(subscription.billing_period), now=now
    )
    return period.end


def _checked_date(subscription: Subscription, date: datetime | None, now: datetime) -> datetime:
    if date is None:
        raise ValidationError("Cancelling at a specific date needs the date: give it.")
    if date < now:
        raise ValidationError(f"{date:%Y-%m-%d %H:%M} UTC has passed: give a later date, or cancel {subscription} now.")
    if date < subscription.start_date:
        raise ValidationError(f"{subscription} starts on {subscription.start_date:%Y-%m-%d}: give a later date.")
    return date
