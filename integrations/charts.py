"""Bars for a picture: what was synced, what is pending and what failed, over time. Pure geometry, no colours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

#: The picture is drawn in these units, and stretched to the room that there is.
WIDTH, HEIGHT = 1000, 200
#: However little: what there is can be seen.
_LEAST = 3
ZERO = Decimal(0)
KINDS = ("synced", "pending", "failed")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_HOURS_UPTO, _DAYS_UPTO = timedelta(days=3), timedelta(days=62)


@dataclass
class Bar:
    """What lies in one stretch of time, an hour, a day or a month; `label` names it, in UTC."""

    at: datetime
    label: str
    step: str
    synced: Decimal = ZERO
    pending: Decimal = ZERO
    failed: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.synced + self.pending + self.failed

    def add(self, kind: str, amount: Decimal) -> None:
        setattr(self, kind, getattr(self, kind) + amount)


@dataclass(frozen=True)
class Segment:
    """One part of a bar, in units of the picture."""

    kind: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Chart:
    """A picture with its words: `name` tells it from others on the page, `unit` is what is counted."""

    name: str
    title: str
    unit: str
    bars: Sequence[Bar]
    width: int = field(default=WIDTH, init=False)
    height: int = field(default=HEIGHT, init=False)

    @property
    def highest(self) -> Decimal:
        return max((bar.total for bar in self.bars), default=ZERO)

    @property
    def totals(self) -> Mapping[str, Decimal]:
        """How much there is of each kind."""
        return {kind: sum((getattr(bar, kind) for bar in self.bars), ZERO) for kind in KINDS}

    @property
    def used_bars(self) -> list[Bar]:
        """The bars that hold something: the rows of the table."""
        return [bar for bar in self.bars if bar.total]

    @property
    def named_bars(self) -> list[Bar]:
        """The first, the middle and the last bar, whose names are written beneath."""
        places = {0, len(self.bars) // 2, len(self.bars) - 1} if self.bars else ()
        return [self.bars[place] for place in sorted(places)]

    @property
    def drawn(self) -> list[tuple[Bar, list[Segment]]]:
        """Each bar with its parts, the synced one at the bottom."""
        return [(bar, list(self._segments(place, bar))) for place, bar in enumerate(self.bars) if bar.total]

    def _segments(self, place: int, bar: Bar) -> Iterable[Segment]:
        step = WIDTH / len(self.bars)
        width = max(1, round(step * 0.8))
        top = HEIGHT
        for kind in KINDS:
            amount = getattr(bar, kind)
            if amount > 0:
                height = min(max(_LEAST, round(amount * HEIGHT / self.highest)), max(top, _LEAST))
                top = max(top - height, 0)
                yield Segment(kind, round(step * place + step * 0.1), top, width, height)


def bars_between(start: datetime, end: datetime) -> tuple[list[Bar], str]:
    """Return empty bars from `start` up to `end`, and what each stands for: an hour, a day or a month; UTC."""
    span = end - start
    if span <= _HOURS_UPTO:
        return _bars(start.replace(minute=0, second=0, microsecond=0), end, HOUR, "%b %-d, %H:%M", "hour"), "hour"
    if span <= _DAYS_UPTO:
        return _bars(_midnight(start), end, DAY, "%b %-d", "day"), "day"
    months, at = [], _midnight(start).replace(day=1)
    while at < end:
        months.append(Bar(at, f"{at:%B %Y}", "month"))
        at = (at + timedelta(days=32)).replace(day=1)
    return months, "month"


def fill(bars: Sequence[Bar], amounts: Iterable[tuple[datetime, str, Decimal]]) -> None:
    """Add amounts, each with its moment and kind, to the bars that they fall into."""
    place = 0
    for at, kind, amount in sorted(amounts, key=lambda one: one[0]):
        while place + 1 < len(bars) and bars[place + 1].at <= at:
            place += 1
        bars[place].add(kind, amount)


def _bars(at: datetime, end: datetime, span: timedelta, label: str, step: str) -> list[Bar]:
    count = -(-(end - at) // span)
    return [Bar(at + span * place, f"{at + span * place:{label}}", step) for place in range(count)]


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
