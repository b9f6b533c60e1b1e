"""What becomes known of a batch: it is stored record by record, or put off until it is known."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction

from integrations.models import BatchState, UsageBatch, UsageCharge, UsageRecord, UsageState
from integrations.retry import LATE_CAP, decide
from integrations.words import in_words
from integrations.zuora.client import Client, zoql_text
from integrations.zuora.errors import ZuoraError
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.outcomes import OUTCOME
from usage.spans import read, rows_of

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


def finish(
    far: Far,
    batch: UsageBatch,
    settle: Callable[[UsageRecord], None],
    *,
    taken: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Store the outcome of every record and end the batch, in short transactions.

    `taken` are the ids in Zuora of the records that it took. Stored together are those of them that are wanted as they
    were sent; the others are settled one by one.
    """
    with transaction.atomic():
        accepted = _accept(batch, taken, now=far.clock()) if taken else set()
        left = [pk for pk in batch.record_ids if pk not in accepted]
        if not left:
            end(batch, now=far.clock())
            return
    with transaction.atomic():
        settle_some(batch, left, settle)
        end(batch, now=far.clock())


#: What `outcomes.accept` does to a record of which nothing differs. One that is held by somebody is left out: waiting
#: for it while the others are held here, two would wait for each other.
_ACCEPT = """
UPDATE integrations_usagerecord SET zuora_id = got.given, held = sent, held_starts_at = sent_starts_at,
accepted_at = %s, confirmed_at = NULL, not_before = %s, attempts = 0, state = %s, reason = '', cure = ''
FROM (
  SELECT mine.id AS pk, span.given FROM {rows} JOIN integrations_usagerecord mine ON mine.id = span.record_id
  WHERE mine.batch_id = %s AND NOT mine.is_billed AND mine.wanted = mine.sent AND mine.starts_at = mine.sent_starts_at
  {hold}
) AS got WHERE integrations_usagerecord.id = got.pk RETURNING id"""


def _accept(batch: UsageBatch, taken: Mapping[int, str], *, now: datetime) -> set[int]:
    """Store that Zuora holds these records, as far as nothing else is wanted by now; return which."""
    rows, texts = rows_of({"record_id": "bigint", "given": "text"}, taken.items())
    hold = "FOR NO KEY UPDATE OF mine SKIP LOCKED" if connection.features.has_select_for_update else ""
    moment = connection.ops.adapt_datetimefield_value(now)
    stored = read(_ACCEPT.format(rows=rows, hold=hold), [moment, moment, UsageState.ACCEPTED, *texts, batch.pk])
    return {pk for (pk,) in stored}


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
