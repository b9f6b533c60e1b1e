"""Coupons on what is paid by usage: what the bill takes off, worked out here from the events; and the comparison."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest

from catalog.models import Coupon, CouponType
from subscriptions.models import Subscription
from subscriptions.past import keep_past, present
from tests.factories.catalog import CouponAmountFactory, CouponFactory
from tests.integrations.price_changes import sell_dearer
from tests.integrations.test_usage_made_up import EARLIER, LATER, billed_in_the_end, made_up
from tests.integrations.test_usage_sales import differences
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

#: When something is used, how much, and at which price; the subscription begins on 29 January.
USED = (
    (datetime(2026, 2, 10, 9, tzinfo=UTC), 30, 1),
    (datetime(2026, 3, 5, 9, tzinfo=UTC), 4, 1),
    (START, 2, 1),
    (datetime(2026, 3, 12, 9, tzinfo=UTC), 7, 10),
    (datetime(2026, 4, 2, 9, tzinfo=UTC), 3, 10),
)
PERIODS = (date(2026, 1, 29), date(2026, 2, 28), date(2026, 3, 29), date(2026, 4, 29))


def coupon_of(kind: str, months: int | None) -> Coupon:
    if kind == "percentage":
        made: Coupon = CouponFactory.create(ref_id="launch", percent_off=Decimal(15), duration_in_months=months)
        return made
    made = CouponFactory.create(
        ref_id="launch", coupon_type=CouponType.FIXED, percent_off=None, duration_in_months=months
    )
    CouponAmountFactory.create(coupon=made, currency="EUR", amount=5)
    return made


def owed(kind: str, months: int | None) -> list[Decimal]:
    """Return what each period costs, less what the coupon takes off in so many of the first ones."""
    amounts = []
    for number, (begin, end) in enumerate(pairwise(PERIODS), start=1):
        by_price: dict[int, int] = {}
        for at, quantity, price in USED:
            if begin <= at.date() < end:
                by_price[price] = by_price.get(price, 0) + quantity * price
        total, off = Decimal(sum(by_price.values())), Decimal(0)
        if (months is None or number <= months) and kind == "percentage":
            parts = [(Decimal(amount) * 15 / 100) for amount in by_price.values()]
            off = sum((one.quantize(Decimal("0.01"), ROUND_HALF_UP) for one in parts), Decimal(0))
        elif months is None or number <= months:
            off = min(Decimal(5), total)
        amounts.append(total - off)
    return amounts


def agree_on(acme: Subscription, coupon: Coupon | None, *, at: datetime) -> None:
    """Have it hold the coupon, or none, from then on."""
    one = Subscription.objects.get(pk=acme.pk)
    before = present(one)
    one.coupon = coupon
    one.save()
    keep_past(one, before=before, at=at)


def billed(tenant: UsageWorld) -> list[Decimal]:
    """Bill all of it; return what each period cost."""
    tenant.bill(date(2026, 5, 10))
    amounts = [Decimal(0) for _ in PERIODS[1:]]
    for item in tenant.world.rows("InvoiceItem"):
        begin = date.fromisoformat(item["ServiceStartDate"])
        amounts[sum(day <= begin for day in PERIODS[1:])] += item["ChargeAmount"]
    return amounts


@pytest.mark.parametrize("months", [1, 2, None])
@pytest.mark.parametrize("kind", ["percentage", "fixed"])
def test_usage_is_billed_less_what_the_coupon_takes_off(tenant: UsageWorld, kind: str, months: int | None) -> None:
    acme = tenant.sell(coupon=coupon_of(kind, months))
    for at, quantity, _ in USED:
        tenant.at(at)
        tenant.use(acme, quantity, at=at)
        if at == START:
            tenant.next_hour()
            tenant.quiet()
            tenant.at(datetime(2026, 3, 11, 8, tzinfo=UTC))
            assert sell_dearer(acme, tenant) == 10
            tenant.settle()
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    assert billed(tenant) == owed(kind, months)


WITH, WITHOUT = "under coupon launch", "without a coupon"
LEFT = f"{WITH} (as far as its amount was not used up)"


def told_late(tenant: UsageWorld, acme: Subscription, late: int) -> None:
    """Have twenty used and billed, hear of more or less of it, and of what is used later."""
    tenant.use(acme, 20, at=EARLIER)
    tenant.quiet()
    tenant.bill(date(2026, 3, 10))
    tenant.at(LATER)
    tenant.use(acme, late, at=EARLIER)
    tenant.use(acme, 8)
    tenant.next_hour()
    tenant.quiet()


@pytest.mark.parametrize(
    ("late", "kind", "months", "named", "too_much"),
    [
        (5, "percentage", 1, [made_up(5, WITH, WITHOUT)], "0.75"),
        (-5, "percentage", 1, [made_up(5, WITHOUT, WITH)], "-0.75"),
        (5, "percentage", None, [], "0"),
        (-5, "percentage", None, [], "0"),
        (5, "fixed", 1, [made_up(5, LEFT, WITHOUT)], "0"),
        (-5, "fixed", 1, [made_up(5, WITHOUT, LEFT)], "0"),
        (5, "fixed", None, [], "0"),
    ],
)
def test_what_is_made_up_for_without_the_coupon_under_which_it_was_used_is_named(
    tenant: UsageWorld, *, late: int, kind: str, months: int | None, named: list[str], too_much: str
) -> None:
    acme = tenant.sell(coupon=coupon_of(kind, months))
    told_late(tenant, acme, late)
    assert differences(tenant) == named
    off = [5, 5] if kind == "fixed" else [(20 + late) * Decimal("0.15"), 8 * Decimal("0.15")]
    right = 20 + late + 8 - sum(off[:months])
    assert billed_in_the_end(tenant) == right + Decimal(too_much)
    assert differences(tenant) == named


@pytest.mark.parametrize(
    ("day", "named"),
    [
        (datetime(2026, 2, 28, 12, tzinfo=UTC), [made_up(5, WITHOUT, WITH)]),
        (datetime(2026, 3, 2, 12, tzinfo=UTC), []),  # a line that began before it came has nothing of it
    ],
)
def test_a_coupon_that_comes_later_is_named_by_the_days_on_which_lines_begin(
    tenant: UsageWorld, day: datetime, named: list[str]
) -> None:
    acme, coupon = tenant.sell(), coupon_of("percentage", None)
    agree_on(acme, coupon, at=day)
    tenant.settle()
    told_late(tenant, acme, 5)
    assert differences(tenant) == named
    right = 33 - (8 * Decimal("0.15") if named else 0)
    assert billed_in_the_end(tenant) == right - (5 * Decimal("0.15") if named else 0)


def test_a_coupon_that_comes_with_a_dearer_price_takes_from_the_line_that_begins_with_it(tenant: UsageWorld) -> None:
    acme, coupon = tenant.sell(), coupon_of("percentage", None)
    tenant.use(acme, 20, at=EARLIER)
    tenant.quiet()
    tenant.bill(date(2026, 3, 10))
    sell_dearer(acme, tenant)
    agree_on(acme, coupon, at=tenant.now)
    tenant.settle()
    tenant.use(acme, 5, at=EARLIER)
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == [made_up(5, f"at 1 EUR {WITHOUT}", f"at 10 EUR {WITH}")]
    assert billed_in_the_end(tenant) == 20 + 50 * Decimal("0.85")


def test_two_coupons_that_take_the_same_percentage_differ_in_nothing(tenant: UsageWorld) -> None:
    acme = tenant.sell(coupon=coupon_of("percentage", 1))
    agree_on(acme, CouponFactory.create(ref_id="other", percent_off=Decimal(15)), at=datetime(2026, 2, 28, tzinfo=UTC))
    tenant.settle()
    told_late(tenant, acme, 5)
    assert differences(tenant) == []
    assert billed_in_the_end(tenant) == 33 * Decimal("0.85")


def test_what_makes_up_in_the_first_hours_of_a_day_is_of_the_billing_period_of_that_day(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=datetime(2026, 1, 29, 21, tzinfo=UTC), coupon=coupon_of("percentage", 2))
    tenant.use(acme, 20, at=START - timedelta(days=1))
    tenant.quiet()
    tenant.bill(date(2026, 4, 10))
    tenant.at(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
    tenant.use(acme, 5, at=START - timedelta(days=1))
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == [made_up(5, WITH, WITHOUT)]
    assert billed_in_the_end(tenant) == 20 * Decimal("0.85") + 5
