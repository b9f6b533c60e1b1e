"""Slices never go below zero: what a SET takes back beyond that is taken from the slices that follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from heapq import merge

from django.db.models import QuerySet

from usage.models import Slice

ZERO = Decimal(0)
_CHUNK = 500


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


def carry_through(sequence: QuerySet[Slice], drafts: Sequence[Draft]) -> list[Draft]:
    """Bring the slices of one charge to what they are once these drafts are in; return all that are to be stored.

    `sequence` are all stored slices of the charge. Only those are read that the drafts' carry reaches.
    """
    drafts = sorted(drafts, key=_starts_at)
    reached: list[Draft] = []
    while drafts:
        first, *drafts = drafts
        before = _carry_before(sequence, first.slice)
        first.give(before)
        reached.append(first)
        known = before if first.stored_carry is None else first.stored_carry
        if first.slice.carry != known:
            followers = _reach(sequence, first, drafts, known)
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


def _carry_before(sequence: QuerySet[Slice], one: Slice) -> Decimal:
    earlier = sequence.filter(starts_at__lt=one.starts_at).order_by("-starts_at")
    return earlier.values_list("carry", flat=True).first() or ZERO


def _starts_at(one: Draft) -> datetime:
    return one.slice.starts_at
