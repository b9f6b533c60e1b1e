"""A month of bad luck by seed: random usage and faults, dying workers, bill runs at any time; and what must be billed.

What must be billed is worked out here from the events alone, by a replay that shares nothing with the program.
"""

import random
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from integrations import usage_reconcile, usage_sync
from integrations.models import UsageCharge, UsageRecord, UsageState
from integrations.operating import Impossible
from subscriptions.cancelling import cancel
from subscriptions.models import CancellationTime, Subscription
from tests.integrations.usage_world import START, UsageWorld
from usage.models import UpdateBehavior
from usage.reporting import UsageReport, report_usage

if TYPE_CHECKING:
    from collections.abc import Callable

ZONES = ("UTC", "UTC", "Asia/Kolkata", "America/New_York", "Pacific/Auckland")
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("reset", {}),
    ("html", {"status": 503}),
    ("html", {"status": 200}),
    ("empty", {}),
    ("timeout", {"seconds": 120}),
    ("delay", {"seconds": 200, "after": True}),
    ("unsuccessful", {}),
    ("status", {"status": 500}),
    ("lock", {}),
    ("limit", {"seconds": 1}),
    ("revoked", {}),
)
PATHS = ("/v1/action/create$", "/v1/action/create$", "/v1/action/update$", "/v1/action/query$", "/v1/")


class KilledError(BaseException):
    """A worker ends here, without a word."""


@dataclass
class Told:
    """What an application has reported for one subscription, once each."""

    subscription: Subscription
    end: datetime | None = None
    reports: list[UsageReport] = field(default_factory=list)

    def must_be_billed(self, zone: str) -> Decimal:
        """Replay what was used, hour by hour and cut at midnight in the zone of the bills."""
        windows: dict[tuple[datetime, str], list[tuple[str, Decimal]]] = defaultdict(list)
        in_use = debt = total = Decimal(0)
        events = sorted(self.reports, key=lambda one: one.at or START)
        for one in events:
            assert one.at is not None
            day = one.at.astimezone(ZoneInfo(zone)).date().isoformat()
            hour = one.at.replace(minute=0, second=0, microsecond=0)
            windows[hour, day].append((one.behavior.value, one.value))
        self._leave_out_what_is_not_covered(events)
        for key in sorted(windows):
            begin = in_use
            for how, value in windows[key]:
                in_use = value if how == "SET" else in_use + value
            change = in_use - begin - debt
            total, debt = total + max(change, Decimal(0)), max(-change, Decimal(0))
        return total

    def _leave_out_what_is_not_covered(self, events: list[UsageReport]) -> None:
        """Nothing is told before the start, and nothing after the end: the replay need not know them."""
        for one in events:
            assert one.at is not None
            assert one.at >= self.subscription.start_date
            assert self.end is None or one.at < self.end


@dataclass
class Chaos:
    """One seed's run."""

    tenant: UsageWorld
    chance: random.Random
    zone: str = "UTC"
    all: list[Told] = field(default_factory=list)
    billed: dict[str, Decimal] = field(default_factory=dict)

    def run(self) -> None:
        self._begin()
        steps: tuple[tuple[int, Callable[[], None]], ...] = (
            (6, self._use),
            (2, self._repeat),
            (4, self._break),
            (4, self._hour),
            (2, self._sweep),
            (2, self._die),
            (1, self._click),
            (2, self._wait),
            (2, self._bill),
            (1, self._cancel),
        )
        for _ in range(self.chance.randint(10, 20)):
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
            same_key_other_body=self.chance.choice(["replay", "refuse"]),
        )
        for number in range(self.chance.randint(1, 2)):
            start = START - timedelta(hours=self.chance.randint(48, 70 * 24))
            self.all.append(Told(self.tenant.sell(f"s{number}", sync=self.chance.random() < 0.7, start_date=start)))
        if self.chance.random() < 0.7:
            self._settle()

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
            at = oldest + timedelta(minutes=self.chance.randrange(span))
            how = self.chance.choice(["DELTA", "DELTA", "DELTA", "SET"])
            value = self.chance.randint(0, 40) if how == "SET" else self.chance.randint(-8, 20)
            report = UsageReport(
                customer=told.subscription.customer.ref_id,
                feature=self.tenant.feature.ref_id,
                value=Decimal(value),
                behavior=UpdateBehavior(how),
                key=f"{told.subscription.ref_id}-{len(told.reports)}",
                at=at,
            )
            told.reports.append(report)
            report_usage(reports={0: report}, now=self.tenant.now)

    def _repeat(self) -> None:
        told = self.chance.choice(self.all)
        if told.reports:
            report_usage(reports={0: self.chance.choice(told.reports)}, now=self.tenant.now)

    def _break(self) -> None:
        kind, members = self.chance.choice(FAULTS)
        self.tenant.control.add_fault(
            kind, method="POST", path=self.chance.choice(PATHS), times=self.chance.randint(1, 2), **members
        )

    def _hour(self) -> None:
        self.tenant.next_hour()
        self._settle()
        self.tenant.push()

    def _sweep(self) -> None:
        self.tenant.advance(minutes=self.chance.randint(1, 20))
        self.tenant.sweep()

    def _die(self) -> None:
        """A worker dies with the answer in its hand, or just before it writes down that none came."""
        where = self.chance.choice(["_finish", "_put_off"])
        sending = "integrations.zuora.push.usage.sending"
        with patch(f"{sending}.{where}", _killed), patch(f"{sending}._leave", _nothing), suppress(KilledError):
            self.tenant.push(worker="elsewhere:1:dead")
            self.tenant.sweep(worker="elsewhere:1:dead")
        self.tenant.advance(minutes=20)

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
        self.billed = self.tenant.bill(today + timedelta(days=self.chance.choice([0, 35])))

    def _cancel(self) -> None:
        told = self.chance.choice(self.all)
        if told.end is None:
            told.end = self.tenant.now
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
        before = dict(self.billed)
        stuck = UsageRecord.objects.filter(state=UsageState.FAILED).values_list("external_key", "reason")
        assert list(stuck) == []
        keys = [one["Description"] for one in self.tenant.world.rows("Usage")]
        assert len(keys) == len(set(keys))
        right = {f"stigg--{told.subscription.ref_id}": told.must_be_billed(self.zone) for told in self.all}
        self._reconcile(right, before)
        after = self.tenant.bill((self.tenant.now + timedelta(days=110)).date())
        expected = {number: max(total, before.get(number, Decimal(0))) for number, total in right.items()}
        assert {number: after.get(number, Decimal(0)) for number in right} == expected
        too_much = sum((expected[number] - total for number, total in right.items()), Decimal(0))
        assert sum(UsageCharge.objects.values_list("unabsorbed", flat=True), Decimal(0)) == too_much

    def _reconcile(self, right: dict[str, Decimal], before: dict[str, Decimal]) -> None:
        lines = list(
            usage_reconcile.reconcile_usage(
                connection=self.tenant.world.connection,
                client=self.tenant.world.client,
                now=self.tenant.now,
                whole=True,
            )
        )
        found = [difference for line in lines for difference in line.differences]
        told = sum(before.get(number, Decimal(0)) > total for number, total in right.items())
        assert [one for one in found if "billed too much" not in one] == []
        assert len(found) == told


def _killed(*_args: Any, **_named: Any) -> None:
    raise KilledError


def _nothing(*_args: Any, **_named: Any) -> None:
    """The dead write nothing."""
