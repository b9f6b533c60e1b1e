"""From slices to what Zuora should hold: one record per slice, and corrections of what was billed already.

Nothing leaves here. What is planned is a function of the slices and of what is billed, so planning twice plans the
same, whoever does it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType

from django.db import transaction
from django.db.models import F, Q, QuerySet

from integrations.models import Connection, UsageBatch, UsageCharge, UsageRecord, UsageState
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.mapping.usage import Open, Shares, correction_key, moment_that_is_billed, share_out, slice_key
from integrations.zuora.push.usage.batches import form_full
from integrations.zuora.push.usage.charges import Linked, prices_by_key
from subscriptions.models import Subscription
from subscriptions.tenure import TOLD_BY, Stretch
from usage.adding import Total
from usage.inserting import insert
from usage.models import Slice
from usage.selling import ended_at, stretches_of, stretches_of_all
from usage.spans import among
from usage.windows import ends_at

ZERO = Decimal(0)
_CHUNK = 1000
_ON_ITS_WAY = frozenset({UsageState.SENDING, UsageState.UNKNOWN})
_PLANNED_FIELDS = ["starts_at", "wanted", "taken", "owed", "state", "attempts", "not_before", "reason", "cure"]
_NEVER_BILLED = "Zuora ends the subscription on the day on which it began, and so bills none of its usage."
_NEVER_BILLED_CURE = "Bill it by hand, or have the subscription end a day later."


def plan(
    *,
    connection: Connection,
    tenant: Tenant,
    subscription_ids: Collection[int],
    now: datetime,
    linked: Linked = MappingProxyType({}),
) -> list[UsageBatch | int]:
    """Take over what closing has changed for these subscriptions, as far as their charges' numbers are known.

    New records of the `linked` ones that fill a call are put into it at once; returns the batches, by their ids but for
    those of the first thousand slices, so that memory is flat. What fills none is left to `batches.form`. Short
    transactions; a slice that is being closed at the moment is left for the next time.
    """
    done, batches = 0, list[UsageBatch | int]()
    while True:
        with transaction.atomic():
            rows = UsageCharge.objects.filter(connection=connection, subscription__in=among(subscription_ids))
            charges = {one.pk: one for one in rows.select_for_update(of=("self",)).order_by("pk")}
            with_charges = among({one.subscription_id for one in charges.values()})
            subscriptions = Subscription.objects.only(*TOLD_BY).filter(pk__in=with_charges).in_bulk()
            held: dict[int, list[Stretch]] = defaultdict(list)
            for stretch in stretches_of_all(list(subscriptions.values())):
                held[stretch.subscription.pk].append(stretch)
            desk = _Desk(connection, tenant, now, held)
            slices = list(
                Slice.objects.untaken()
                .filter(subscription__in=among(subscription_ids), pk__gt=done)
                .select_for_update(skip_locked=True, of=("self",), no_key=True)
                .order_by("pk")[:_CHUNK]
            )
            formed = desk.take_over(slices, charges, subscriptions, linked)
            batches += [one.pk for one in formed] if done else formed
            for charge in charges.values():
                subscription = subscriptions[charge.subscription_id]
                desk.move_before_the_end(charge, subscription)
                if charge.must_plan:
                    desk.make_up(charge, subscription)
            if len(slices) < _CHUNK:
                return batches
            done = slices[-1].pk


@dataclass(frozen=True)
class _Desk:
    """Where the records of one connection are planned; whoever works here holds the charges' rows."""

    connection: Connection
    tenant: Tenant
    now: datetime
    held: Mapping[int, Sequence[Stretch]]

    def take_over(
        self,
        slices: Sequence[Slice],
        charges: Mapping[int, UsageCharge],
        subscriptions: Mapping[int, Subscription],
        linked: Linked,
    ) -> list[UsageBatch]:
        """Give each slice its record, or its record what the slice is now; return the batches of full calls."""
        prices = prices_by_key(one.price_id for one in slices)
        by_key = {(one.subscription_id, one.key): one for one in charges.values()}
        taken_before = [one.pk for one in slices if one.taken_revision]  # of the others there is no record
        records = self.connection.usage_records.filter(slice__in=among(taken_before))
        own = {one.slice_id: one for one in _held(records)} if taken_before else {}
        fresh, known, taken = [], [], []
        for one in slices:
            record = own.get(one.pk)
            one.price, key = prices[one.price_id]
            charge = charges[record.charge_id] if record else by_key.get((one.subscription_id, key))
            if record is None and charge is not None and self._comes_again(charge, one):
                charge = None
            if charge is None and one.quantity:
                continue  # its number is not known yet
            taken.append(one.pk)
            if charge is None:
                continue
            if charge.unabsorbed or (record is not None and (record.is_billed or record.taken)):
                charge.must_plan = True
            if record is not None:
                known.append(self._changed(record, charge, subscriptions[one.subscription_id], one))
            elif one.quantity:
                fresh.append(self._new(charge, subscriptions[one.subscription_id], one))
        UsageRecord.objects.change(known, _PLANNED_FIELDS)
        # They are locked, so this is the revision that was taken over.
        Slice.objects.filter(pk__in=among(taken)).update(taken_revision=F("revision"))
        # Of a charge that has to make up for something, the quantities are not final yet.
        insert([one for one in fresh if one.charge.must_plan], into=UsageRecord.objects)
        return form_full(self.connection, [one for one in fresh if not one.charge.must_plan], linked, now=self.now)

    def _comes_again(self, charge: UsageCharge, one: Slice) -> bool:
        """Whether the charge ended before the slice, and an order has brought it again: its new number is not read."""
        return not charge.catalog_id and (charge.ends_on is None or one.starts_at >= self._midnight(charge.ends_on))

    def _changed(self, record: UsageRecord, charge: UsageCharge, subscription: Subscription, one: Slice) -> UsageRecord:
        if record.is_billed:
            record.owed = one.quantity - (record.held or ZERO)
            return record
        record.taken = min(record.taken, one.quantity)
        record.wanted = one.quantity - record.taken
        if record.state == UsageState.FAILED:
            self._place(record, charge, subscription, one)
        else:
            self._settle(record)
        return record

    def _new(self, charge: UsageCharge, subscription: Subscription, one: Slice) -> UsageRecord:
        record = UsageRecord(
            connection_id=self.connection.pk,  # an object in its place costs more than the rest of the row
            charge=charge,
            slice_id=one.pk,
            external_key=slice_key(subscription.ref_id, charge.key, one.starts_at, prefix=self.connection.key_prefix),
            charge_number=charge.number_on(self._day_of(one)),
            wanted=one.quantity,
        )
        self._place(record, charge, subscription, one)
        return record

    def _place(
        self, record: UsageRecord, charge: UsageCharge, subscription: Subscription, what: Slice | datetime
    ) -> None:
        """Give the record a time that Zuora bills, at the price that was sold then: its slice's, or that moment."""
        moment = what if isinstance(what, datetime) else what.starts_at
        starts_on, ends_on = charge.time_of(record.charge_number)
        first = starts_on or self.tenant.day(subscription.billing_anchor)
        changed = None if isinstance(what, datetime) else self._changed_at(subscription, what, first)
        end = self._end(subscription, ends_on, changed)
        placed = moment_that_is_billed(moment, first=first, end=end, tenant=self.tenant)
        record.starts_at = (placed or moment).replace(microsecond=0)
        record.not_before = self.now
        self._settle(record)
        if placed is None:
            record.state, record.reason, record.cure = UsageState.FAILED, _NEVER_BILLED, _NEVER_BILLED_CURE

    def _changed_at(self, subscription: Subscription, one: Slice, first: date) -> datetime | None:
        """Return when its price was sold no longer, or for another amount: of a first day's amounts the last counts."""
        held = self.held[subscription.pk]
        changed = ended_at(held, one.price, at=one.starts_at)
        is_first = changed is not None and self.tenant.day(changed) <= first
        goes_on = stretches_of([later for later in held if later.start == changed], one.price)
        return None if is_first and goes_on else changed

    def _day_of(self, one: Slice) -> date:
        """Return the day under which a slice belongs: that before, where its charge was taken away later on its day."""
        day, end = self.tenant.day(one.starts_at), None
        for stretch in stretches_of(self.held[one.subscription_id], one.price):
            if stretch.start <= one.starts_at or stretch.start == end:
                end = stretch.end
        taken_away = end is not None and one.starts_at < end and self.tenant.day(end) == day
        return day - timedelta(days=1) if taken_away else day

    def _end(self, subscription: Subscription, ends_on: date | None, changed: datetime | None = None) -> date | None:
        """Return the first day that Zuora does not bill, as the order that ends charge, price or subscription says it.

        `changed` is when another price was sold: orders take effect with a day, and what was used earlier on that day
        at the old price is filed under the day before.
        """
        begin = self.tenant.day(subscription.billing_anchor)
        days = [max(self.tenant.day(moment), begin) for moment in (ends_at(subscription), changed) if moment]
        return min([*days, ends_on] if ends_on else days, default=None)

    def _settle(self, record: UsageRecord) -> None:
        if record.state in _ON_ITS_WAY:
            return  # what becomes of it is found out first
        record.settle()
        if record.state == UsageState.PLANNED:
            record.attempts, record.not_before, record.reason, record.cure = 0, self.now, "", ""

    def move_before_the_end(self, charge: UsageCharge, subscription: Subscription) -> None:
        """Move what was filed under the day on which the charge ends, or its price: that day is not billed for it."""
        end, late = self._end(subscription, charge.ends_on), Q()
        if end is not None:
            late |= Q(starts_at__gte=self._midnight(end))
        for past in self.held[subscription.pk]:
            if past.end is not None:
                day = self.tenant.day(past.end)
                late |= Q(starts_at__gte=self._midnight(day), slice__starts_at__lt=past.end)
        if not late:
            return
        rows = charge.records.filter(late, is_billed=False, wanted__gt=0, charge_number=charge.number)
        moved = []
        for one in _held(rows.exclude(state=UsageState.FAILED).select_related("slice__price")):
            before = one.starts_at
            self._place(one, charge, subscription, one.slice or one.starts_at)
            if one.starts_at != before or one.state == UsageState.FAILED:
                moved.append(one)
        UsageRecord.objects.change(moved, _PLANNED_FIELDS)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self.tenant.time_zone)

    def make_up(self, charge: UsageCharge, subscription: Subscription) -> None:
        """Share out anew what the charge's billed records owe, each number's by itself: it has a price of its own."""
        billed = charge.records.filter(is_billed=True).exclude(owed=0).order_by()
        owed: dict[str, Decimal] = defaultdict(Decimal)
        for number, some in billed.values_list("charge_number").annotate(owed=Total("owed")):
            owed[charge.pool_of(number)] += some
        open_ones = charge.records.filter(Q(taken__gt=0) | Q(slice=None), is_billed=False).order_by()
        found = {charge.pool_of(number) for number in open_ones.values_list("charge_number", flat=True)}
        charge.unabsorbed, charge.must_plan = ZERO, False
        for number in sorted(found | set(owed)):
            charge.unabsorbed += self._make_up_under(charge, subscription, number, owed[number])
        charge.save(update_fields=["unabsorbed", "must_plan"])

    def _make_up_under(self, charge: UsageCharge, subscription: Subscription, number: str, owed: Decimal) -> Decimal:
        """Share out what is owed under one of the charge's numbers; return what none of its records can give."""
        givers = list(self._givers(charge, number, owed))
        shares = share_out(owed, [Open(one.pk, one.wanted + one.taken, one.taken) for one in givers])
        changed = [one for one in givers if shares.taken[one.pk] != one.taken]
        for one in changed:
            one.wanted, one.taken = one.wanted + one.taken - shares.taken[one.pk], shares.taken[one.pk]
            self._settle(one)
        UsageRecord.objects.change(changed, _PLANNED_FIELDS)
        self._correct(charge, subscription, number, shares)
        return shares.left

    @staticmethod
    def _givers(charge: UsageCharge, number: str, owed: Decimal) -> Iterator[UsageRecord]:
        """Yield the open records that give already, and then as many of the newest as are needed."""
        open_ones = _held(charge.records_under(number).filter(is_billed=False, slice__isnull=False))
        giving = list(open_ones.filter(taken__gt=0).order_by("starts_at", "pk"))
        yield from giving
        need = -owed - sum((one.taken for one in giving), ZERO)
        able = open_ones.filter(Q(taken__gt=0) | Q(wanted__gt=0)).exclude(state=UsageState.FAILED)
        seen = {one.pk for one in giving}
        need -= sum((one.wanted for one in giving), ZERO)
        if need <= 0:
            return
        for one in able.exclude(pk__in=seen).order_by("-starts_at", "-pk").iterator(chunk_size=_CHUNK):
            yield one
            need -= one.wanted
            if need <= 0:
                return

    def _correct(self, charge: UsageCharge, subscription: Subscription, number: str, shares: Shares) -> None:
        """Bring the number's open correction to what has to be added, or make one."""
        open_ones = list(_held(charge.records_under(number).filter(slice=None, is_billed=False)))
        for one in open_ones:  # several, where one that was billed is open again
            wanted = shares.addition if one is open_ones[0] else ZERO
            if one.wanted != wanted:
                one.wanted = wanted
                self._settle(one)
                one.save(update_fields=_PLANNED_FIELDS)
        if shares.addition and not open_ones:
            corrections = UsageRecord.objects.filter(connection=self.connection, slice=None)
            prefix = self.connection.key_prefix
            made = corrections.filter(charge__subscription=charge.subscription_id).count()
            record = UsageRecord(
                connection=self.connection,
                charge=charge,
                external_key=correction_key(subscription.ref_id, charge.key, made + 1, prefix=prefix),
                charge_number=number,
                wanted=shares.addition,
            )
            # Into the period that is open: what it corrects is on an invoice.
            self._place(record, charge, subscription, self.now.replace(minute=0, second=0))
            record.save()


def _held(records: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
    """Hold the records that are changed: put into a call at the same moment, they would go in another one, too."""
    return records.select_for_update(of=("self",), no_key=True)
