"""Coupons on what is paid by usage: what the bill takes off, worked out here from the events; and the comparison."""

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest

from catalog.models import Coupon, CouponType
from tests.factories.catalog import CouponAmountFactory, CouponFactory
from tests.integrations.price_changes import sell_dearer
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
