"""One charge of one subscription in one billing period: what events, slices and Zuora say of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from catalog.models import BillingModel, Price
from integrations.models import Connection, SyncRecord, UsageCharge, UsageRecord
from integrations.usage_differences import Seen, Sums, changed_there, differences, no_longer_billed, plain
from integrations.usage_otherwise import billed_otherwise
from integrations.usage_reading import Held, Row, quantity_of
from integrations.zuora.mapping import keys
from integrations.zuora.push.usage.charges import as_noted
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from subscriptions.periods import Period
from subscriptions.tenure import Stretch, stretches
from usage.adding import Total
from usage.counting import Source, Span, used
from usage.metering import InForce, in_force, made_later, meter_of
from usage.models import DirtyHour, Slice
from usage.overdue import why_not_counted
from usage.remetering import to_recount
from usage.selling import Owner, owner_of, stretches_of, unbroken, was_sold
from usage.windows import Window, ends_at

ZERO = Decimal(0)


@dataclass(frozen=True)
class Line:
    """One charge of one subscription in one billing period; equal when there are no differences."""

    subscription: str
    charge: str
    number: str
    start: datetime
    end: datetime
    sums: Sums
    differences: tuple[str, ...]
    changed_there: tuple[int, ...] = ()
    no_longer_billed: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the line as the report has it: numbers and times as text."""
        return {
            "subscription": self.subscription,
            "charge": self.charge,
            "number": self.number,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            **{name: plain(amount) for name, amount in vars(self.sums).items()},
            "differences": list(self.differences),
        }


@dataclass
class _Far:
    """The usage records that Zuora holds for one subscription, by what they are ours by."""

    ours: dict[str, list[Row]] = field(default_factory=dict)
    foreign: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Compared:
    """A subscription to be compared, in these periods, and what it is in Zuora."""

    subscription: Subscription
    record: SyncRecord
    periods: Sequence[Period]
    account_id: str

    @property
    def is_linked(self) -> bool:
        return self.record.is_linked


class Comparison:
    """Compares one subscription."""

    def __init__(self, connection: Connection, one: Compared, held: Held, upto: datetime) -> None:
        self._connection, self._upto = connection, upto
        self._subscription, self._record, self._periods = one.subscription, one.record, one.periods
        self._slices = Slice.objects.filter(subscription=one.subscription, starts_at__lt=upto)
        self._records = UsageRecord.objects.filter(connection=connection, charge__subscription=one.subscription)
        self._held, self._tenant = held, tenant_of(connection)
        self._known = {
            one.key: one for one in UsageCharge.objects.filter(connection=connection, subscription=one.subscription)
        }
        self._meters: dict[int, list[InForce]] = {}
        noted = {number: as_noted(one, number) for one in self._known.values() for number in one.numbers}
        self._charges_shown = {**noted, **held.charges}

    def lines(self) -> Iterator[Line]:
        charges: dict[tuple[Owner, str, int | None], Price] = {}
        for price in [*self._prices(), *self._prices_not_in_slices()]:
            charges.setdefault((owner_of(price), price.billing_period, price.feature_id), price)
        far = self._sorted_out()
        for price in charges.values():
            key = keys.charge_key(keys.package_key(price.package), price)
            for period in self._periods:
                yield self._line(price, key, self._known.get(key), period, far)

    def _prices(self) -> QuerySet[Price]:
        counted = Price.objects.filter(slices__subscription=self._subscription, feature__isnull=False)
        return counted.distinct().select_related("plan", "addon", "feature")

    def _prices_not_in_slices(self) -> Iterator[Price]:
        """Yield those of usage that was told and is not counted: its charge may have no slice at all yet."""
        held = list(stretches(self._subscription))
        waiting = DirtyHour.objects.filter(_whose(held), hour__lt=self._upto)
        by_usage = Price.objects.filter(billing_model=BillingModel.USAGE_BASED, feature__in=waiting.values("feature"))
        for price in by_usage.select_related("plan", "addon", "feature"):
            if was_sold(held, price):
                yield price

    def _sorted_out(self) -> _Far:
        far, rows = _Far(), self._held.rows
        said = {row["Description"] for row in rows if "Description" in row}
        ours = set(self._records.filter(external_key__in=said).values_list("external_key", flat=True))
        for row in rows:
            if row.get("Description") in ours:
                far.ours.setdefault(row["Description"], []).append(row)
            else:
                far.foreign.append(row)
        return far

    def _line(self, price: Price, key: str, charge: UsageCharge | None, period: Period, far: _Far) -> Line:
        owner = {"price__plan": price.plan_id} if price.plan_id else {"price__addon": price.addon_id}
        # What a SET took back is carried on into another billing period's charge, too.
        following = self._slices.filter(price__feature=price.feature_id, **owner)
        of_charge = following.filter(price__billing_period=price.billing_period)
        mine = of_charge.filter(starts_at__gte=period.start, starts_at__lt=period.end)
        spans = list(self._spans(price, period))
        records = self._records_of(charge, mine, period)
        rows = [row for one in records for row in far.ours.get(one.external_key, [])]
        foreign = [row for row in far.foreign if charge and _is_billed_by(row, charge, period)]
        sums = Sums(
            events=sum((used(source, span).change for source, span in spans), ZERO),
            carried=sum(
                (_carry_before(following, span.start) - _carry_before(following, span.end) for _, span in spans), ZERO
            ),
            slices=mine.aggregate(total=Total("quantity"))["total"] or ZERO,
            moved=sum((one.wanted - (one.slice.quantity if one.slice else ZERO) for one in records), ZERO),
            zuora=sum((quantity_of(row) for row in [*rows, *foreign]), ZERO),
        )
        without = mine.filter(quantity__gt=0).exclude(pk__in=[one.slice_id for one in records if one.slice_id])
        held = list(stretches(self._subscription))
        is_last = period.end >= min(self._upto, ends_at(self._subscription) or self._upto)
        seen = Seen(
            sums=sums,
            records=records,
            rows=far.ours,
            foreign=foreign,
            charges=self._charges_shown,
            day=self._tenant.day,
            unclosed=self._unclosed(price, period),
            meter_made_at=made_later(self._in_force(price), self._subscription, at=period.start),
            has_another_meter=sums.events + sums.carried != sums.slices and price.feature_id in to_recount(),
            waiting=list(without.order_by("starts_at").values_list("starts_at", "quantity")),
            waits_for=self._waits(),
            unabsorbed=charge.unabsorbed if charge is not None and is_last else ZERO,
            otherwise=billed_otherwise(charge, records, price=price, held=held, tenant=self._tenant) if charge else [],
        )
        number = charge.number if charge else ""
        found = (tuple(differences(seen)), tuple(changed_there(seen)), tuple(no_longer_billed(seen)))
        return Line(self._subscription.ref_id, key, number, period.start, period.end, sums, *found)

    def _records_of(self, charge: UsageCharge | None, mine: QuerySet[Slice], period: Period) -> list[UsageRecord]:
        own = list(self._records.filter(slice__in=mine).select_related("slice").order_by("starts_at"))
        if charge is None:
            return own
        corrections = self._records.filter(
            charge=charge, slice=None, starts_at__gte=period.start, starts_at__lt=period.end
        )
        return own + list(corrections.order_by("starts_at"))

    def _spans(self, price: Price, period: Period) -> Iterator[Span]:
        """Yield the times in which the charge was sold, each with whose usage it was then."""
        begin = max(period.start, self._subscription.billing_anchor)
        end = min(period.end, self._upto, ends_at(self._subscription) or self._upto)
        feature_id = price.feature_id or 0
        meter = meter_of(self._in_force(price), self._subscription, at=period.start)
        for held in unbroken(stretches(self._subscription), price):
            source = Source(held.terms.customer_id, feature_id, held.terms.resource_id, meter)
            whole = Window(max(begin, held.start), min(end, held.end or end))
            if whole.start < whole.end:
                yield source, whole

    def _in_force(self, price: Price) -> list[InForce]:
        feature_id = price.feature_id or 0
        if feature_id not in self._meters:
            self._meters |= in_force([feature_id], now=self._upto)
        return self._meters[feature_id]

    def _unclosed(self, price: Price, period: Period) -> list[tuple[datetime, str]]:
        dirty = DirtyHour.objects.filter(
            _whose(stretches_of(stretches(self._subscription), price)),
            feature=price.feature_id,
            hour__gt=period.start - timedelta(hours=1),
            hour__lt=min(period.end, self._upto),
        )
        return [(one.hour, why_not_counted(one, now=self._upto)) for one in dirty.order_by("hour")]

    def _waits(self) -> str:
        if not self._record.is_linked:
            return "its subscription, which is not in Zuora yet"
        if self._record.is_stopped:
            return "a decision: the subscription is in Zuora, and its sync has stopped"
        return "its charge, or for the next push"


def _whose(held: Iterable[Stretch]) -> Q:
    """Return the condition for what was told of whoever had it in these stretches: nothing where there are none."""
    mine = Q(pk__in=[])
    for one in held:
        mine |= Q(customer=one.terms.customer_id, resource_id=one.terms.resource_id)
    return mine


def _carry_before(slices: QuerySet[Slice], moment: datetime) -> Decimal:
    last = slices.filter(starts_at__lt=moment).order_by("-starts_at")
    return last.values_list("carry", flat=True).first() or ZERO


def _is_billed_by(row: Row, charge: UsageCharge, period: Period) -> bool:
    """Whether the record lands on the charge, by its number or else by its unit, in the period."""
    moment = datetime.fromisoformat(str(row["StartDateTime"]))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    number = row.get("ChargeNumber")
    lands = number in charge.numbers if number else row.get("UOM") == charge.unit or not charge.unit
    return lands and period.start <= moment < period.end
