"""Closing reads only what is new, and ends in the very slices to which counting whole billing periods would come."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models import F

from catalog.models import Addon, BillingModel, Plan
from customers.models import Customer
from subscriptions.handing_over import delegate
from subscriptions.models import Subscription
from subscriptions.past import keep_past, present
from tests.factories.catalog import PlanFactory, addon_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeterFactory
from tests.usage import whole_periods
from tests.usage.closing_world import LATER, Metered, at, metered
from usage import closing, hours
from usage.closing import Closed, close
from usage.models import Aggregation, DirtyHour, Meter, Slice, UnattributedUsage
from usage.reporting import RawEvent, report_events

pytestmark = pytest.mark.django_db
#: All on PostgreSQL, some on SQLite as well.
_SEEDS = [pytest.param(seed, marks=[pytest.mark.engine] if seed < 4 else []) for seed in range(16)]

NOT_ADDING_UP = [one for one in Aggregation if not one.adds_up]
NAMED = [{"conditions": [{"field": "region", "operation": "IN", "values": ["emea", "apac"]}]}]
#: Two days of one billing period, and one of the next.
FIRST, EDGE = at(0, day=27), at(0, day=29)
WHATS = (1, 2, 2, 3, 7, 10, "1.5", 0, -1, -4, True, "none", 0.1)
State = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]


def state(*, but_revisions: bool = False) -> State:
    slices = Slice.objects.order_by("subscription", "price", "starts_at").values_list(
        "subscription", "price", "starts_at", "ends_at", "change", "carry", "quantity", "event_count", "revision"
    )
    nobodys = UnattributedUsage.objects.order_by("customer", "feature", "starts_at").values_list(
        "customer", "feature", "resource_id", "starts_at", "ends_at", "change", "event_count"
    )
    dirty = DirtyHour.objects.order_by("customer", "feature", "hour").values_list("customer", "feature", "hour")
    return [one[:-1] if but_revisions else one for one in slices], list(nobodys), list(dirty)


class Stream:
    """What happens to a customer's usage, by chance."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch, *, is_plain: bool) -> None:
        self.chance, self.monkeypatch = random.Random(seed), monkeypatch
        self.acme: Metered = metered(
            start_date=at(0, day=29, month=1) + self.chance.choice([0, 1]) * timedelta(minutes=20)
        )
        aggregation = NOT_ADDING_UP[seed % len(NOT_ADDING_UP)]
        filters = self.chance.choice([[], NAMED])
        self.meter: Meter = MeterFactory.create(
            feature=self.acme.feature, aggregation=aggregation, field="what", filters=filters
        )
        self.zone: tzinfo = self.chance.choice([ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata")])
        self.others: list[Customer] = [CustomerFactory.create(ref_id="other")]
        self.addon: Addon = addon_with_prices(ref_id="more")
        self.big: Plan = PlanFactory.create(ref_id="big")
        for package in (self.addon, self.big):
            price(package, billing_model=BillingModel.USAGE_BASED, feature=self.acme.feature, amounts={"EUR": 2})
        self.whats = WHATS if self.chance.random() < 0.5 else WHATS[:8]
        self.told = 0
        chunk = self.chance.choice([500, 500, 3, 1])
        for name in ("_CHUNK", "_FIRST_CHUNK"):
            monkeypatch.setattr(closing, name, chunk)
        monkeypatch.setattr(hours, "_MOST", self.chance.choice([2_000, 2_000, 4]))
        changing: list[Callable[[], object]] = [
            self.report, self.change_plan, self.change_addon, self.hand_over, self.cancel, self.change_meter, self.bill,
        ]  # fmt: skip
        self.steps = [self.tell] * 6 + [self.close] * 4 + [self.close_some] + ([] if is_plain else changing)

    def moment(self) -> datetime:
        # Half of them in few hours, so that hours come again.
        hours = 72 if self.chance.random() < 0.5 else 6
        start = FIRST if hours == 72 else EDGE - timedelta(hours=self.chance.choice([3, 40]))
        return start + timedelta(minutes=self.chance.randrange(hours * 60))

    def tell(self) -> None:
        events = {}
        for place in range(self.chance.randint(1, 5)):
            self.told += 1
            said = {"what": self.chance.choice(self.whats), "region": self.chance.choice(["emea", "apac", "amer"])}
            whose = "acme" if self.chance.random() < 0.9 else "other"
            events[place] = RawEvent(
                customer=whose, name="seen", key=f"raw-{self.told}", at=self.moment(), dimensions=said
            )
        report_events(events=events, now=LATER)

    def report(self) -> None:
        self.acme.use(self.moment(), self.chance.randint(0, 9), how=self.chance.choice(["DELTA", "SET"]))

    def _changed(self, change: Callable[[Subscription], object]) -> None:
        one = Subscription.objects.get(pk=self.acme.subscription.pk)
        before = present(one)
        change(one)
        one.save()
        keep_past(one, before=before, at=self.moment())

    def change_plan(self) -> None:
        def change(one: Subscription) -> None:
            one.plan = self.chance.choice([self.big, self.acme.subscription.plan])

        self._changed(change)

    def change_addon(self) -> None:
        def change(one: Subscription) -> None:
            if not one.addons.all().delete()[0]:
                one.addons.create(addon=self.addon)

        self._changed(change)

    def hand_over(self) -> None:
        one = Subscription.objects.get(pk=self.acme.subscription.pk)
        if not one.is_ended and self.chance.random() < 0.3:
            to = Customer.objects.exclude(pk=one.customer_id).get()
            delegate(subscription=one, to=to, now=self.moment())

    def cancel(self) -> None:
        when = self.moment() if self.chance.random() < 0.5 else None
        Subscription.objects.update(cancellation_date=when, cancellation_time="SPECIFIC_DATE" if when else "")

    def change_meter(self) -> None:
        if self.chance.random() < 0.3:
            self.meter.filters = self.chance.choice([[], NAMED])
            self.meter.aggregation = self.chance.choice(list(Aggregation))
            self.meter.save()

    def bill(self) -> None:
        Slice.objects.update(taken_revision=F("revision"))

    def close_some(self) -> None:
        """Close what began before some moment: what is told of later hours waits."""
        moment = self.moment()
        close(upto=moment, now=moment, zone=self.zone)

    def close(self) -> None:
        """Close all that is told, and compare."""
        is_at_once = closing._CHUNK == 500 and hours._MOST == 2_000  # else hours change more than once, in either way
        now = self.moment()

        def run() -> tuple[Closed | None, State]:
            closed = close(upto=LATER, now=now, zone=self.zone)
            return (closed, state()) if is_at_once else (None, state(but_revisions=True))

        with transaction.atomic(), self.monkeypatch.context() as patched:
            patched.setattr(closing, "count_hours", whole_periods.count_hours)
            wanted = run()
            transaction.set_rollback(True)
        assert run() == wanted


@pytest.mark.parametrize("is_plain", [True, False], ids=["events only", "and terms change"])
@pytest.mark.parametrize("seed", _SEEDS)
def test_slices_are_those_of_whole_periods_counted_anew(
    seed: int, is_plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(seed, monkeypatch, is_plain=is_plain)
    for _ in range(25):
        stream.chance.choice(stream.steps)()
    stream.close()
