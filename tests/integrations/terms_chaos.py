"""A subscription's random life by seed, told to Zuora at random times; and what it must be billed.

What must be billed is worked out day by day, from what was sold alone: it is the same however late Zuora hears of it.
"""

import random
from calendar import monthrange
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.db import transaction

from catalog.models import BillingModel, CancellationTime, Coupon, Plan
from catalog.publishing import publish, start_draft
from integrations import sweeping
from integrations.models import Connection, SyncStatus
from subscriptions import coupons
from subscriptions.cancelling import cancel
from subscriptions.models import Subscription
from subscriptions.provisioning import Order, provision
from subscriptions.scheduling import Strategy, update
from subscriptions.taking_effect import take_effect
from subscriptions.wanted import Content, Override
from tests.factories.catalog import CouponFactory, FeatureFactory, addon_with_prices, plan_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.integrations.conftest import World, open_client
from tests.integrations.deaths import dying

#: Divides by the days of every month, and then by ten: no part of a period has to be rounded.
UNIT = Decimal(37758)
ADDONS = {"support": 1, "storage": 3}
COUPONS = {"ten": 10, "half": 50}
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Auckland")
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("reset", {}),
    ("timeout", {"seconds": 120}),
    ("status", {"status": 500}),
    ("html", {"status": 503}),
    ("lock", {}),
)


def sell_something() -> None:
    """Make the catalog from which every seed sells."""
    plan = plan_with_prices(ref_id="pro", amounts={"EUR": 2 * UNIT})
    price(
        plan, billing_model=BillingModel.PER_UNIT, feature=FeatureFactory.create(ref_id="seats"), amounts={"EUR": UNIT}
    )
    for ref_id, times in ADDONS.items():
        addon_with_prices(ref_id=ref_id, amounts={"EUR": times * UNIT})
    for ref_id, percent in COUPONS.items():
        CouponFactory.create(ref_id=ref_id, percent_off=percent)


@contextmanager
def from_the_beginning(world: World, traveller: time_machine.Traveller, begin: datetime) -> Iterator[None]:
    """Give the tenant as it was made, and undo what happens inside: much cheaper than to make another."""
    world.app.control.snapshot("beginning")
    CustomerFactory.reset_sequence(0)  # type: ignore[no-untyped-call]  # the tenant holds payment methods for some
    with transaction.atomic():
        world.now = begin
        traveller.move_to(begin)
        world.connection = Connection.objects.get()
        world.client = open_client(world.app)
        yield
        transaction.set_rollback(True)
    world.app.control.clear_faults()
    world.app.control.clear_log()
    world.app.control.restore("beginning")


@dataclass(frozen=True)
class Sold:
    """What is held, and costs a month: in units of money, by the version that was sold."""

    version: int = 1
    fee: int | None = None
    seats: int = 1
    addons: tuple[tuple[str, int], ...] = ()
    coupon: str = ""
    customers_coupon: str = ""

    def costs(self, listed: dict[int, int]) -> Decimal:
        fee = listed[self.version] if self.fee is None else self.fee
        full = fee + self.seats + sum(ADDONS[addon] * quantity for addon, quantity in self.addons)
        off = COUPONS.get(self.coupon or self.customers_coupon, 0)
        return UNIT * full * (100 - off) / 100


@dataclass
class Life:
    """One seed's run."""

    world: World
    traveller: time_machine.Traveller
    chance: random.Random
    zone: str = "UTC"
    history: list[tuple[datetime, Sold]] = field(default_factory=list)
    later: list[tuple[datetime, Callable[[Sold], Sold]]] = field(default_factory=list)
    listed: dict[int, int] = field(default_factory=lambda: {1: 2})
    end: datetime | None = None

    @property
    def now(self) -> datetime:
        return self.world.now

    @property
    def subscription(self) -> Subscription:
        return Subscription.objects.select_related("customer", "plan__product").get(ref_id="s1")

    def run(self) -> None:
        self._begin()
        told = self.chance.choice([0, 0.3, 0.9])
        changes = (self._seats, self._addons, self._price, self._coupon, self._customers_coupon, self._latest)
        for _ in range(self.chance.randint(2, 8)):
            self.pass_time(hours=self.chance.choice([0.01, 2, 9, 24, 24 * self.chance.randint(2, 40)]))
            if self.chance.random() < 0.08:
                self._end()
                break
            if self.chance.random() < 0.3:
                self._break()
            self.chance.choice(changes)()
            if self.chance.random() < told:
                self.chance.choice([self._settle, self._settle, self._die])()
            if self.chance.random() < 0.15:
                self.world.app.control.bill_run(self._today())
        self.world.app.control.clear_faults()
        self.pass_time(days=1)
        self.subscription.save()
        self._settle(stubborn=True)

    def check(self) -> None:
        statuses = {SyncStatus.SUCCESS, SyncStatus.NO_SYNC_REQUIRED} if not self._owed() else {SyncStatus.SUCCESS}
        assert self.world.statuses()["subscription:s1"] in statuses
        self.world.app.control.bill_run(self._today())
        billed = sum((item["ChargeAmount"] for item in self.world.rows("InvoiceItem")), Decimal(0))
        assert billed == self._owed(), (billed, self._owed(), self.zone, self.history)

    def pass_time(self, **span: float) -> None:
        self._at(self.now + timedelta(**span))

    def _at(self, moment: datetime) -> None:
        self.world.now = max(moment, self.now)
        self.traveller.move_to(self.now)
        take_effect(now=self.now)
        for due, change in sorted(self.later, key=lambda one: one[0]):
            if due <= self.now:
                self._note(change, at=due)
        self.later = [one for one in self.later if one[0] > self.now]

    def _begin(self) -> None:
        self.zone = self.chance.choice(ZONES)
        self.world.connection.time_zone = self.zone
        self.world.connection.save()
        self.world.app.control.set_switches(time_zone=self.zone, store_transient_failures=self.chance.random() < 0.5)
        self.pass_time(hours=self.chance.randint(1, 90 * 24))
        seats = self.chance.randint(1, 5)
        customer = CustomerFactory.create(ref_id="acme")
        content = Content(quantities={"seats": seats}, billing_period="MONTHLY")
        plan = Plan.objects.get(ref_id="pro")
        provision(order=Order(customer=customer, plan=plan, ref_id="s1", content=content), now=self.now)
        self.history.append((self.now, Sold(seats=seats)))

    def _note(self, change: Callable[[Sold], Sold], *, at: datetime) -> None:
        self.history.append((at, change(self.history[-1][1])))

    def _update(self, content: Content, change: Callable[[Sold], Sold]) -> None:
        """Change it now, or at the end of the billing period; what is scheduled already gives way."""
        update(subscription=self.subscription, content=content, now=self.now)
        self._note(change, at=self.now)

    def _seats(self) -> None:
        seats = self.chance.randint(1, 9)
        content = Content(quantities={"seats": seats})
        if self.chance.random() < 0.3 and not self.later:
            strategy = Strategy.END_OF_BILLING_PERIOD
            update(subscription=self.subscription, content=content, strategy=strategy, now=self.now)
            change = self.subscription.scheduled_changes.get(status="SCHEDULED")
            self.later.append((change.effective_at, lambda sold: replace(sold, seats=seats)))
        elif not self.later:
            self._update(content, lambda sold: replace(sold, seats=seats))

    def _addons(self) -> None:
        chosen = {name: self.chance.randint(1, 3) for name in ADDONS if self.chance.random() < 0.5}
        self._update(Content(addons=chosen), lambda sold: replace(sold, addons=tuple(chosen.items())))

    def _price(self) -> None:
        fee = self.chance.choice([None, 1, 4])
        overrides = [] if fee is None else [Override(amount=fee * UNIT)]
        self._update(Content(price_overrides=overrides), lambda sold: replace(sold, fee=fee))

    def _coupon(self) -> None:
        coupon = self.chance.choice(["", *COUPONS])
        self._update(Content(coupon=coupon), lambda sold: replace(sold, coupon=coupon))

    def _customers_coupon(self) -> None:
        ref_id = self.chance.choice(["", *COUPONS])
        coupon = Coupon.objects.get(ref_id=ref_id) if ref_id else None
        coupons.hold(customer=self.subscription.customer, coupon=coupon, now=self.now)
        self._note(lambda sold: replace(sold, customers_coupon=ref_id), at=self.now)

    def _latest(self) -> None:
        """Sell another version, which changes nothing for who runs on an older one; and perhaps move to it."""
        plan = Plan.objects.get(ref_id="pro")
        start_draft(package=plan)
        draft = plan.prices.get(version_number=plan.version_number + 1, billing_model=BillingModel.FLAT_FEE)
        amount = self.chance.choice([3, 5, 6])
        draft.amounts.update(amount=amount * UNIT)
        publish(package=plan)
        version = plan.version_number
        self.listed[version] = amount
        if self.chance.random() < 0.6:
            self._update(Content(latest=True), lambda sold: replace(sold, version=version))

    def _break(self) -> None:
        kind, members = self.chance.choice(FAULTS)
        path = self.chance.choice(["/v1/orders$", "/v1/"])
        times = self.chance.randint(1, 3)
        self.world.app.control.add_fault(kind, method="POST", path=path, times=times, **members)

    def _settle(self, *, stubborn: bool = False) -> None:
        before = self.now
        with suppress(*[] if stubborn else [AssertionError]):  # a tenant that is down for longer is no matter here
            self.world.settle(rounds=100 if stubborn else 6)
        self.world.now, now = before, self.now
        self._at(now)

    def _die(self) -> None:
        """A worker dies at any of its steps; what it had claimed is given back after a while."""
        with dying(at=self.chance.randint(1, self.chance.choice([4, 30])), with_answer=self.chance.random() < 0.4):
            self._settle()
        self.pass_time(hours=1)
        sweeping.release_stuck(now=self.now)

    def _end(self) -> None:
        cancel(subscription=self.subscription, time=CancellationTime.IMMEDIATE, now=self.now)
        self.end, self.later = self.now, []
        if self.chance.random() < 0.5:
            self._settle()

    def _today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def _owed(self) -> Decimal:
        """Return what its days cost, up to the end of the period that runs today."""
        days = [(moment.astimezone(ZoneInfo(self.zone)).date(), sold) for moment, sold in self.history]
        start, total, period = days[0][0], Decimal(0), 0
        while (begin := _months_after(start, period)) <= self._today():
            end = _months_after(start, period + 1)
            for number in range((end - begin).days):
                day = begin + timedelta(days=number)
                if self.end and day >= self.end.astimezone(ZoneInfo(self.zone)).date():
                    break
                sold = [held for since, held in days if since <= day][-1]
                total += sold.costs(self.listed) / (end - begin).days
            period += 1
        return total.quantize(Decimal("0.01"))


def _months_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, min(day.day, monthrange(day.year + years, month + 1)[1]))
