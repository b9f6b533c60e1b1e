"""What must be billed, worked out from the events alone by a replay that shares nothing with the program."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from subscriptions.models import Subscription
from usage.reporting import UsageReport

ZERO = Decimal(0)


@dataclass
class Told:
    """What an application has reported for one subscription, once each, and what it costs from when on."""

    subscription: Subscription
    first_customer: str
    end: datetime | None = None
    reports: list[UsageReport] = field(default_factory=list)
    #: What raw events add to it by a meter of SUM, by when they happened.
    metered: list[tuple[datetime, Decimal]] = field(default_factory=list)
    moves: list[tuple[datetime, int]] = field(default_factory=list)
    #: The price of its own, once one is agreed on.
    agreed: int = 0
    #: When its add-on, which charges the same usage once more, was taken and taken away, in turn.
    addon: list[datetime] = field(default_factory=list)
    #: Who had it for which resource, from when on, after whoever had it first.
    holders: list[tuple[datetime, str, str]] = field(default_factory=list)

    def holder(self, at: datetime) -> tuple[str, str]:
        """Return whose usage it is at a moment: the reference id of a customer, and a resource."""
        first = (self.subscription.start_date, self.first_customer, "")
        return max((one for one in [first, *self.holders] if one[0] <= at), key=lambda one: one[0], default=first)[1:]

    def must_be_billed(self, zone: str) -> dict[int, Decimal]:
        """Replay what was used, hour by hour, cut at midnight in the zone of the bills and where what is sold changed.

        Returns the quantity of the plan by unit price.
        """
        return self._replayed(zone, priced=self._price)

    def changed_addon_lately(self, now: datetime) -> bool:
        return bool(self.addon) and now - self.addon[-1] < timedelta(hours=49)

    def must_be_billed_of_addon(self, zone: str) -> dict[int, Decimal]:
        """Return the quantity of the add-on for each time that it was held: the first is 1."""
        return self._replayed(zone, priced=self._of_addon)

    def _replayed(self, zone: str, *, priced: Callable[[datetime], int | None]) -> dict[int, Decimal]:
        windows: dict[datetime, list[UsageReport]] = defaultdict(list)
        for one in sorted(self.reports, key=_moment):
            at = _moment(one)
            assert self.subscription.start_date <= at
            assert self.end is None or at < self.end
            windows[self._window(at, zone)].append(one)
        added: dict[datetime, Decimal] = defaultdict(Decimal)
        for at, amount in self.metered:
            added[self._window(at, zone)] += amount
        totals: dict[int, Decimal] = defaultdict(Decimal)
        in_use: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        debt = ZERO
        for begin in sorted({*windows, *added}):
            whose = self.holder(begin)
            before = in_use[whose]
            for one in windows[begin]:
                assert whose == (one.customer, one.resource)
                in_use[whose] = one.value if one.behavior.value == "SET" else in_use[whose] + one.value
            unit = priced(begin)
            if unit is not None:
                change = in_use[whose] - before + added[begin] - debt
                debt = max(-change, ZERO)
                totals[unit] += max(change, ZERO)
        return totals

    def _window(self, at: datetime, zone: str) -> datetime:
        """Return when the part of the hour begins that is billed apart."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        local = at.astimezone(ZoneInfo(zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(at.tzinfo)
        changes = [*(moment for moment, _ in self.moves), *self.addon, *(moment for moment, _, _ in self.holders)]
        return max(hour, midnight, *(moment for moment in changes if moment <= at), at - timedelta(hours=1))

    def _of_addon(self, at: datetime) -> int | None:
        times = sum(moment <= at for moment in self.addon)
        return times // 2 + 1 if times % 2 else None

    def _price(self, at: datetime) -> int:
        return max(((moment, price) for moment, price in self.moves if moment <= at), default=(at, 1))[1]


def _moment(report: UsageReport) -> datetime:
    assert report.at is not None
    return report.at
