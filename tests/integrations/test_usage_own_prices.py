"""Usage and a price of a subscription's own: what was used before it changed is billed at the price of then."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from catalog.models import BillingModel
from catalog.tiers import Tier
from integrations.models import UsageRecord
from subscriptions.models import PriceOverride, Subscription
from subscriptions.past import keep_past, present
from tests.factories.catalog import PlanFactory, price
from tests.integrations.price_changes import agree, sell_dearer
from tests.integrations.test_usage_made_up import made_up
from tests.integrations.test_usage_sales import amounts, differences
from tests.integrations.usage_pages import browser
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["browser", "tenant"]
pytestmark = pytest.mark.django_db
DAY = date(2026, 5, 10)


def pay(tenant: UsageWorld, acme: Subscription, amount: str) -> None:
    """Agree on a price, as of now, and push it."""
    agree(acme, Decimal(amount), now=tenant.now)
    tenant.settle()


def billed(tenant: UsageWorld, *, differ: Sequence[str] = ()) -> list[tuple[Decimal, Decimal]]:
    """Push the last hour, compare, and return what the bill run charges: quantities, and what they cost."""
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == list(differ)
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


def repriced(quantity: int, used: str, billed: str) -> str:
    return (
        f"{quantity} were used at {used}, and are billed at {billed}: Zuora has one price for a day, its last one. "
        "Credit or charge what the two prices differ by in Zuora."
    )


def test_of_two_agreed_on_a_day_the_last_is_billed_from_then_on_and_the_other_one_is_named(
    tenant: UsageWorld, browser: Client
) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1)
    for amount in ("4", "2.5"):
        tenant.advance(hours=1)
        pay(tenant, acme, amount)
        tenant.use(acme, 8)
    named = [repriced(8, "4 EUR", "1 EUR")]
    assert billed(tenant, differ=named) == [(Decimal(8), Decimal(20)), (Decimal(9), Decimal(9))]
    tenant.quiet()
    assert differences(tenant) == named  # and stays so when it is billed
    page = browser.get("/subscriptions/s1/usage/").content.decode()
    assert "8 API calls were used at 4 EUR, and are billed at 1 EUR.</strong>" in page


def test_on_its_first_day_the_price_that_stays_is_billed_and_the_other_one_is_named(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(hours=4))
    tenant.use(acme, 5, at=START - timedelta(hours=3))
    pay(tenant, acme, "2.5")
    tenant.use(acme, 8)
    named = [repriced(5, "1 EUR", "2.5 EUR")]
    assert billed(tenant, differ=named) == [(Decimal(13), Decimal("32.5"))]
    UsageRecord.objects.read_again(now=tenant.now)
    tenant.quiet()
    assert differences(tenant) == named  # and stays so when it is billed: it was sent when that price was there


def test_a_price_that_comes_back_on_the_same_day_differs_in_nothing(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1)
    for amount in ("4", "1"):
        tenant.advance(hours=1)
        pay(tenant, acme, amount)
    tenant.use(acme, 8)
    assert billed(tenant) == [(Decimal(1), Decimal(1)), (Decimal(8), Decimal(8))]


@pytest.mark.parametrize("is_first_day", [False, True])
def test_of_two_versions_sold_on_a_day_the_first_is_named(tenant: UsageWorld, *, is_first_day: bool) -> None:
    acme = tenant.sell(start_date=START - (timedelta(hours=4) if is_first_day else timedelta(days=40)))
    tenant.use(acme, 1)
    for _ in range(2):
        tenant.advance(hours=1)
        sell_dearer(acme, tenant)
        tenant.settle()
        tenant.use(acme, 8)
    if is_first_day:
        named = [repriced(1, "1 EUR", "100 EUR"), repriced(8, "10 EUR", "100 EUR")]
        assert billed(tenant, differ=named) == [(Decimal(17), Decimal(1700))]
    else:
        named = [repriced(8, "10 EUR", "1 EUR")]
        assert billed(tenant, differ=named) == [(Decimal(8), Decimal(800)), (Decimal(9), Decimal(9))]


@pytest.mark.parametrize(("amount", "named"), [("2.5", True), ("1", False)])
@pytest.mark.parametrize(
    ("late", "said"),
    [(-5, made_up(5, "at 2.5 EUR", "at 1 EUR")), (5, made_up(5, "at 1 EUR", "at 2.5 EUR"))],
)
def test_what_is_made_up_for_at_another_own_price_is_named(
    tenant: UsageWorld, late: int, said: str, amount: str, *, named: bool
) -> None:
    acme = tenant.sell()
    tenant.use(acme, 20, at=START - timedelta(days=1))
    tenant.quiet()
    pay(tenant, acme, amount)
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 10)) == {"stigg--s1": Decimal(20)}
    tenant.use(acme, late, at=START - timedelta(days=1))
    tenant.use(acme, 8)
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == ([said] if named else [])


def test_what_is_made_up_for_before_the_price_of_its_day_changes_is_named(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 20, at=START - timedelta(days=1))
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 10)) == {"stigg--s1": Decimal(20)}
    tenant.use(acme, 5, at=START - timedelta(days=1))
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    tenant.advance(minutes=10)
    pay(tenant, acme, "2.5")
    named = [made_up(5, "at 1 EUR", "at 2.5 EUR")]
    assert billed(tenant, differ=named) == [
        (Decimal(5), Decimal("12.5")),
        (Decimal(20), Decimal(20)),
    ]


def test_tiers_are_named_step_by_step(tenant: UsageWorld) -> None:
    plan = PlanFactory.create(ref_id="tiered")
    steps = [Tier(100, Decimal(2), None), Tier(None, None, Decimal(500))]
    terms = {"billing_model": BillingModel.USAGE_BASED, "feature": tenant.feature, "tiers_mode": "GRADUATED"}
    price(plan, amounts={"EUR": steps}, **terms)
    tenant.settle()
    acme = tenant.sell(plan=plan, start_date=START - timedelta(hours=4))
    tenant.use(acme, 5, at=START - timedelta(hours=3))
    one = Subscription.objects.get(pk=acme.pk)
    before = present(one)
    own = PriceOverride.objects.create(subscription=one, price=one.prices()[0])
    for end, amount in ((100, 3), (None, 1)):
        own.tiers.create(up_to=end, unit_price=Decimal(amount))
    one = Subscription.objects.get(pk=acme.pk)
    one.save()
    keep_past(one, before=before, at=tenant.now)
    tenant.settle()
    tenant.next_hour()
    tenant.quiet()
    listed = "graduated tiers (up to 100: 2, above: 500 flat) EUR"
    agreed = "graduated tiers (up to 100: 3, above: 1) EUR"
    assert differences(tenant) == [repriced(5, listed, agreed)]


def test_what_may_have_been_billed_on_its_first_day_before_its_last_price_came_is_named_with_both(
    tenant: UsageWorld,
) -> None:
    acme = tenant.sell(start_date=START - timedelta(hours=4))
    tenant.use(acme, 5, at=START - timedelta(hours=3))
    tenant.quiet()
    assert amounts(tenant, DAY) == [(Decimal(5), Decimal(5))]  # by a target date beyond the billing period
    tenant.advance(minutes=10)
    pay(tenant, acme, "2.5")
    tenant.use(acme, 8)
    UsageRecord.objects.read_again(now=tenant.now)
    earlier = "2.5 EUR, or at an earlier price of that day if they were billed before it came (see their invoices)"
    # The stand-in rates the period anew with what came late, all of it at 2.5.
    anew = (Decimal(8), Decimal("27.5"))
    assert billed(tenant, differ=[repriced(5, "1 EUR", earlier)]) == [(Decimal(5), Decimal(5)), anew]
