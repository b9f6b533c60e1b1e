"""Slices never go below zero: what a SET takes back beyond that is taken from the slices that follow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import merge

from django.db import connection
from django.db.models import Q, QuerySet

from usage.models import Slice
from usage.selling import Owner, Sold
from usage.spans import exact, read, rows_of

ZERO = Decimal(0)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge of a subscription, in whichever version it was sold: its slices build on each other."""

    subscription_id: int
    owner: Owner
    feature_id: int

    @property
    def slices(self) -> QuerySet[Slice]:
        """All stored slices of the charge."""
        plan_id, addon_id = self.owner
        owner = Q(price__plan=plan_id) if plan_id is not None else Q(price__addon=addon_id)
        return Slice.objects.filter(owner, subscription=self.subscription_id, price__feature=self.feature_id)


@dataclass
class Draft:
    """A slice as it is to be; `stored_carry` is what its followers were computed with, None for a new one."""

    slice: Slice
    stored_carry: Decimal | None = None
    was: tuple[object, ...] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.slice._state.adding:  # noqa: SLF001 - Django's public name for it
            self.stored_carry = self.slice.carry
            self.was = self._state()

    def give(self, carry: Decimal) -> None:
        """Let the slice give what the ones before it could not."""
        total = self.slice.change + carry
        self.slice.quantity, self.slice.carry = max(total, ZERO), min(total, ZERO)

    @property
    def has_changed(self) -> bool:
        """Whether anything of a stored slice differs; a new one has changed."""
        return self.was != self._state()

    @property
    def quantity_has_changed(self) -> bool:
        return self.was is None or self.was[0] != self.slice.quantity

    def _state(self) -> tuple[object, ...]:
        one = self.slice
        return one.quantity, one.change, one.carry, one.event_count, one.ends_at


#: What the slices before a moment left to a charge's next one.
Carried = Mapping[tuple[Charge, datetime], Decimal]


def carried_before(moments: Iterable[tuple[Charge, datetime]], *, sold: Sold) -> Carried:
    """Return what the stored slices of charges carry into moments; one statement."""
    given = [
        (charge, moment, price_id)
        for charge, moment in moments
        for price_id in sold.versions[charge.owner, charge.feature_id]
    ]
    rows, texts = rows_of(_BEFORE, [(charge.subscription_id, price_id, at) for charge, at, price_id in given])
    found: dict[tuple[Charge, datetime], Decimal] = {}
    # Whichever version was sold last; the latest slice is the last one read.
    for n, carry in read(_CARRIED[connection.vendor].format(rows=rows), texts):
        charge, moment, _ = given[n - 1]
        found[charge, moment] = exact(carry)
    return found


_BEFORE = {"subscription_id": "bigint", "price_id": "bigint", "before": "timestamptz"}
_LATEST = """FROM usage_slice earlier
  WHERE earlier.subscription_id = span.subscription_id AND earlier.price_id = span.price_id
  AND earlier.starts_at < span.before ORDER BY earlier.starts_at DESC LIMIT 1"""
#: LATERAL, because PostgreSQL may as well read the whole table for a join by id; SQLite has none.
_CARRIED = {
    "postgresql": f"""
SELECT span.n, slice.carry FROM {{rows}} CROSS JOIN LATERAL (
  SELECT earlier.carry, earlier.starts_at {_LATEST}
) slice ORDER BY slice.starts_at""",  # noqa: S608 - our own words
    "sqlite": f"""
SELECT span.n, slice.carry FROM {{rows}} JOIN usage_slice slice ON slice.id = (SELECT earlier.id {_LATEST})
ORDER BY slice.starts_at""",  # noqa: S608 - our own words
}


def carry_through(charge: Charge, drafts: Sequence[Draft], *, carried: Carried) -> list[Draft]:
    """Bring the slices of one charge to what they are once these drafts are in; return all that are to be stored.

    Only those are read that the drafts' carry reaches. `carried` is known for each draft's beginning.
    """
    drafts = sorted(drafts, key=_starts_at)
    reached: list[Draft] = []
    while drafts:
        first, *drafts = drafts
        before = carried.get((charge, first.slice.starts_at), ZERO)
        first.give(before)
        reached.append(first)
        known = before if first.stored_carry is None else first.stored_carry
        if first.slice.carry != known:
            followers = _reach(charge.slices, first, drafts, known)
            reached += followers
            drafts = [one for one in drafts if not any(one is other for other in followers)]
    return [one for one in reached if one.has_changed]


def _reach(sequence: QuerySet[Slice], first: Draft, drafts: Sequence[Draft], known: Decimal) -> list[Draft]:
    """Go on from a slice whose carry differs from what is known, until it no longer differs."""
    stored = sequence.filter(starts_at__gt=first.slice.starts_at).exclude(
        pk__in=[one.slice.pk for one in drafts if one.stored_carry is not None]
    )
    unread: Iterator[Draft] = (Draft(one) for one in stored.order_by("starts_at").iterator(chunk_size=_CHUNK))
    carry, reached = first.slice.carry, []
    for one in merge(drafts, unread, key=_starts_at):
        one.give(carry)
        reached.append(one)
        carry = one.slice.carry
        known = known if one.stored_carry is None else one.stored_carry
        if carry == known:
            break
    return reached


def _starts_at(one: Draft) -> datetime:
    return one.slice.starts_at
