"""Brings what is scheduled for a subscription to what Stigg has scheduled.

Stigg's API tells that something will change, and when, but as a rule not to what. What follows from it all the same is
scheduled here; the rest is named for a person, and never guessed. A plan that comes is a subscription of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.models import BillingPeriod
from integrations.stigg.reading_subscriptions import Coming
from integrations.stigg.saving import Saver
from subscriptions.models import OPEN, ChangeType, ScheduledChange, ScheduleStatus, Subscription, SubscriptionStatus
from subscriptions.places import in_place_of, lock_customer
from subscriptions.scheduling import schedule_successor

PLANS = frozenset({ChangeType.PLAN, ChangeType.DOWNGRADE})
_OTHER = {BillingPeriod.MONTHLY: BillingPeriod.ANNUALLY, BillingPeriod.ANNUALLY: BillingPeriod.MONTHLY}


@dataclass(frozen=True)
class Schedule:
    """What is scheduled for a subscription, whose own row is told to the saver already; one that `is_new` has nothing.

    `plans` are those that wait here to take its place.
    """

    subscription: Subscription
    saver: Saver
    is_new: bool
    plans: frozenset[str]

    def bring(self, coming: tuple[Coming, ...] | None, *, now: datetime) -> tuple[bool, tuple[str, ...]]:
        """Schedule what Stigg has, and call off what it has not; return whether that differs, and what is to check."""
        if coming is None:
            return False, ()
        open_ = () if self.is_new else self.subscription.scheduled_changes.all()
        stored = {one.change_type: one for one in open_ if one.change_type not in PLANS}
        differs, to_check = False, []
        for one in coming:
            if one.change_type in PLANS:
                if one.content is None and one.target not in self.plans:
                    to_check.append(_question(one))
                continue
            before = stored.pop(one.change_type, None)
            content = one.content if one.content is not None else self._content(one, coming)
            if content is not None:
                differs |= self._put(before, one, content)
            elif before is None:
                to_check.append(_question(one))
        for gone in stored.values():
            gone.status, gone.settled_at = ScheduleStatus.CANCELED, now
            self.saver.save(gone, ["status", "settled_at"])
        return differs or bool(stored), tuple(to_check)

    def _content(self, one: Coming, coming: tuple[Coming, ...]) -> Mapping[str, Any] | None:
        """Return what a change must be about, where there is only one answer."""
        if one.change_type == ChangeType.MIGRATE_TO_LATEST:
            return {"latest": True}
        has_period = self.subscription.billing_period in BillingPeriod.values
        if one.change_type == ChangeType.BILLING_PERIOD and has_period and len(coming) == 1:
            return {"billing_period": _OTHER[BillingPeriod(self.subscription.billing_period)].value}
        return None

    def _put(self, before: ScheduledChange | None, one: Coming, content: Mapping[str, Any]) -> bool:
        fields = {"status": one.status, "effective_at": one.at, "content": dict(content)}
        row = before or ScheduledChange(subscription=self.subscription, change_type=one.change_type)
        changed = [name for name, value in fields.items() if before is None or getattr(row, name) != value]
        for name in changed:
            setattr(row, name, fields[name])
        if changed:
            self.saver.save(row, changed)
        return bool(changed)


def _question(one: Coming) -> str:
    when = f"{one.at:%Y-%m-%d %H:%M} UTC"
    if one.change_type in PLANS:
        return (
            f"Stigg has scheduled the plan {one.target or '?'} for {when}, and does not tell its billing period and "
            "quantities. While Stigg makes that change, its webhook brings it; if it will not, provision that plan "
            "here with this start."
        )
    label = dict(ChangeType.choices).get(one.change_type, one.change_type)
    return (
        f"Stigg has scheduled a change for {when} ({label}), and does not tell to what. While Stigg makes that change, "
        "its webhook brings it; if it will not, schedule it here."
    )


def note_successors(*, now: datetime) -> None:
    """Note at what runs that another subscription, which came by import, will take its place."""
    waiting = Subscription.objects.filter(status=SubscriptionStatus.NOT_STARTED, predecessor_changes=None)
    running = (SubscriptionStatus.ACTIVE, SubscriptionStatus.IN_TRIAL)
    for successor in waiting.select_related("customer", "plan__product").order_by("pk"):
        lock_customer(successor.customer)
        for other in in_place_of(successor).filter(status__in=running).order_by("pk"):
            if not other.scheduled_changes.filter(status__in=OPEN, change_type__in=PLANS).exists():
                schedule_successor(subscription=other, successor=successor, now=now)
