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
    end: datetime | None = None
    reports: list[UsageReport] = field(default_factory=list)
    moves: list[tuple[datetime, int]] = field(default_factory=list)
    #: When its add-on, which charges the same usage once more, was taken and taken away, in turn.
    addon: list[datetime] = field(default_factory=list)

    def must_be_billed(self, zone: str) -> dict[int, Decimal]:
        """Replay what was used, hour by hour, cut at midnight in the zone of the bills and where what is sold changed.

        Returns the quantity of the plan by unit price.
        """
        return self._replayed(zone, priced=self._price)

    def must_be_billed_of_addon(self, zone: str) -> Decimal:
        """Return the same of the add-on: only while it was held."""
        return sum(self._replayed(zone, priced=self._of_addon).values(), ZERO)

    def _replayed(self, zone: str, *, priced: Callable[[datetime], int | None]) -> dict[int, Decimal]:
        windows: dict[datetime, list[UsageReport]] = defaultdict(list)
        for one in sorted(self.reports, key=_moment):
            at = _moment(one)
            assert self.subscription.start_date <= at
            assert self.end is None or at < self.end
            windows[self._window(at, zone)].append(one)
        totals: dict[int, Decimal] = defaultdict(Decimal)
        in_use = debt = ZERO
        for begin in sorted(windows):
            before = in_use
            for one in windows[begin]:
                in_use = one.value if one.behavior.value == "SET" else in_use + one.value
            unit = priced(begin)
            if unit is not None:
                change = in_use - before - debt
                debt = max(-change, ZERO)
                totals[unit] += max(change, ZERO)
        return totals

    def _window(self, at: datetime, zone: str) -> datetime:
        """Return when the part of the hour begins that is billed apart."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        local = at.astimezone(ZoneInfo(zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(at.tzinfo)
        changes = [*(moment for moment, _ in self.moves), *self.addon]
        return max(hour, midnight, *(moment for moment in changes if moment <= at), at - timedelta(hours=1))

    def _of_addon(self, at: datetime) -> int | None:
        return 1 if sum(moment <= at for moment in self.addon) % 2 else None

    def _price(self, at: datetime) -> int:
        return max(((moment, price) for moment, price in self.moves if moment <= at), default=(at, 1))[1]


def _moment(report: UsageReport) -> datetime:
    assert report.at is not None
    return report.at
