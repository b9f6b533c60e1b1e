"""Usage and a price of a subscription's own: what was used before it changed is billed at the price of then."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from subscriptions.models import Subscription
from tests.integrations.price_changes import agree
from tests.integrations.test_usage_sales import amounts, differences
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]
DAY = date(2026, 5, 10)


def pay(tenant: UsageWorld, acme: Subscription, amount: str) -> None:
    """Agree on a price, as of now, and push it."""
    agree(acme, Decimal(amount), now=tenant.now)
    tenant.settle()


def billed(tenant: UsageWorld) -> list[tuple[Decimal, Decimal]]:
    """Push the last hour, compare, and return what the bill run charges: quantities, and what they cost."""
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    return amounts(tenant, DAY)


def test_what_was_used_earlier_that_day_is_billed_at_the_price_of_then(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1, at=START - timedelta(days=1))
    tenant.use(acme, 5, at=START - timedelta(hours=3))
    tenant.next_hour()
    tenant.quiet()
    pay(tenant, acme, "2.5")
    tenant.use(acme, 8)
    assert billed(tenant) == [(Decimal(6), Decimal(6)), (Decimal(8), Decimal(20))]


def test_an_hour_is_cut_where_the_price_changes(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 5)
    tenant.advance(minutes=20)
    pay(tenant, acme, "2.5")
    tenant.advance(minutes=20)
    tenant.use(acme, 8)
    assert billed(tenant) == [(Decimal(5), Decimal(5)), (Decimal(8), Decimal(20))]


def test_of_two_agreed_on_a_day_the_last_is_billed_from_then_on(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1)
    for amount in ("4", "2.5"):
        tenant.advance(hours=1)
        pay(tenant, acme, amount)
        tenant.use(acme, 8)
    assert billed(tenant) == [(Decimal(8), Decimal(20)), (Decimal(9), Decimal(9))]


def test_on_its_first_day_the_price_that_stays_is_billed(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(hours=4))
    tenant.use(acme, 5, at=START - timedelta(hours=3))
    pay(tenant, acme, "2.5")
    tenant.use(acme, 8)
    assert billed(tenant) == [(Decimal(13), Decimal("32.5"))]
