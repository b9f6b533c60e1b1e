"""For every seed, what is paid in tiers and under coupons is right, but for what the comparison names.

`MADE_UP_SEEDS` says how many.
"""

import os
import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from catalog.models import BillingModel, BillingPeriod, Coupon
from catalog.tiers import Tier
from integrations.models import UsageRecord
from subscriptions.models import Subscription
from subscriptions.periods import add_months, current_period
from tests.factories.catalog import CouponFactory, PlanFactory, price
from tests.integrations.test_usage_coupons import agree_on
from tests.integrations.test_usage_made_up import in_tiers
from tests.integrations.test_usage_sales import differences
from tests.integrations.usage_world import UsageWorld, from_the_beginning, tenant
from usage.models import Slice

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db

_SEEDS = range(int(os.environ.get("MADE_UP_SEEDS", "8")))
_TERMS = r"(?:under coupon c(\d+)|without a coupon)"
_MADE_UP = re.compile(rf"(\S+) were used {_TERMS}, and are billed {_TERMS}: what was billed wrong")
_END = date(2026, 12, 1)


@dataclass
class Life:
    """A subscription of which usage is told at any time, while bills run."""

    tenant: UsageWorld
    chance: random.Random
    start: datetime
    acme: Subscription
    told: list[datetime] = field(default_factory=list)

    def live(self, change: Callable[[], None]) -> None:
        for _ in range(self.chance.randint(6, 14)):
            what = self.chance.random()
            if what < 0.55:
                self._use()
            elif what < 0.75:
                self._bill(self.tenant.now.date() + timedelta(days=self.chance.choice([0, 0, 35])))
            elif what < 0.85:
                change()
            else:
                self.tenant.advance(days=self.chance.choice([1, 9, 25]))
            self._hour()
        self._hour()
        self._bill(_END)
        self._hour()
        self._bill(_END)

    def _use(self) -> None:
        hours = int((self.tenant.now - self.start).total_seconds()) // 3600
        at = self.start + timedelta(hours=self.chance.randrange(hours))
        if self.told and self.chance.random() < 0.5:  # of an hour that is billed, perhaps
            at = self.chance.choice(self.told)
        self.told.append(at)
        self.tenant.use(self.acme, self.chance.randint(-4, 12), at=at)

    def _bill(self, day: date) -> None:
        self.tenant.bill(day)
        UsageRecord.objects.read_again(now=self.tenant.now)
        self.tenant.quiet()

    def _hour(self) -> None:
        self.tenant.next_hour()
        self.tenant.quiet()

    def used(self) -> dict[date, Decimal]:
        """Return what was used by the first day of the billing period: Zuora's are whole days."""
        used: dict[date, Decimal] = defaultdict(Decimal)
        begin = self.start.replace(hour=0)
        for one in Slice.objects.all():
            period = current_period(start=begin, billing_period=BillingPeriod.MONTHLY, now=one.starts_at)
            used[period.start.date()] += one.quantity
        return used

    def paid(self) -> Decimal:
        return sum((row["ChargeAmount"] for row in self.tenant.world.rows("InvoiceItem")), Decimal(0))


def test_what_comes_of_tiers_is_right_or_named(tenant: UsageWorld) -> None:
    for seed in _SEEDS:
        with from_the_beginning(tenant):
            _in_tiers(tenant, seed)


def test_what_is_paid_under_coupons_is_right_to_the_cent_with_what_is_named(tenant: UsageWorld) -> None:
    for seed in _SEEDS:
        with from_the_beginning(tenant):
            _under_coupons(tenant, seed)


def _in_tiers(tenant: UsageWorld, seed: int) -> None:
    chance = random.Random(seed)
    mode = chance.choice(["VOLUME", "GRADUATED"])
    plan = PlanFactory.create(ref_id="tiered")
    steps = [Tier(10, Decimal(2), None), Tier(None, Decimal(1), None)]
    terms = {"billing_model": BillingModel.USAGE_BASED, "feature": tenant.feature, "tiers_mode": mode}
    price(plan, amounts={"EUR": steps}, **terms)
    tenant.settle()
    start = _start(chance)
    life = Life(tenant, chance, start, tenant.sell(plan=plan, start_date=start))
    life.live(lambda: None)
    found = differences(tenant)
    right = sum(in_tiers(mode, int(quantity)) for quantity in life.used().values())
    if not any("billed too much" in one for one in found):  # in which tier that was, nobody can tell
        assert bool(found) == (life.paid() != right), (seed, life.paid(), right, found)


def _under_coupons(tenant: UsageWorld, seed: int) -> None:
    chance = random.Random(seed)
    made = [
        CouponFactory.create(
            ref_id=f"c{percent}", percent_off=Decimal(percent), duration_in_months=chance.choice([1, 2, None])
        )
        for percent in (10, 20, 30)
    ]
    tenant.settle()
    first, start = chance.choice([made[0], None]), _start(chance)
    life = Life(tenant, chance, start, tenant.sell(start_date=start, coupon=first))
    held = [(first, start.date())]

    def change() -> None:
        coupon = chance.choice([one for one in (None, *made) if one != held[-1][0]])
        agree_on(life.acme, coupon, at=tenant.now)
        held.append((coupon, tenant.now.date()))
        tenant.settle()

    life.live(change)
    found = differences(tenant)
    used = life.used()
    due = sum((quantity * (100 - _percent(held, day)) / 100 for day, quantity in used.items()), Decimal(0))
    for one in found:
        if made_up := _MADE_UP.match(one):
            quantity, used_under, billed_under = made_up.groups()
            due += Decimal(quantity) * (Decimal(used_under or 0) - Decimal(billed_under or 0)) / 100
    too_much = sum((Decimal(one.split()[0]) for one in found if "billed too much" in one), Decimal(0))
    assert due <= life.paid() <= due + too_much, (seed, life.paid(), due, found)


def _start(chance: random.Random) -> datetime:
    return datetime(2026, 1, chance.choice([5, 20, 29, 31]), chance.randrange(24), tzinfo=UTC)


def _percent(held: Sequence[tuple[Coupon | None, date]], day: date) -> Decimal:
    """Return what the coupon takes off that runs on a day; each is held from its day up to that of the next."""
    off = Decimal(0)
    for (coupon, first), (_, end) in pairwise([*held, (None, date.max)]):
        if coupon is not None and first <= day < min(end, _last(coupon, first)):
            off = coupon.percent_off or off
    return off


def _last(coupon: Coupon, first: date) -> date:
    if coupon.duration_in_months is None:
        return date.max
    return add_months(datetime.combine(first, time(), tzinfo=UTC), coupon.duration_in_months).date()
