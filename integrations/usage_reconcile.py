"""Whether events, slices and Zuora say the same, to the last digit; every difference is named.

Three sums per subscription, charge and billing period. Between events and slices lies what a SET took back and later
slices gave (`carried`); between slices and Zuora what was billed already and is made up for elsewhere (`moved`). Both
are explained amounts, row by row; what they do not explain is a difference. The running hour is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from catalog.models import BillingPeriod, Price
from integrations.models import (
    Connection,
    EntityKind,
    SyncRecord,
    SyncStatus,
    UsageCharge,
    UsageDifference,
    UsageReconciliation,
    UsageRecord,
)
from integrations.usage_differences import Seen, Sums, changed_there, differences, quantity_of
from integrations.zuora.client import Client, zoql_text
from integrations.zuora.errors import ZuoraError
from integrations.zuora.mapping import keys
from subscriptions.models import Subscription
from subscriptions.periods import Period, current_period
from subscriptions.tenure import stretches
from usage.counting import Source, used
from usage.models import Aggregation, DirtyHour, Meter, Slice
from usage.selling import Owner, owner_of, stretches_of
from usage.windows import Window, ends_at

ZERO = Decimal(0)
Clock = Callable[[], datetime]
_FIELDS = "Id, Quantity, StartDateTime, Description, SubscriptionNumber, ChargeNumber, RbeStatus"
_SUMMED = frozenset({Aggregation.SUM, Aggregation.COUNT})
_STEP = 200  # lines after which a comparison says how far it has come
_SLACK = timedelta(days=2)  # a record may be filed up to a day before its hour, in whichever zone


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

    def as_json(self) -> dict[str, Any]:
        """Return the line as the report has it: numbers and times as text."""
        return {
            "subscription": self.subscription,
            "charge": self.charge,
            "number": self.number,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            **{name: format(amount, "f") for name, amount in vars(self.sums).items()},
            "differences": list(self.differences),
        }


@dataclass
class _Far:
    """The usage records that Zuora holds for one subscription, by what they are ours by; each is used up once."""

    ours: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    foreign: list[Mapping[str, Any]] = field(default_factory=list)


def reconcile_usage(
    *,
    connection: Connection,
    client: Client,
    now: datetime,
    subscription: Subscription | None = None,
    day: date | None = None,
    whole: bool = False,
) -> Iterator[Line]:
    """Yield a line for each charge and period: the current and the last one, that of a day, or all of them.

    Subscriptions that will not be synced, and are not in Zuora, are not compared. Nothing is written anywhere.

    Raises:
        ZuoraError: Zuora could not be read.
    """
    upto = now.replace(minute=0, second=0, microsecond=0)
    rows = Subscription.objects.filter(pk__in=Slice.objects.order_by().values("subscription")).order_by("ref_id")
    if subscription is not None:
        rows = Subscription.objects.filter(pk=subscription.pk)
    for one in rows.prefetch_related("addons", "past_terms").iterator(chunk_size=200):
        record = SyncRecord.objects.filter(connection=connection, kind=EntityKind.SUBSCRIPTION, root_id=one.pk).first()
        if record is None or (record.status == SyncStatus.NO_SYNC_REQUIRED and not record.is_linked):
            continue
        periods = _periods(one, upto=upto, day=day, whole=whole)
        if periods:
            yield from _Comparison(connection, client, one, record, upto).lines(periods)


def reconcile_and_keep(*, clock: Clock, open_client: Callable[[Connection], Client]) -> UsageReconciliation | None:
    """Compare the current and the last period of everybody, and keep the result; None where nothing is connected."""
    if not Connection.objects.active().exists():
        return None
    kept = UsageReconciliation.objects.create(at=clock(), seen_at=clock())
    carry_out(kept, clock=clock, open_client=open_client)
    return kept


def carry_out(kept: UsageReconciliation, *, clock: Clock, open_client: Callable[[Connection], Client]) -> None:
    """Compare as `reconcile_and_keep` does, into a row that is there; what is done, or under way, is left alone."""
    if kept.finished_at is not None or (kept.compared and kept.is_running(now=clock())):
        return
    kept.differences.all().delete()
    compared, differing, changed, error, found = 0, 0, 0, "", list[UsageDifference]()
    connection = Connection.objects.active().first()
    try:
        if connection is None:
            error = "Zuora is not connected any more."
        else:
            for line in reconcile_usage(connection=connection, client=open_client(connection), now=clock()):
                compared += 1
                if line.differences:
                    differing += 1
                    changed += len(line.changed_there)
                    one = UsageDifference(reconciliation=kept, line=line.as_json(), changed_there=line.changed_there)
                    found.append(one)
                if not compared % _STEP:
                    UsageDifference.objects.bulk_create(found)
                    found.clear()
                    kept.mark_seen(compared=compared, differing=differing, now=clock())
    except ZuoraError as problem:
        error = problem.message
    UsageDifference.objects.bulk_create(found)
    kept.mark_finished(compared=compared, differing=differing, error=error, changed_there=changed, now=clock())


def _periods(subscription: Subscription, *, upto: datetime, day: date | None, whole: bool) -> list[Period]:
    """Return the billing periods to compare, the earliest first."""
    if not subscription.billing_period or subscription.billing_anchor >= upto:
        return []

    def around(moment: datetime) -> Period:
        return current_period(
            start=subscription.billing_anchor,
            billing_period=BillingPeriod(subscription.billing_period),
            now=moment,
        )

    last = min(upto, ends_at(subscription) or upto) - timedelta(microseconds=1)
    if day is not None:
        noon = datetime.combine(day, time(12), tzinfo=UTC)
        chosen = around(noon)
        return [chosen] if chosen.start <= noon < chosen.end and chosen.start < upto else []
    periods = [around(last)]
    while periods[0].start > subscription.billing_anchor and (whole or len(periods) < 2):  # noqa: PLR2004
        periods.insert(0, around(periods[0].start - timedelta(microseconds=1)))
    return periods


class _Comparison:
    """Compares one subscription."""

    def __init__(
        self, connection: Connection, client: Client, subscription: Subscription, record: SyncRecord, upto: datetime
    ) -> None:
        self._connection, self._subscription, self._record, self._upto = connection, subscription, record, upto
        self._client = client
        self._slices = Slice.objects.filter(subscription=subscription, starts_at__lt=upto)
        self._records = UsageRecord.objects.filter(connection=connection, charge__subscription=subscription)

    def lines(self, periods: list[Period]) -> Iterator[Line]:
        charges: dict[Owner, dict[int, Price]] = {}
        for price in (
            Price.objects.filter(slices__subscription=self._subscription)
            .distinct()
            .select_related("plan", "addon", "feature")
        ):
            if price.feature_id is not None:
                charges.setdefault(owner_of(price), {})[price.feature_id] = price
        far = self._read(periods[0].start)
        known = {
            one.key: one
            for one in UsageCharge.objects.filter(connection=self._connection, subscription=self._subscription)
        }
        for prices in charges.values():
            for price in prices.values():
                key = keys.charge_key(keys.package_key(price.package), price)
                for period in periods:
                    yield self._line(price, key, known.get(key), period, far)

    def _read(self, since: datetime) -> _Far:
        if not self._record.is_linked:
            return _Far()
        number, begin = zoql_text(self._record.zuora_number), zoql_text((since - _SLACK).isoformat())
        rows = self._client.zoql(
            f"select {_FIELDS} from Usage where SubscriptionNumber = {number} and StartDateTime >= {begin}"  # noqa: S608
        )
        ours = set(self._records.values_list("external_key", flat=True))
        far = _Far()
        for row in rows:
            if row.get("Description") in ours:
                far.ours.setdefault(row["Description"], []).append(row)
            else:
                far.foreign.append(row)
        return far

    def _line(self, price: Price, key: str, charge: UsageCharge | None, period: Period, far: _Far) -> Line:
        owner = {"price__plan": price.plan_id} if price.plan_id else {"price__addon": price.addon_id}
        of_charge = self._slices.filter(price__feature=price.feature_id, **owner)
        mine = of_charge.filter(starts_at__gte=period.start, starts_at__lt=period.end)
        records = self._records_of(charge, mine, period)
        rows = [row for one in records for row in far.ours.get(one.external_key, [])]
        foreign = [row for row in far.foreign if charge and _is_in(row, charge.number, period)]
        sums = Sums(
            events=self._events(price, mine, period),
            carried=_carry_before(of_charge, period.start) - _carry_before(of_charge, period.end),
            slices=mine.aggregate(total=Sum("quantity"))["total"] or ZERO,
            moved=sum((one.wanted - (one.slice.quantity if one.slice else ZERO) for one in records), ZERO),
            zuora=sum((quantity_of(row) for row in [*rows, *foreign]), ZERO),
        )
        without = mine.filter(quantity__gt=0).exclude(pk__in=[one.slice_id for one in records if one.slice_id])
        is_last = period.end >= self._upto
        seen = Seen(
            sums=sums,
            records=records,
            rows=far.ours,
            foreign=foreign,
            unclosed=self._unclosed(price, period),
            waiting=list(without.order_by("starts_at").values_list("starts_at", "quantity")),
            waits_for=self._waits(),
            unabsorbed=charge.unabsorbed if charge is not None and is_last else ZERO,
        )
        number = charge.number if charge else ""
        found = (tuple(differences(seen)), tuple(changed_there(seen)))
        return Line(self._subscription.ref_id, key, number, period.start, period.end, sums, *found)

    def _records_of(self, charge: UsageCharge | None, mine: QuerySet[Slice], period: Period) -> list[UsageRecord]:
        own = list(self._records.filter(slice__in=mine).select_related("slice").order_by("starts_at"))
        if charge is None:
            return own
        corrections = self._records.filter(
            charge=charge, slice=None, starts_at__gte=period.start, starts_at__lt=period.end
        )
        return own + list(corrections.order_by("starts_at"))

    def _events(self, price: Price, mine: QuerySet[Slice], period: Period) -> Decimal:
        begin = max(period.start, self._subscription.billing_anchor)
        end = min(period.end, self._upto, ends_at(self._subscription) or self._upto)
        meter = Meter.objects.filter(feature=price.feature_id).first()
        total = ZERO
        for held in stretches_of(stretches(self._subscription), price):
            source = Source(held.terms.customer_id, price.feature_id or 0, held.terms.resource_id, meter)
            whole = Window(max(begin, held.start), min(end, held.end or end))
            if whole.start >= whole.end:
                continue
            windows = [whole]
            if meter is not None and meter.aggregation not in _SUMMED:
                within = mine.filter(starts_at__gte=whole.start, starts_at__lt=whole.end).order_by("starts_at")
                windows = [Window(one.starts_at, one.ends_at) for one in within.iterator()]
            total += sum((used(source, window).change for window in windows), ZERO)
        return total

    def _unclosed(self, price: Price, period: Period) -> list[datetime]:
        whose = Q()
        for held in stretches_of(stretches(self._subscription), price):
            whose |= Q(customer=held.terms.customer_id, resource_id=held.terms.resource_id)
        dirty = DirtyHour.objects.filter(
            whose,
            feature=price.feature_id,
            hour__gt=period.start - timedelta(hours=1),
            hour__lt=min(period.end, self._upto),
        )
        return list(dirty.order_by("hour").values_list("hour", flat=True)) if whose else []

    def _waits(self) -> str:
        if not self._record.is_linked:
            return "its subscription, which is not in Zuora yet"
        if self._record.is_stopped:
            return "a decision: the subscription is in Zuora, and its sync has stopped"
        return "its charge, or for the next push"


def _carry_before(slices: QuerySet[Slice], moment: datetime) -> Decimal:
    last = slices.filter(starts_at__lt=moment).order_by("-starts_at")
    return last.values_list("carry", flat=True).first() or ZERO


def _is_in(row: Mapping[str, Any], number: str, period: Period) -> bool:
    moment = datetime.fromisoformat(str(row["StartDateTime"]))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return row.get("ChargeNumber") in {None, number} and period.start <= moment < period.end
