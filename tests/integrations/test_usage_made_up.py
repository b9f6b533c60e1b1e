"""What was billed wrong is made up for by quantity: where it costs something else by then, the comparison says so."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from catalog.models import BillingModel
from catalog.tiers import Tier
from integrations.models import UsageRecord
from tests.factories.catalog import PlanFactory, price
from tests.integrations.price_changes import sell_dearer
from tests.integrations.test_usage_sales import changed, differences
from tests.integrations.usage_pages import browser
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["browser", "tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

#: In the first billing period, and in the second one.
EARLIER, LATER = datetime(2026, 2, 10, 9, tzinfo=UTC), datetime(2026, 3, 12, 9, tzinfo=UTC)


def made_up(quantity: int, used: str, billed: str) -> str:
    """What a comparison says of what was billed wrong, and is made up for in other terms."""
    return (
        f"{quantity} were used {used}, and are billed {billed}: what was billed wrong is made up for by quantity "
        "alone. Credit or charge what the two differ by in Zuora."
    )


def billed_in_the_end(tenant: UsageWorld) -> Decimal:
    """Bill all that is due, hear of it, and return what all usage cost."""
    tenant.bill(date(2026, 5, 10))
    UsageRecord.objects.read_again(now=tenant.now)
    tenant.quiet()
    return sum((row["ChargeAmount"] for row in tenant.world.rows("InvoiceItem")), Decimal(0))


@pytest.mark.parametrize("dear", [10, 1])
@pytest.mark.parametrize("late", [-5, 5])
def test_what_is_made_up_for_at_another_price_is_named_and_stays_so_when_it_is_billed(
    tenant: UsageWorld, browser: Client, late: int, dear: int
) -> None:
    acme = tenant.sell()
    tenant.use(acme, 20, at=START - timedelta(days=1))
    tenant.quiet()
    tenant.plan.version_number = 2
    tenant.plan.save()
    price(tenant.plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": dear})
    tenant.settle()
    with changed(tenant, acme) as one:
        one.plan_version_number = 2
    tenant.settle()
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 10)) == {"stigg--s1": Decimal(20)}
    tenant.use(acme, late, at=START - timedelta(days=1))
    tenant.use(acme, 8)
    tenant.next_hour()
    tenant.quiet()
    terms = ("at 1 EUR", "at 10 EUR") if late > 0 else ("at 10 EUR", "at 1 EUR")
    named = [made_up(5, *terms)] if dear > 1 else []
    assert differences(tenant) == named
    right = 20 + late + 8 * dear
    assert billed_in_the_end(tenant) == right + late * (dear - 1)
    assert differences(tenant) == named
    page = browser.get("/subscriptions/s1/usage/").content.decode()
    assert ("5 API calls were used {}, and are billed {}.</strong>".format(*terms) in page) == bool(named)


def test_what_is_taken_back_of_what_was_made_up_for_is_made_up_for_itself(tenant: UsageWorld) -> None:
    """Five are added at ten euros and billed, and then told not to have been: five of the next ones, at ten, are."""
    acme = tenant.sell()
    tenant.use(acme, 20, at=START - timedelta(days=1))
    tenant.quiet()
    tenant.bill(date(2026, 4, 10))
    sell_dearer(acme, tenant)
    tenant.settle()
    tenant.use(acme, 5, at=START - timedelta(days=1))
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == [made_up(5, "at 1 EUR", "at 10 EUR")]
    tenant.bill(date(2026, 4, 10))
    tenant.use(acme, -5, at=START - timedelta(days=1))
    tenant.use(acme, 8)
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    assert billed_in_the_end(tenant) == 20 + 8 * 10


@pytest.mark.parametrize(
    ("mode", "listed", "late", "later", "is_named"),
    [
        ("GRADUATED", "graduated tiers (up to 10: 2, above: 1) EUR", 5, 20, True),
        ("GRADUATED", "graduated tiers (up to 10: 2, above: 1) EUR", -5, 20, True),
        ("GRADUATED", "graduated tiers (up to 10: 2, above: 1) EUR", 5, 8, False),  # three more at one euro either way
        ("GRADUATED", "graduated tiers (up to 10: 2, above: 1) EUR", 2, 3, False),
        ("VOLUME", "volume tiers (up to 10: 2, above: 1) EUR", 5, 8, False),
        ("VOLUME", "volume tiers (up to 10: 2, above: 1) EUR", 5, 20, True),
        ("VOLUME", "volume tiers (up to 10: 2, above: 1) EUR", 1, 3, False),
    ],
)
def test_what_is_made_up_for_in_another_tier_is_named(
    tenant: UsageWorld, *, mode: str, listed: str, late: int, later: int, is_named: bool
) -> None:
    """Tiers are counted by billing period: eight are billed in the first one, and more or less of it is told later."""
    plan = PlanFactory.create(ref_id="tiered")
    steps = [Tier(10, Decimal(2), None), Tier(None, Decimal(1), None)]
    terms = {"billing_model": BillingModel.USAGE_BASED, "feature": tenant.feature, "tiers_mode": mode}
    price(plan, amounts={"EUR": steps}, **terms)
    tenant.settle()
    acme = tenant.sell(plan=plan)
    tenant.use(acme, 8, at=EARLIER)
    tenant.quiet()
    tenant.bill(date(2026, 3, 10))
    tenant.at(LATER)
    tenant.use(acme, late, at=EARLIER)
    tenant.use(acme, later)
    tenant.next_hour()
    tenant.quiet()
    periods = [f"at {listed} counted from {day}" for day in ("2026-01-29", "2026-02-28")]
    used, billed = periods if late > 0 else periods[::-1]
    named = [made_up(abs(late), used, billed)] if is_named else []
    assert differences(tenant) == named
    right = in_tiers(mode, 8 + late) + in_tiers(mode, later)
    assert (billed_in_the_end(tenant) != right) == is_named
    assert differences(tenant) == named


def in_tiers(mode: str, quantity: int) -> int:
    """Return what a billing period with so much usage is to cost: two euros up to ten, and one above."""
    if mode == "VOLUME":
        return quantity * (2 if quantity <= 10 else 1)
    return 2 * min(quantity, 10) + max(quantity - 10, 0)
