"""What is made up for in other terms than it was used in: at another price, or under another coupon.

What is on an invoice stays there. What was billed too much of it, or too little, other records of its charge's number
make up for, and by quantity alone: the money is right only where both were sold alike. It makes no difference to that
whether the record that makes up is billed itself by now.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Q

from catalog.models import BillingPeriod, Price
from integrations.models import UsageCharge, UsageRecord
from integrations.usage_coupons import CouponsOfDays, Discount, discount_of, in_words
from integrations.usage_prices import BilledOtherwise, Paid, Prices, PricesOfDays, cost_of, has_tiers
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.periods import current_period
from subscriptions.tenure import Stretch

ZERO = Decimal(0)


#: What makes up for others, or is made up for.
MAKES_UP = Q(taken__gt=0) | ~Q(owed=0) | Q(slice=None)
_WHY = "what was billed wrong is made up for by quantity alone. Credit or charge what the two differ by in Zuora."


def made_up_in_other_terms(
    charge: UsageCharge, records: Collection[UsageRecord], *, price: Price, held: Sequence[Stretch], tenant: Tenant
) -> list[BilledOtherwise]:
    """Return what these records bill in other terms than it was used in, in that they make up for earlier ones.

    `price` is the charge's in any version, `held` what the subscription held when. Nothing is read where none of the
    records makes up for anything.
    """
    if not any(_over(one) or _under(one) for one in records):
        return []
    rows = list(charge.records.filter(MAKES_UP).select_related("slice").order_by("starts_at", "pk"))
    terms = _TermsOfRecords(charge, rows, price=price, held=held, tenant=tenant)
    told, found = {one.pk for one in records}, dict[tuple[str, str], Decimal]()
    for number in sorted({charge.pool_of(one.charge_number) for one in rows}):
        pool = [one for one in rows if charge.pool_of(one.charge_number) == number and (_over(one) or _under(one))]
        by_line = terms.differ_by_line(number, pool)
        over = [_Side(one, _over(one), terms.of(one, by_line=by_line)) for one in pool if _over(one)]
        under = [_Side(one, _under(one), terms.of(one, by_line=by_line)) for one in pool if _under(one)]
        for billed, used, quantity in _unlike(over, under):
            later = max(billed.record, used.record, key=lambda one: (one.starts_at, one.pk))
            if later.pk in told:
                words = used.terms.unlike(billed.terms), billed.terms.unlike(used.terms)
                found[words] = found.get(words, ZERO) + quantity
    return [BilledOtherwise(quantity, *words, why=_WHY) for words, quantity in found.items()]


def _over(one: UsageRecord) -> Decimal:
    """Return how much more a record bills than was used in its slice; of a correction that is all."""
    open_more: Decimal = one.wanted if one.is_correction else ZERO
    return max(-one.owed, ZERO) if one.is_billed else open_more


def _under(one: UsageRecord) -> Decimal:
    """Return how much less a record bills than was used in its slice."""
    open_less: Decimal = one.taken
    return max(one.owed, ZERO) if one.is_billed else open_less


@dataclass(frozen=True, slots=True)
class _Line:
    """The days of an invoice line, from `first` up to, and without, `end`, and the price at which it is billed."""

    first: date
    end: date
    paid: Paid | None


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is paid, and what a coupon takes off: equal where both come to the same.

    Tiers are counted by line: `tiers_of` is the first day of its line, where that makes a difference.
    """

    paid: Paid | None
    discount: Discount | None
    tiers_of: date | None
    price: str = field(compare=False)
    coupon: str = field(compare=False)

    def unlike(self, other: "_Terms") -> str:
        """Return in words what of it is otherwise in the other terms."""
        parts = [self.price] if (self.paid, self.tiers_of) != (other.paid, other.tiers_of) else []
        return " ".join([*parts, self.coupon] if self.discount != other.discount else parts)


@dataclass(slots=True)
class _Side:
    record: UsageRecord
    quantity: Decimal
    terms: _Terms


def _unlike(over: list[_Side], under: list[_Side]) -> Iterator[tuple[_Side, _Side, Decimal]]:
    """Yield what was billed in other terms than it was used in, the earliest first.

    Whatever the pairs are, they come to the same money; so what is alike goes together first, and fewest are told of.
    """
    for terms in {one.terms for one in over}:
        for _ in _pairs([one for one in over if one.terms == terms], [one for one in under if one.terms == terms]):
            pass
    yield from _pairs([one for one in over if one.quantity], [one for one in under if one.quantity])


def _pairs(over: list[_Side], under: list[_Side]) -> Iterator[tuple[_Side, _Side, Decimal]]:
    """Yield who goes together with whom, and how much of it, and leave to each what is left."""
    while over and under:
        first, second = over[0], under[0]
        quantity = min(first.quantity, second.quantity)
        first.quantity -= quantity
        second.quantity -= quantity
        yield first, second, quantity
        for sides in (over, under):
            if not sides[0].quantity:
                sides.pop(0)


class _TermsOfRecords:
    """The terms in which a slice was used, or in which a correction, having none, is billed: those of its day."""

    def __init__(
        self,
        charge: UsageCharge,
        records: Sequence[UsageRecord],
        *,
        price: Price,
        held: Sequence[Stretch],
        tenant: Tenant,
    ) -> None:
        self._charge, self._tenant, self._subscription = charge, tenant, held[0].subscription
        self._period = BillingPeriod(price.billing_period)
        self._of_day = PricesOfDays(price, held, tenant)
        own = {one.slice.price_id for one in records if one.slice is not None}
        self._prices = Prices({*self._of_day.versions.values(), *own}, held)
        self._coupons = CouponsOfDays(self._subscription, tenant)

    def of(self, one: UsageRecord, *, by_line: bool) -> _Terms:
        sold, line = self._sold(one), self._line_of(one)
        coupon = self._coupons.on(line.first)
        words = f"at {self._prices.in_words(*sold)}" if sold else "at another price"
        return _Terms(
            paid=self._prices.of(*sold) if sold else None,
            discount=discount_of(coupon),
            tiers_of=line.first if by_line else None,
            price=f"{words} counted from {line.first}" if by_line else words,
            coupon=in_words(coupon),
        )

    def differ_by_line(self, number: str, records: Iterable[UsageRecord]) -> bool:
        """Whether the lines of these records come to something else than if each held what was used in its days.

        A price without tiers comes to the same in whichever line.
        """
        lines = {line for one in records if (line := self._line_of(one)).paid and has_tiers(line.paid)}
        more: dict[Paid, Decimal] = {}
        for line in lines:
            if line.paid is not None:
                billed, used = self._quantities(number, line)
                more[line.paid] = more.get(line.paid, ZERO) + cost_of(line.paid, billed) - cost_of(line.paid, used)
        return any(more.values())

    def _quantities(self, number: str, line: _Line) -> tuple[Decimal, Decimal]:
        """Return what the line bills, or is to bill, and what was used in its days."""
        low, high = (datetime.combine(day, time(), tzinfo=self._tenant.time_zone) for day in (line.first, line.end))
        records = self._charge.records_under(number).filter(starts_at__gte=low, starts_at__lt=high).order_by()
        rows = list(records.values_list("wanted", "slice__quantity"))
        return sum((wanted for wanted, _ in rows), ZERO), sum((used or ZERO for _, used in rows), ZERO)

    def _sold(self, one: UsageRecord) -> tuple[int, datetime] | None:
        if one.slice is not None:
            return one.slice.price_id, one.slice.starts_at
        return self._of_day.last(self._tenant.day(one.starts_at))

    def _line_of(self, one: UsageRecord) -> _Line:
        """Return the line that bills it: of its billing period the days on which charge and price are the same.

        Zuora's billing periods are whole days, whatever the hour at which the subscription began.
        """
        day = self._tenant.day(one.starts_at)
        period = current_period(
            start=_midnight(self._tenant.day(self._subscription.billing_anchor)),
            billing_period=self._period,
            now=_midnight(day),
        )
        begun, _ = self._charge.time_of(one.charge_number)
        first, end = max(period.start.date(), begun or date.min), period.end.date()
        paid: Paid | None = None
        for version, start in self._of_day.sold_by(end - timedelta(days=1)):
            now = self._prices.of(version, start) if version is not None else None
            if now != paid and (changed := self._tenant.day(start)) <= day:
                first = max(first, changed)
            elif now != paid:
                end = min(end, changed)
                break
            paid = now
        return _Line(first, end, paid)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
