"""Many new records in one file: formed, sent, followed, and read back before anything counts as done.

Zuora answers before it imports, and imports all rows or none. So nothing is known of a row until its import has ended,
and nothing is looked up while an import may still be running: what it does not show yet would be sent a second time.
Sources: https://developer.zuora.com/v1-api-reference/api/operation/POST_Usage/
https://developer.zuora.com/v1-api-reference/idempotent-requests/
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F

from integrations.models import BatchState, Connection, UsageAction, UsageBatch, UsageRecord, UsageState
from integrations.retry import Key, key_after, key_is_alive
from integrations.words import in_words
from integrations.zuora.client import LARGEST_FILE
from integrations.zuora.errors import Kind, ZuoraError
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.mapping.usage_file import file_row, header, moment_in_file
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.batches import filed_under, new_records
from integrations.zuora.push.usage.charges import linked_records
from integrations.zuora.push.usage.outcomes import settle_found, stop
from integrations.zuora.push.usage.road import FileRoad, Road, road_of
from integrations.zuora.push.usage.settling import (
    MOST_CONDITIONS,
    Row,
    end,
    in_parts,
    leave,
    put_off,
    settle_some,
    show,
)

Found = Mapping[int, list[Row]]
MOST_ROWS = 20_000
_ASK_AGAIN = timedelta(seconds=30)
_READ_AGAIN = timedelta(minutes=5)
#: An import that nobody can ask for has ended so long after its file left.
_ENDED = timedelta(hours=6)
#: What a completed import brought may need a while to show.
_SHOWS = timedelta(hours=1)
_RUNNING = "Zuora is importing the file."
_NOT_SHOWN = "Zuora imports what it took, and does not show all of it yet."
_NOBODY_KNOWS = "Whether Zuora took the file is looked up when an import of it must have ended."
_MISSING = "Zuora imported the file with this usage and does not show it."
_MISSING_CURE = "Look for {key} in Zuora's usage; when it is not there, retry to make it anew."


def form_files(
    *, connection: Connection, tenant: Tenant, files: FileRoad, subscription_ids: Collection[int], now: datetime
) -> list[int]:
    """Put the subscriptions' new records into files where that is the cheaper road; return the batches' ids.

    What was sent before in any way is not taken: after a failed import each record has an answer of its own.
    """
    made: list[int] = []
    done = 0
    while True:
        due = new_records(connection, subscription_ids, now).filter(revision=0, pk__gt=done)
        if road_of(due.count(), files) is Road.ACTIONS:
            return made
        with transaction.atomic():
            locked = due.select_related("charge").select_for_update(skip_locked=True, of=("self",), no_key=True)
            chunk = list(locked.order_by("pk")[:MOST_ROWS])
            if not chunk:
                return made
            made += _form(connection, tenant, files, chunk, now)
        done = chunk[-1].pk


def _form(
    connection: Connection, tenant: Tenant, files: FileRoad, records: Sequence[UsageRecord], now: datetime
) -> Iterator[int]:
    linked = linked_records(connection, {one.charge.subscription_id for one in records})
    rows: list[tuple[UsageRecord, str]] = []
    for one in records:
        if subscription := linked.get(one.charge.subscription_id):
            filed = filed_under(one, subscription)
            day = tenant.day(one.starts_at)
            row = file_row(filed, key=one.external_key, day=day, quantity=one.wanted, dates=files.dates)
            rows.append((one, row))
    for part in _that_fit(rows):
        batch = UsageBatch.objects.create(
            connection=connection,
            action=UsageAction.FILE,
            idempotency_key=uuid.uuid4().hex,
            body=header() + "".join(row for _, row in part),
            record_ids=[one.pk for one, _ in part],
            not_before=now,
        )
        days: dict[datetime, list[int]] = defaultdict(list)
        for one, _ in part:
            days[moment_in_file(one.starts_at, tenant)].append(one.pk)
        for moment, pks in days.items():
            UsageRecord.objects.filter(pk__in=pks).update(
                state=UsageState.SENDING,
                batch=batch,
                sent=F("wanted"),
                starts_at=moment,
                sent_starts_at=moment,
                revision=F("revision") + 1,
            )
        yield batch.pk


def _that_fit(rows: Sequence[tuple[UsageRecord, str]]) -> Iterator[list[tuple[UsageRecord, str]]]:
    """Yield the rows in as many files as Zuora's largest size makes of them."""
    part: list[tuple[UsageRecord, str]] = []
    size = whole = len(header().encode())
    for row in rows:
        more = len(row[1].encode())
        if part and size + more > LARGEST_FILE:
            yield part
            part, size = [], whole
        part.append(row)
        size += more
    if part:
        yield part


def send_file(far: Far, batch: UsageBatch, before: BatchState) -> None:
    """Send a claimed file, or find out what became of it; what is not known yet is asked for again later.

    Raises:
        ZuoraError: of a call; the batch knows what to do next time.
    """
    now = far.clock()
    if before == BatchState.LOOK_UP and now < batch.not_before:
        leave(batch, BatchState.LOOK_UP, at=batch.not_before, reason=batch.reason)
    elif before == BatchState.LOOK_UP:
        _look_up(far, batch)
    elif batch.import_id:
        _follow(far, batch)
    elif batch.sent_at and not key_is_alive(batch.sent_at, now):
        leave(batch, BatchState.LOOK_UP, at=now + _ENDED, reason=_NOBODY_KNOWS)
    else:
        _upload(far, batch, repeated=before != BatchState.READY)


def _upload(far: Far, batch: UsageBatch, *, repeated: bool) -> None:
    far.before_write()
    try:
        batch.import_id = far.client.upload_usage_file(batch.body.encode(), idempotency_key=batch.idempotency_key)
    except ZuoraError as error:
        what = key_after(error, repeated=repeated)
        if what is Key.KEEP:
            put_off(far, batch, error, state=BatchState.UNKNOWN)
        elif what is Key.LOOK_UP:
            leave(batch, BatchState.LOOK_UP, at=far.clock() + _ENDED, reason=in_words(error).what)
        else:
            _take_back(far, batch)
        raise
    batch.save(update_fields=["import_id"])
    leave(batch, BatchState.UNKNOWN, at=far.clock() + _ASK_AGAIN, reason=_RUNNING)


def _follow(far: Far, batch: UsageBatch) -> None:
    """Ask how the import goes on; what it brought or did not bring is looked up when it has ended."""
    try:
        status = far.client.usage_import_status(batch.import_id)
    except ZuoraError as error:
        forgotten = error.kind is Kind.PERMANENT and batch.sent_at and not key_is_alive(batch.sent_at, far.clock())
        put_off(far, batch, error, state=BatchState.LOOK_UP if forgotten else BatchState.UNKNOWN)
        raise
    if status == "Completed":
        _read_back(far, batch)
    elif status in {"Failed", "Canceled"}:
        _look_up(far, batch)
    else:
        leave(batch, BatchState.UNKNOWN, at=far.clock() + _ASK_AGAIN, reason=_RUNNING)


def _take_back(far: Far, batch: UsageBatch) -> None:
    """Zuora refused the file: its records go by Actions, where the bad one is named."""
    for part in in_parts(batch.record_ids, MOST_CONDITIONS):
        settle_some(batch, part, lambda record: settle_found(record, [], None, now=far.clock()))
    end(batch, now=far.clock())


def _look_up(far: Far, batch: UsageBatch) -> None:
    """Take over what is there; what is not goes by Actions."""
    for part, found in _shown(far, batch, BatchState.LOOK_UP):
        settle_some(batch, part, partial(_settle_shown, far, found))
    end(batch, now=far.clock())


def _read_back(far: Far, batch: UsageBatch) -> None:
    """Take over what the import brought; what Zuora goes on not showing is told to a person, and never sent again."""
    patient = batch.sent_at is not None and far.clock() - batch.sent_at < _SHOWS
    waits = False
    for part, found in _shown(far, batch, BatchState.UNKNOWN):
        known = [pk for pk in part if found[pk] or not patient]
        waits = waits or len(known) < len(part)
        settle_some(batch, known, partial(_settle_imported, far, found))
    if waits:
        leave(batch, BatchState.UNKNOWN, at=far.clock() + _READ_AGAIN, reason=_NOT_SHOWN)
    else:
        end(batch, now=far.clock())


def _shown(far: Far, batch: UsageBatch, state: BatchState) -> Iterator[tuple[list[int], Found]]:
    """Yield what Zuora shows of the batch's records that have no id yet, two hundred of them to a query."""
    open_ones = UsageRecord.objects.filter(batch=batch, zuora_id="").order_by("pk")
    for part in in_parts(open_ones.values_list("pk", flat=True), MOST_CONDITIONS):
        try:
            found = show(far.client, list(UsageRecord.objects.filter(pk__in=part)))
        except ZuoraError as error:
            put_off(far, batch, error, state=state)
            raise
        yield part, found


def _settle_imported(far: Far, found: Found, record: UsageRecord) -> None:
    if found[record.pk]:
        _settle_shown(far, found, record)
        return
    record.held, record.held_starts_at, record.accepted_at = record.sent, record.sent_starts_at, far.clock()
    stop(record, _MISSING, _MISSING_CURE.format(key=record.external_key))


def _settle_shown(far: Far, found: Found, record: UsageRecord) -> None:
    """What was read just now is not read back once more."""
    settle_found(record, found[record.pk], None, now=far.clock())
    if record.state == UsageState.ACCEPTED:
        record.state, record.confirmed_at = UsageState.CONFIRMED, far.clock()
