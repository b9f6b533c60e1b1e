"""What happens by the clock: starts, ends of trials, scheduled changes, cancellations that have come to pass.

Everything takes effect as of its own moment, however late somebody looks, in the order of the moments, and once: each
subscription is locked, and what was done is no longer due.
"""

from collections.abc import Iterator
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from catalog.models import TrialEndBehavior
from subscriptions.cancelling import end_at
from subscriptions.falling_back import fall_back
from subscriptions.models import CancelReason, ScheduledChange, ScheduleStatus, Subscription, SubscriptionStatus
from subscriptions.places import lock
from subscriptions.scheduling import carry_out, replace_others

log = structlog.get_logger(__name__)
_OVER = [SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]


def take_effect(*, now: datetime) -> int:
    """Let happen whatever is due by `now`; return how many things that were.

    One subscription that fails unforeseen is logged, stays due, and keeps no other from its turn.
    """
    done = 0
    while passed := _pass(now):  # what has started may have an end that is due, too
        done += passed
    return done


def _pass(now: datetime) -> int:
    done = 0
    for moment, subscription_id in sorted(set(_due(now))):
        try:
            done += _advance(subscription_id, until=moment, now=now)
        except Exception:  # the others must not wait for it
            log.exception("subscription not advanced", subscription=subscription_id)
    return done


def _due(now: datetime) -> Iterator[tuple[datetime, int]]:
    """Yield moment and subscription of what is due; of a change of plan, that of its successor."""
    rows = Subscription.objects.order_by()
    due = {
        "start_date": rows.filter(status=SubscriptionStatus.NOT_STARTED, start_date__lte=now),
        "trial_end_date": rows.filter(status=SubscriptionStatus.IN_TRIAL, trial_end_date__lte=now),
        "cancellation_date": rows.filter(cancellation_date__lte=now).exclude(status__in=_OVER),
    }
    for name, found in due.items():
        yield from found.values_list(name, "pk")
    yield from _changes(now).order_by().values_list("effective_at", "subscription_id")


def _changes(now: datetime) -> QuerySet[ScheduledChange]:
    due = Q(status=ScheduleStatus.SCHEDULED, effective_at__lte=now, successor=None)
    return ScheduledChange.objects.filter(due)


@transaction.atomic
def _advance(subscription_id: int, *, until: datetime, now: datetime) -> int:
    """Let happen what is due for one subscription up to a moment: what others do later may end it."""
    subscription = Subscription.objects.select_related("customer", "plan__product").get(pk=subscription_id)
    lock(subscription)
    done = 0
    while _step(subscription, until=until, now=now):
        done += 1
    return done


def _step(subscription: Subscription, *, until: datetime, now: datetime) -> bool:
    if subscription.is_ended:
        return False
    changes = list(_changes(until).filter(subscription=subscription))
    moments = {
        _start: subscription.start_date if subscription.status == SubscriptionStatus.NOT_STARTED else None,
        _end_trial: subscription.trial_end_date if subscription.is_trial else None,
        _end: subscription.cancellation_date,
        _change: changes[0].effective_at if changes else None,
    }
    due = [(moment, act) for act, moment in moments.items() if moment is not None and moment <= until]
    if not due:
        return False
    moment, act = min(due, key=lambda one: one[0])
    act(subscription, moment, now)
    return True


def _start(subscription: Subscription, moment: datetime, now: datetime) -> None:
    is_trial = subscription.trial_end_date is not None and subscription.trial_end_date > moment
    subscription.status = SubscriptionStatus.IN_TRIAL if is_trial else SubscriptionStatus.ACTIVE
    subscription.save(update_fields=["status", "updated_at"])
    replace_others(subscription=subscription, at=moment, now=now)


def _end_trial(subscription: Subscription, moment: datetime, now: datetime) -> None:
    bought = subscription.scheduled_changes.filter(
        status=ScheduleStatus.SCHEDULED, effective_at__lte=moment, successor__status=SubscriptionStatus.NOT_STARTED
    )
    if bought.exists():  # it was never paid for itself
        end_at(subscription=subscription, moment=moment, reason=CancelReason.TRIAL_CONVERTED, now=now)
    elif subscription.trial_end_behavior == TrialEndBehavior.CONVERT_TO_PAID:
        subscription.status = SubscriptionStatus.ACTIVE
        subscription.save(update_fields=["status", "updated_at"])
        replace_others(subscription=subscription, at=moment, now=now)
    else:
        end_at(subscription=subscription, moment=moment, reason=CancelReason.TRIAL_ENDED, now=now)
        subscription.status = SubscriptionStatus.EXPIRED
        subscription.save(update_fields=["status"])
        fall_back(subscription=subscription, at=moment)


def _end(subscription: Subscription, moment: datetime, now: datetime) -> None:
    was_running = subscription.is_running
    end_at(subscription=subscription, moment=moment, reason=CancelReason.SCHEDULED, now=now)
    if was_running:
        fall_back(subscription=subscription, at=moment)


def _change(subscription: Subscription, moment: datetime, now: datetime) -> None:
    rows = _changes(moment).filter(subscription=subscription, effective_at=moment)
    carry_out(subscription, rows, at=moment, now=now)
