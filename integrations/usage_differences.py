"""Names every difference between events, slices and Zuora; pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from integrations.models import UsageRecord, UsageState
from integrations.usage_prices import BilledOtherwise
from integrations.usage_reading import Row, is_open, quantity_of
from integrations.zuora.mapping.usage import BILLED, same_moment
from integrations.zuora.push.usage.segments import Segment

ZERO = Decimal(0)
_DAY = timedelta(days=1)
_GONE = (
    "It was on an invoice that is deleted: the nightly comparison, or reconcile_usage --mend, has it read again and "
    "set right."
)
_MEND = "“Set right in Zuora” at Usage > Comparisons, or reconcile_usage --mend, sets it right."


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

    `rows` are Zuora's records by external key, `foreign` those on the charge that are not ours. `charges` are the
    segments of the subscription's charges by number, and `day` says on which day of the tenant a moment lies.
    `waiting` are the slices without a record, and `waits_for` says for what. `unclosed` are hours that are in no slice,
    and why; `has_another_meter` is whether the slices are counted by a meter that has been changed since, and
    `meter_made_at` is when the meter was made, if the period had ended by then.
    """

    sums: Sums
    records: Sequence[UsageRecord]
    rows: Mapping[str, Sequence[Row]]
    foreign: Sequence[Row]
    charges: Mapping[str, Sequence[Segment]]
    day: Callable[[datetime], date]
    unclosed: Sequence[tuple[datetime, str]]
    has_another_meter: bool
    meter_made_at: datetime | None
    waiting: Sequence[tuple[datetime, Decimal]]
    waits_for: str
    unabsorbed: Decimal
    otherwise: Sequence[BilledOtherwise]


def differences(seen: Seen) -> Iterator[str]:
    """Yield sentences for each difference: both sides, and what to do where that can be known."""
    sums = seen.sums
    for hour, why in seen.unclosed:
        yield f"Events of {hour:%Y-%m-%d %H:%M} are not in slices yet: {why}"
    if sums.events + sums.carried != sums.slices:
        yield f"Events say {plain(sums.events)}, carried {plain(sums.carried)}, but slices say {plain(sums.slices)}."
        if seen.meter_made_at is not None:
            yield (
                f"Its meter was made later, on {seen.meter_made_at:%Y-%m-%d %H:%M}, and counts from the period on that "
                "ran then; of this one it counts the hours of which something was told since. Bill by hand what is "
                "missing, if it is to be billed."
            )
        elif seen.has_another_meter:
            yield "The meter was changed meanwhile: the next hourly run counts the running billing period by it."
    for starts_at, quantity in seen.waiting:
        of = f"The slice of {starts_at:%Y-%m-%d %H:%M}, {plain(quantity)}"
        yield f"{of}, has no record: it waits for {seen.waits_for}."
    for record in seen.records:
        yield from _of_record(record, seen.rows.get(record.external_key, ()))
        yield from _never_billed(record, seen)
    for row in seen.foreign:
        what = row.get("Description") or "without a description"
        what += "" if row.get("SubscriptionNumber") else ", filed under the account alone"
        yield (
            f"Zuora holds {_quantity(row)} in usage record {row['Id']}, {what}: not ours. "
            "Delete it there, unless it is to be billed as well."
        )
    if sums.slices + sums.moved != sums.zuora:
        yield f"Slices say {plain(sums.slices)}, moved {plain(sums.moved)}, but Zuora says {plain(sums.zuora)}."
    yield from (
        f"{plain(one.quantity)} were used {one.used}, and are billed {one.billed}: {one.why}" for one in seen.otherwise
    )
    if seen.unabsorbed:
        # While it runs, a credit would give it back twice.
        yield (
            f"{plain(seen.unabsorbed)} were billed too much: as long as the charge runs under the same number, the "
            "next usage makes up for it; once that has ended, credit it in Zuora."
        )


def changed_there(seen: Seen) -> list[int]:
    """Return the ids of the records that Zuora held as they should be, and no longer does; billed ones stay."""
    return [
        one.pk
        for one in seen.records
        if one.state == UsageState.CONFIRMED
        and not one.is_billed
        and any(True for _ in (*_of_record(one, seen.rows.get(one.external_key, ())), *_never_billed(one, seen)))
    ]


def no_longer_billed(seen: Seen) -> list[int]:
    """Return the ids of the records that were on an invoice, and are on none: a draft was deleted."""
    return [
        one.pk
        for one in seen.records
        if one.state == UsageState.CONFIRMED
        and one.is_billed
        and one.wanted
        and all(row.get("RbeStatus") not in {None, BILLED} for row in seen.rows.get(one.external_key, ()))
    ]


def _of_record(record: UsageRecord, rows: Sequence[Row]) -> Iterator[str]:
    key, wanted = record.external_key, plain(record.wanted)
    if not rows and record.wanted:
        yield f"Zuora has no {key}, {wanted} ({record.get_state_display().lower()}{_why_missing(record)}"
    if len(rows) > 1:
        ids = [str(row["Id"]) for row in rows]
        kept = record.zuora_id if record.zuora_id in ids else ids[0]
        others = ", ".join(one for one in ids if one != kept)
        yield f"Zuora holds {key} {len(rows)} times: delete {others} there, and keep {kept}."
    elif rows and quantity_of(rows[0]) != record.wanted:
        yield f"Zuora holds {_quantity(rows[0])} of {key}, {wanted} is right{_why_other(record, rows[0])}"
    for row in rows:
        if row.get("ChargeNumber") != record.charge_number:
            yield (
                f"Zuora has {key} under {row.get('ChargeNumber')}, not {record.charge_number}. "
                f"Delete it there, then {_MEND}"
            )
        if not same_moment(row.get("StartDateTime"), record.starts_at):
            at = row.get("StartDateTime")
            yield f"Zuora has {key} at {at}, not {record.starts_at.isoformat()}{_why_other(record, row)}"


def _never_billed(record: UsageRecord, seen: Seen) -> Iterator[str]:
    """Name what Zuora holds as it should be, and bills on no invoice: its charge does not run on that day."""
    for row in seen.rows.get(record.external_key, ()):
        number = row.get("ChargeNumber")
        is_right = number == record.charge_number and same_moment(row.get("StartDateTime"), record.starts_at)
        segments, day = seen.charges.get(record.charge_number, ()), seen.day(record.starts_at)
        if is_right and is_open(row) and not any(one.bills(day) for one in segments):
            yield (
                f"Zuora holds {_quantity(row)} of {record.external_key} on {day} under {number}, and bills that charge "
                f"{_days(segments)}: it comes on no invoice{_why_never(record)}"
            )


def _days(segments: Sequence[Segment]) -> str:
    """Return when a charge is billed: "from 2026-03-01 to 2026-03-10, and from 2026-04-01 on"."""
    spans = [
        f"from {one.starts_on} on" if one.ends_on is None else f"from {one.starts_on} to {one.ends_on - _DAY}"
        for one in sorted(segments, key=lambda one: one.segment)
        if one.starts_on and (one.ends_on is None or one.starts_on < one.ends_on)
    ]
    return ", and ".join(spans) or "on no day"


def _why_never(record: UsageRecord) -> str:
    if record.state == UsageState.FAILED:
        return f". {record.reason} {record.cure}".rstrip()
    if record.is_billed:
        return f". {_GONE}"
    if record.state == UsageState.CONFIRMED:
        return f". If the charge ended rightly, file it under a day that is billed: {_MEND}"
    return ": look again when it is read back."


def _why_missing(record: UsageRecord) -> str:
    if record.state == UsageState.FAILED:
        return f", {record.reason}). {record.cure}".rstrip()
    if record.is_billed:
        return f"). {_GONE}"
    if record.state == UsageState.CONFIRMED:
        return f"). Somebody deleted it there: {_MEND}"
    return f", {record.reason})." if record.reason else "): it is on its way."


def _why_other(record: UsageRecord, row: Row) -> str:
    if record.state == UsageState.FAILED:
        return f". {record.reason} {record.cure}".rstrip()
    if record.is_billed and row.get("RbeStatus") != BILLED:
        return f". {_GONE}"
    if record.is_billed:
        return ". It is billed: credit or charge the difference in Zuora."
    return f". Somebody changed it there: {_MEND}" if record.state == UsageState.CONFIRMED else ": it is on its way."


def _quantity(row: Row) -> str:
    return plain(quantity_of(row))


def plain(number: Decimal) -> str:
    """Return the number as people write it."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
