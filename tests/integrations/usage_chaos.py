"""A month of bad luck by seed: random usage and faults, dying workers, bill runs at any time; and what must be billed.

What must be billed is worked out by `usage_replay`, from the events alone; `usage_billed` holds it against the bills.
"""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from unittest.mock import patch
from zoneinfo import ZoneInfo

from django.test import override_settings

from catalog.models import CancellationTime
from integrations import sweeping, usage_sync
from integrations.operating import Impossible
from integrations.zuora.client.actions import MOST_OBJECTS
from integrations.zuora.push.usage import batches
from subscriptions.cancelling import cancel
from subscriptions.handing_over import delegate, transfer
from subscriptions.scheduling import update
from subscriptions.wanted import Content
from tests.factories.customers import CustomerFactory
from tests.integrations.deaths import dying
from tests.integrations.price_changes import agree, sell_dearer
from tests.integrations.usage_billed import Charged, bill, billed_so_far, check
from tests.integrations.usage_mishaps import FAULTS, FILE_PLACES, PLACES, ZONES
from tests.integrations.usage_replay import Told
from tests.integrations.usage_world import HOUR, START, UsageWorld
from usage.models import UpdateBehavior
from usage.reporting import RawEvent, UsageReport, report_events, report_usage

if TYPE_CHECKING:
    from collections.abc import Callable

_DEAD = "elsewhere:1:dead"
#: New York puts its clocks forward two days before the start; Auckland puts them back two days after this.
_LATER = timedelta(days=24)


@dataclass
class Chaos:
    """One seed's run."""

    tenant: UsageWorld
    chance: random.Random
    by_file: bool = False
    most_objects: int = MOST_OBJECTS
    zone: str = "UTC"
    begin: datetime = START
    all: list[Told] = field(default_factory=list)
    billed: dict[Charged, Decimal] = field(default_factory=dict)
    was_billed: bool = False
    #: What a bill run billed while a call that moves it to before a new price was on its way, by subscription number.
    caught: dict[str, Decimal] = field(default_factory=dict)

    def run(self) -> None:
        dates = "MM/DD/YYYY" if self.by_file else ""
        with (
            override_settings(ZUORA_USAGE_FILE_DATES=dates, ZUORA_USAGE_FILE_LEAST=1, ZUORA_USAGE_FILE_ALWAYS=True),
            patch.object(batches, "MOST_OBJECTS", self.most_objects),
        ):
            self._live()

    def _live(self) -> None:
        self._begin()
        steps: tuple[tuple[int, Callable[[], None]], ...] = (
            (6, self._use),
            (2, self._repeat),
            (4, self._break),
            (4, self._hour),
            (2, self._sweep),
            (3, self._die),
            (1, self._click),
            (2, self._wait),
            (2, self._bill),
            (1, self._cancel),
            (1, self._change_price),
            (2, self._change_addon),
            (2, self._hand_over),
        )
        for _ in range(self.chance.randint(9, 18)):
            self.chance.choices([step for _, step in steps], [weight for weight, _ in steps])[0]()
        self._end()

    def _begin(self) -> None:
        self.zone = self.chance.choice(ZONES)
        connection = self.tenant.world.connection
        connection.time_zone = self.zone
        connection.save()
        self.tenant.control.set_switches(
            time_zone=self.zone,
            store_transient_failures=self.chance.random() < 0.5,
            job_seconds=self.chance.choice([0, 0, 40, 600]) if self.by_file else 0,
            same_key_other_body=self.chance.choice(["replay", "refuse"]),
        )
        if self.chance.random() < 0.3:
            self.tenant.at(START + _LATER)
        self.begin = self.tenant.now
        for number in range(self.chance.randint(1, 2)):
            sold = self.tenant.sell(f"s{number}", sync=self.chance.random() < 0.7, start_date=self._start())
            self.all.append(Told(sold, sold.customer.ref_id))
        if self.chance.random() < 0.7:
            self._settle()

    def _start(self) -> datetime:
        """Return when a subscription starts: some on a day that February does not have, nor each other month."""
        if self.chance.random() < 0.2:
            return datetime(2026, 1, self.chance.randint(29, 31), self.chance.randrange(24), 30, tzinfo=UTC)
        return self.begin - timedelta(hours=self.chance.randint(48, 70 * 24))

    def _settle(self) -> None:
        with suppress(AssertionError):  # a tenant that is down for longer is no matter here
            self.tenant.world.settle(rounds=8)
        self.tenant.at(self.tenant.now)

    def _use(self) -> None:
        told = self.chance.choice(self.all)
        newest = min(told.end or self.tenant.now, self.tenant.now)
        oldest = max(told.subscription.start_date, newest - timedelta(days=self.chance.choice([1, 1, 3, 40, 40])))
        for _ in range(self.chance.randint(1, 4)):
            span = int((newest - oldest).total_seconds() // 60)
            if span <= 0:
                return
            at = self._often_where_something_was(told, oldest + timedelta(minutes=self.chance.randrange(span)))
            how = self.chance.choice(["DELTA", "DELTA", "DELTA", "SET"])
            value = self.chance.randint(0, 40) if how == "SET" else self.chance.randint(-8, 20)
            customer, resource = told.holder(at)
            if self.chance.random() < 0.25:
                self._happen(told, customer, resource, at)
                continue
            report = UsageReport(
                customer=customer,
                resource=resource,
                feature=self.tenant.feature.ref_id,
                value=Decimal(value),
                behavior=UpdateBehavior(how),
                key=f"{told.subscription.ref_id}-{len(told.reports)}",
                at=at,
            )
            told.reports.append(report)
            report_usage(reports={0: report}, now=self.tenant.now)

    def _happen(self, told: Told, customer: str, resource: str, at: datetime) -> None:
        """Tell of an event that the feature's meter counts."""
        calls = self.chance.randint(-3, 12)
        key = f"{told.subscription.ref_id}-raw-{len(told.metered)}"
        told.metered.append((at, Decimal(calls)))
        event = RawEvent(customer=customer, resource=resource, name="called", key=key, at=at, dimensions={"n": calls})
        report_events(events={0: event}, now=self.tenant.now)

    def _often_where_something_was(self, told: Told, at: datetime) -> datetime:
        """Late usage of an hour that was counted, sent and perhaps billed is what goes wrong most easily."""
        before = [one.at for one in told.reports if one.at and (told.end is None or one.at + HOUR < told.end)]
        if not before or self.chance.random() < 0.5:
            return at
        hour = self.chance.choice(before).replace(minute=0, second=0, microsecond=0)
        late = hour + timedelta(minutes=self.chance.randrange(60))
        return late if told.subscription.start_date <= late <= self.tenant.now else at

    def _repeat(self) -> None:
        told = self.chance.choice(self.all)
        if told.reports:
            report_usage(reports={0: self.chance.choice(told.reports)}, now=self.tenant.now)

    def _break(self) -> None:
        kind, members = self.chance.choice(FAULTS)
        method, path = self.chance.choice(PLACES + FILE_PLACES * 2 if self.by_file else PLACES)
        times = self.chance.randint(1, 2)
        self.tenant.control.add_fault(kind, method=method, path=path, times=times, **members)

    def _hour(self) -> None:
        self.tenant.next_hour()
        self._settle()
        self.tenant.push()

    def _sweep(self) -> None:
        self.tenant.advance(minutes=self.chance.randint(1, 20))
        self.tenant.sweep()

    def _die(self) -> None:
        """A worker dies at any of its steps; what it had claimed is given back after a while."""
        work: Callable[[], None] = self.chance.choice(
            [self._push_and_die, self._push_and_die, self._click, self._settle]
        )
        self.tenant.at(self.tenant.now + timedelta(minutes=self.chance.choice([0, 50])))
        with_answer = self.chance.random() < 0.4
        steps = [4, 4] if with_answer else [12, 80]
        with dying(at=self.chance.randint(1, self.chance.choice(steps)), with_answer=with_answer):
            work()
        self.tenant.advance(minutes=20)
        sweeping.release_stuck(now=self.tenant.now)

    def _push_and_die(self) -> None:
        self.tenant.push(worker=_DEAD)
        self.tenant.sweep(worker=_DEAD)

    def _change_price(self) -> None:
        """Sell a dearer version, or at a price of its own; twice at the most, and perhaps on one day.

        A price of its own goes along to the next version.
        """
        told = self.chance.choice(self.all)
        if told.end is not None or len(told.moves) > 1 or (told.moves and told.moves[0][0] == self.tenant.now):
            return
        if self.chance.random() < 0.4:
            paid = told.agreed = 3 + len(told.moves)
            agree(told.subscription, Decimal(paid), now=self.tenant.now)
        else:
            dearer = sell_dearer(told.subscription, self.tenant)
            paid = told.agreed or dearer
        told.moves.append((self.tenant.now, paid))
        self._settle()
        if len(told.moves) == 1 and self.chance.random() < 0.3:
            self.tenant.advance(hours=self.chance.randint(1, 5))
            self._use()
            self._change_price()

    def _change_addon(self) -> None:
        """Take the add-on, or take it away, days after the last time: of a day in between Zuora bills nothing."""
        told = self.chance.choice(self.all)
        if told.end is not None or told.changed_addon_lately(self.tenant.now):
            return
        told.subscription.refresh_from_db()
        held = {} if len(told.addon) % 2 else {"extra": 1}
        update(subscription=told.subscription, content=Content(addons=held), now=self.tenant.now)
        told.addon.append(self.tenant.now)
        if self.chance.random() < 0.7:
            self._settle()

    def _hand_over(self) -> None:
        """Give it to another customer, whoever paid for it paying on, or to another resource, or have another pay."""
        told = self.chance.choice(self.all)
        if told.end is not None:
            return
        subscription = told.subscription
        subscription.refresh_from_db()
        what = self.chance.random()
        if what < 0.3:
            subscription.paying_customer = None if subscription.paying_customer else CustomerFactory.create()
            subscription.save(update_fields=["paying_customer", "updated_at"])
        elif what < 0.7:
            delegate(subscription=subscription, to=CustomerFactory.create(), now=self.tenant.now)
        else:
            transfer(subscription=subscription, to_resource=f"ws-{len(told.holders)}", now=self.tenant.now)
        if what >= 0.3:
            told.holders.append((self.tenant.now, subscription.customer.ref_id, subscription.resource_id))
        if self.chance.random() < 0.7:
            self._settle()

    def _click(self) -> None:
        told = self.chance.choice(self.all)
        with suppress(Impossible):
            usage_sync.preview(subscription=told.subscription, now=self.tenant.now)
            usage_sync.sync_now(
                subscription=told.subscription,
                actor=None,
                now=self.tenant.now,
                open_client=lambda _: self.tenant.world.client,
            )

    def _wait(self) -> None:
        self.tenant.advance(hours=self.chance.choice([2, 25, 24 * 6]))

    def _bill(self) -> None:
        """Bill what is due today, or, as a finance department may, what is due in a month: the running period too."""
        today = self.tenant.now.astimezone(ZoneInfo(self.zone)).date()
        self.was_billed = True
        bill(self, today + timedelta(days=self.chance.choice([0, 35])))
        self.billed = billed_so_far(self.tenant)

    def _cancel(self) -> None:
        told = self.chance.choice(self.all)
        if told.end is None and not told.changed_addon_lately(self.tenant.now):
            told.end = self.tenant.now
            told.subscription.refresh_from_db()
            cancel(subscription=told.subscription, time=CancellationTime.IMMEDIATE, now=self.tenant.now)
            self._settle()

    def _end(self) -> None:
        self.tenant.control.clear_faults()
        self.tenant.next_hour()
        self.tenant.advance(minutes=30)
        self.tenant.settle()
        self.tenant.quiet()
        self.tenant.next_hour()
        self.tenant.quiet()

    def check(self) -> None:
        """Bill everything, and hold it against what must be billed."""
        check(self)
