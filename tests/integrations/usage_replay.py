"""What must be billed, worked out from the events alone by a replay that shares nothing with the program."""

from collections import defaultdict
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

    def must_be_billed(self, zone: str) -> dict[int, Decimal]:
        """Replay what was used, hour by hour, cut at midnight in the zone of the bills and where the price changed.

        Returns the quantity by unit price.
        """
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
            change = in_use - before - debt
            debt = max(-change, ZERO)
            totals[self._price(begin)] += max(change, ZERO)
        return totals

    def _window(self, at: datetime, zone: str) -> datetime:
        """Return when the part of the hour begins that is billed apart."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        local = at.astimezone(ZoneInfo(zone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(at.tzinfo)
        return max(hour, midnight, *(moment for moment, _ in self.moves if moment <= at), at - timedelta(hours=1))

    def _price(self, at: datetime) -> int:
        return max(((moment, price) for moment, price in self.moves if moment <= at), default=(at, 1))[1]


def _moment(report: UsageReport) -> datetime:
    assert report.at is not None
    return report.at
