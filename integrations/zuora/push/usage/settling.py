"""What becomes known of a batch: it is stored record by record, or put off until it is known."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.models import BatchState, UsageBatch, UsageCharge, UsageRecord, UsageState
from integrations.retry import LATE_CAP, decide
from integrations.words import in_words
from integrations.zuora.client import Client, zoql_text
from integrations.zuora.errors import ZuoraError
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.outcomes import OUTCOME

Row = Mapping[str, Any]
#: A ZOQL query takes so many conditions: https://docs.zuora.com/en/zuora-platform/extensibility/zoql
MOST_CONDITIONS = 200
_SHOWN = "Id, Quantity, StartDateTime, Description, RbeStatus"
#: However often it takes: what left is found out in the end.
_FOREVER = 1_000_000


def in_parts(ids: Collection[int], size: int) -> Iterator[list[int]]:
    """Yield the ids in their order, so many at a time."""
    rows = list(ids)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def show(client: Client, records: Sequence[UsageRecord]) -> dict[int, list[Row]]:
    """Return what Zuora shows of these records, by their ids there or else by their external keys; one query."""
    if not records:
        return {}
    terms = {one.pk: ("Id", one.zuora_id) if one.zuora_id else ("Description", one.external_key) for one in records}
    conditions = " or ".join(f"{name} = {zoql_text(value)}" for name, value in terms.values())
    rows = client.zoql(f"select {_SHOWN} from Usage where {conditions}")  # noqa: S608 - ZOQL, and quoted
    return {pk: [row for row in rows if row.get(name) == value] for pk, (name, value) in terms.items()}


def put_off(far: Far, batch: UsageBatch, error: ZuoraError, *, state: BatchState) -> None:
    now = far.clock()
    again = decide(error, attempts=batch.attempts, most=_FOREVER, now=now, jitter=random.SystemRandom().random)
    leave(batch, state, at=again.at if again else now + LATE_CAP, reason=in_words(error).what)
    UsageRecord.objects.filter(batch=batch, state=UsageState.SENDING).update(state=UsageState.UNKNOWN)


def leave(batch: UsageBatch, state: BatchState, *, at: datetime, reason: str) -> None:
    batch.state, batch.not_before, batch.reason = state, at, reason
    batch.claimed_at, batch.claimed_by = None, ""
    batch.save(update_fields=["state", "not_before", "reason", "claimed_at", "claimed_by"])


def finish(far: Far, batch: UsageBatch, settle: Callable[[UsageRecord], None]) -> None:
    """Store the outcome of every record and end the batch, in one short transaction."""
    with transaction.atomic():
        settle_some(batch, batch.record_ids, settle)
        end(batch, now=far.clock())


def settle_some(batch: UsageBatch, record_ids: Collection[int], settle: Callable[[UsageRecord], None]) -> None:
    """Store the outcome of some of a batch's records, in one short transaction."""
    with transaction.atomic():
        mine = UsageRecord.objects.filter(pk__in=record_ids, batch=batch)
        # In the order in which planning locks: charges, then records.
        charges = UsageCharge.objects.select_for_update().filter(pk__in=mine.values("charge")).order_by("pk").in_bulk()
        records = list(mine.select_for_update(of=("self",)).order_by("pk"))
        for record in records:
            record.charge = charges[record.charge_id]
            record.state = UsageState.ACCEPTED if record.zuora_id else UsageState.PLANNED
            settle(record)
        UsageRecord.objects.change(records, OUTCOME)
        to_plan = [pk for pk, charge in charges.items() if charge.must_plan]
        UsageCharge.objects.filter(pk__in=to_plan).update(must_plan=True)


def end(batch: UsageBatch, *, now: datetime) -> None:
    """Nothing of the batch is open any more."""
    batch.state, batch.body, batch.reason, batch.finished_at = BatchState.DONE, "", "", now
    batch.claimed_at, batch.claimed_by = None, ""
    batch.save(update_fields=["state", "body", "reason", "finished_at", "claimed_at", "claimed_by"])
