"""Prices that change in the middle of a subscription's life."""

from datetime import datetime
from decimal import Decimal

from catalog.models import BillingModel
from subscriptions.models import PriceOverride, Subscription
from subscriptions.past import keep_past, present
from subscriptions.scheduling import update
from subscriptions.wanted import Content
from tests.factories.catalog import price
from tests.integrations.usage_world import UsageWorld


def agree(subscription: Subscription, amount: Decimal, *, now: datetime) -> None:
    """Have it pay so much for the first price of what it holds, from now on."""
    one = Subscription.objects.get(pk=subscription.pk)
    before = present(one)
    PriceOverride.objects.update_or_create(subscription=one, price=one.prices()[0], defaults={"amount": amount})
    one = Subscription.objects.get(pk=subscription.pk)
    one.save()
    keep_past(one, before=before, at=now)


def sell_dearer(subscription: Subscription, tenant: UsageWorld) -> int:
    """Sell it a dearer version of its plan, from now on; return at which price."""
    plan = tenant.plan
    plan.version_number += 1
    plan.save()
    dear = int(10 ** (plan.version_number - 1))
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": dear})
    subscription.refresh_from_db()
    update(subscription=subscription, content=Content(latest=True), now=tenant.now)
    return dear
