"""For how long nothing is paid, and who may have that.

Source: https://docs.stigg.io/documentation/managing-customers-and-subscriptions/subscriptions/provisioning-subscriptions
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db.models import Q

from catalog.models import Plan, PricingType, TrialEndBehavior, TrialUnits
from subscriptions.models import Subscription
from subscriptions.periods import add_months


@dataclass(frozen=True)
class Trial:
    """Until `ends`, or for a time from the start, or as long as the plan's default trial; and what comes then."""

    ends: datetime | None = None
    lasts: timedelta | None = None
    behavior: TrialEndBehavior | None = None

    def end(self, *, plan: Plan, start: datetime) -> datetime:
        """Return when a trial that begins at `start` ends.

        Raises:
            ValidationError: nobody said when, or no calendar goes as far.
        """
        try:
            if self.ends is not None:
                return self.ends
            if self.lasts is not None:
                return start + self.lasts
            if plan.trial_duration is None:
                raise ValidationError(f"{plan} has no default trial: say when this one ends.")
            if plan.trial_units == TrialUnits.MONTH:
                return add_months(start, plan.trial_duration)
            return start + timedelta(days=plan.trial_duration)
        except (OverflowError, ValueError) as error:  # beyond the year 9999
            raise ValidationError(f"A trial that starts at {start:%Y-%m-%d} ends beyond any calendar.") from error

    def begin(self, subscription: Subscription, *, now: datetime) -> None:
        """Note in a subscription that has its plan and its start, and is not saved yet, that it is tried out first.

        Raises:
            ValidationError: its plan costs nothing, or the trial would be over before it begins.
        """
        plan, start = subscription.plan, subscription.start_date
        if plan.is_free:
            raise ValidationError(f"{plan} is free: only what is paid has a trial.")
        ends = self.end(plan=plan, start=start)
        if ends <= max(now, start):
            raise ValidationError(
                f"The trial would end at {ends:%Y-%m-%d %H:%M} UTC, before it begins: choose a later end."
            )
        subscription.trial_end_date = ends
        subscription.trial_end_behavior = self.behavior or plan.trial_end_behavior


def default_trial(subscription: Subscription, *, now: datetime) -> Trial | None:
    """Return the trial that a subscription not saved yet begins with although nobody ordered one; None: without.

    A customer has one per product, and none after having bought a plan of it. What the billing system has already is
    no trial, and one that was over before now has passed by.
    """
    plan = subscription.plan
    if plan.trial_duration is None or subscription.billing_id:
        return None
    own = Subscription.objects.filter(customer=subscription.customer, plan__product=plan.product_id)
    if own.filter(Q(trial_end_date__isnull=False) | ~Q(plan__pricing_type=PricingType.FREE)).exists():
        return None
    trial = Trial()
    return trial if trial.end(plan=plan, start=subscription.start_date) > now else None
