"""Names every difference between events, slices and Zuora; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from integrations.models import UsageRecord
from integrations.zuora.mapping.usage import same_moment

Row = Mapping[str, Any]
ZERO = Decimal(0)


@dataclass(frozen=True)
class Sums:
    """What each side says of one charge in one period, and the amounts that explain why they may say so.

    `carried` is what SETs took back in one period and slices of another gave, `moved` what was billed already and is
    made up for by other records.
    """

    events: Decimal = ZERO
    carried: Decimal = ZERO
    slices: Decimal = ZERO
    moved: Decimal = ZERO
    zuora: Decimal = ZERO


@dataclass(frozen=True)
class Seen:
    """All that was seen of one charge in one period.

    `rows` are Zuora's records by external key, `foreign` those on the charge that are not ours. `waiting` are the
    slices without a record, and `waits_for` says for what.
    """

    sums: Sums
    records: Sequence[UsageRecord]
    rows: Mapping[str, Sequence[Row]]
    foreign: Sequence[Row]
    unclosed: Sequence[datetime]
    waiting: Sequence[tuple[datetime, Decimal]]
    waits_for: str
    unabsorbed: Decimal


def differences(seen: Seen) -> Iterator[str]:
    """Yield a sentence for each difference, each naming both sides."""
    sums = seen.sums
    for hour in seen.unclosed:
        yield f"Events of {hour:%Y-%m-%d %H:%M} are not in slices yet."
    if sums.events + sums.carried != sums.slices:
        yield f"Events say {_n(sums.events)}, carried {_n(sums.carried)}, but slices say {_n(sums.slices)}."
    for starts_at, quantity in seen.waiting:
        yield f"The slice of {starts_at:%Y-%m-%d %H:%M}, {_n(quantity)}, has no record: it waits for {seen.waits_for}."
    for record in seen.records:
        yield from _of_record(record, seen.rows.get(record.external_key, ()))
    for row in seen.foreign:
        what = row.get("Description") or "without a description"
        yield f"Zuora holds {_quantity(row)} in usage record {row['Id']}, {what}: not ours."
    if sums.slices + sums.moved != sums.zuora:
        yield f"Slices say {_n(sums.slices)}, moved {_n(sums.moved)}, but Zuora says {_n(sums.zuora)}."
    if seen.unabsorbed:
        # While it runs, a credit would give it back twice.
        yield (
            f"{_n(seen.unabsorbed)} were billed too much: as long as the subscription runs, the next usage makes up "
            "for it; once it has ended, credit it in Zuora."
        )


def quantity_of(row: Row) -> Decimal:
    """Return the quantity of a record that Zuora shows."""
    return Decimal(str(row["Quantity"]))


def _of_record(record: UsageRecord, rows: Sequence[Row]) -> Iterator[str]:
    key, wanted = record.external_key, _n(record.wanted)
    if not rows and record.wanted:
        reason = f", {record.reason}" if record.reason else ""
        yield f"Zuora has no {key}, {wanted} ({record.get_state_display().lower()}{reason})."
    if len(rows) > 1:
        yield f"Zuora holds {key} {len(rows)} times: {', '.join(str(row['Id']) for row in rows)}."
    elif rows and quantity_of(rows[0]) != record.wanted:
        yield f"Zuora holds {_quantity(rows[0])} of {key}, {wanted} is right."
    for row in rows:
        if row.get("ChargeNumber") != record.charge_number:
            yield f"Zuora has {key} under {row.get('ChargeNumber')}, not {record.charge_number}."
        if not same_moment(row.get("StartDateTime"), record.starts_at):
            yield f"Zuora has {key} at {row.get('StartDateTime')}, not {record.starts_at.isoformat()}."


def _quantity(row: Row) -> str:
    return _n(quantity_of(row))


def _n(number: Decimal) -> str:
    """Return the number as people write it."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
