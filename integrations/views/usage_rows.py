"""Usage as a list shows it: a record, or a slice that has none yet."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import reverse

from integrations.models import Connection, UsageRecord
from integrations.usage_waiting import waiting_reasons
from integrations.views.paging import page_of
from integrations.zuora.mapping import keys
from subscriptions.models import Subscription
from usage.models import Slice

#: Rows to a query while a list is exported.
_CHUNK = 1000
#: The newest hour first: along the indexes of both records and slices.
KEY = ("-starts_at", "-id")
#: And to the first, so that it begins at once.
_FIRST = 100
NEXT_RUN = "It goes with the next hourly run."
_CHANGED = "Its slice has changed since: the next hourly run sends what it is now."
HEADER = (
    "hour", "until", "customer", "subscription", "charge", "charge number", "unit", "quantity", "state", "reason",
    "what to do", "external key", "zuora id", "in zuora", "billed", "accepted at", "confirmed at",
)  # fmt: skip


@dataclass(frozen=True)
class UsageRow:
    """One line of the list; `reason` says why it is where it is, `cure` what a person can do."""

    record: UsageRecord | None
    slice: Slice | None
    subscription: Subscription
    charge: str
    starts_at: datetime
    quantity: Decimal
    unit: str
    reason: str = ""
    cure: str = ""

    @property
    def url(self) -> str:
        if self.record is not None:
            return reverse("usage_record", args=[self.record.pk])
        return reverse("usage_slice", args=[self.slice.pk]) if self.slice is not None else ""

    @property
    def state(self) -> str:
        return self.record.get_state_display() if self.record is not None else "Waiting"

    def as_cells(self) -> Sequence[Any]:
        """Return the cells of a CSV file, times in UTC, quantities as the digits that they have."""
        record, one = self.record, self.slice
        return (
            self.starts_at.isoformat(),
            one.ends_at.isoformat() if one else "",
            self.subscription.customer.ref_id,
            self.subscription.ref_id,
            self.charge,
            record.charge_number if record else "",
            self.unit,
            format(self.quantity, "f"),
            self.state,
            self.reason,
            self.cure,
            record.external_key if record else "",
            record.zuora_id if record else "",
            format(record.held, "f") if record and record.held is not None else "",
            "yes" if record and record.is_billed else "",
            record.accepted_at.isoformat() if record and record.accepted_at else "",
            record.confirmed_at.isoformat() if record and record.confirmed_at else "",
        )


def records_shown() -> QuerySet[UsageRecord]:
    """Return records with all that a row of them shows."""
    return UsageRecord.objects.select_related("charge__subscription__customer", "slice", "batch")


def slices_shown(connection: Connection) -> QuerySet[Slice]:
    """Return the slices that wait for a record in this tenant, with all that a row of them shows."""
    # A value of each row, and not a join: PostgreSQL takes a third of all slices to wait, and would join them all.
    record = UsageRecord.objects.filter(connection=connection, slice=OuterRef("pk")).order_by().values("pk")[:1]
    waiting = Slice.objects.untaken().filter(quantity__gt=0).alias(record=Subquery(record)).filter(record=None)
    return waiting.select_related("subscription__customer", "price__plan", "price__addon", "price__feature")


def rows_of_records(records: Iterable[UsageRecord]) -> list[UsageRow]:
    return [row_of_record(one) for one in records]


def row_of_record(record: UsageRecord) -> UsageRow:
    reason = record.reason or (record.batch.reason if record.batch is not None else "")
    if not reason and record.slice is not None and record.slice.has_changed:
        reason = _CHANGED
    return UsageRow(
        record=record,
        slice=record.slice,
        subscription=record.charge.subscription,
        charge=record.charge.key,
        starts_at=record.slice.starts_at if record.slice is not None else record.starts_at,
        quantity=record.wanted,
        unit=record.charge.unit,
        reason=reason,
        cure=record.cure,
    )


def rows_of_slices(slices: Sequence[Slice], connection: Connection | None) -> list[UsageRow]:
    """Return rows that say what each slice waits for; two queries at the most, for all of them."""
    reasons = waiting_reasons(subscription_ids={one.subscription_id for one in slices}, connection=connection)
    return [_row_of_slice(one, reasons[one.subscription_id] or NEXT_RUN) for one in slices]


def _row_of_slice(one: Slice, reason: str) -> UsageRow:
    feature = one.price.feature
    return UsageRow(
        record=None,
        slice=one,
        subscription=one.subscription,
        charge=keys.charge_key(keys.package_key(one.price.package), one.price),
        starts_at=one.starts_at,
        quantity=one.quantity,
        unit=(feature.units_plural or feature.units_singular) if feature else "",
        reason=reason,
    )


def exported(records: QuerySet[UsageRecord]) -> Iterator[Sequence[Any]]:
    """Yield the cells of all these records, by short queries: nothing is held open while somebody downloads."""
    for chunk in _chunks(records):
        yield from (row.as_cells() for row in rows_of_records(chunk))


def exported_slices(slices: QuerySet[Slice], connection: Connection) -> Iterator[Sequence[Any]]:
    """Yield the cells of all these slices, as `exported` does."""
    for chunk in _chunks(slices):
        yield from (row.as_cells() for row in rows_of_slices(chunk, connection))


def _chunks(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    after, size = "", _FIRST
    while True:
        page = page_of(rows, key=KEY, after=after, size=size)
        if page.rows:
            yield page.rows
        if not page.after:
            return
        after, size = page.after, _CHUNK
