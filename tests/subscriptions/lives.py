"""Subscriptions that are given at a moment of these tests, and what became of them."""

from datetime import UTC, datetime
from typing import Any

from catalog.models import Plan
from customers.models import Customer
from subscriptions.models import ScheduledChange, Subscription
from subscriptions.provisioning import Order, provision

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
LATER = datetime(2026, 4, 1, tzinfo=UTC)


def give(customer: Customer, plan: Plan, ref_id: str, now: datetime = NOW, **order: Any) -> Subscription:
    return provision(order=Order(customer=customer, plan=plan, ref_id=ref_id, **order), now=now)


def life() -> list[tuple[str, str, str, datetime | None]]:
    return list(Subscription.objects.values_list("ref_id", "status", "cancel_reason", "effective_end_date"))


def schedules() -> list[tuple[str, str, str, datetime]]:
    return list(
        ScheduledChange.objects.values_list("subscription__ref_id", "change_type", "status", "effective_at").order_by(
            "pk"
        )
    )
