"""Sends a batch, and finds out what became of one: nothing is sent again before that is known.

A call without an answer goes again with the same key and the same bytes while Zuora remembers the key. After that, or
when Zuora replays an old failure, the records are looked up by their external keys first.
Sources: https://developer.zuora.com/v1-api-reference/idempotent-requests/
https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTcreate/
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from integrations.models import BatchState, UsageAction, UsageBatch, UsageCharge, UsageRecord
from integrations.retry import Key, key_after, key_is_alive
from integrations.zuora.answers import row_failure
from integrations.zuora.errors import Kind, Unavailable, UnexpectedAnswer, ZuoraError
from integrations.zuora.mapping.usage import moment_that_is_billed
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.batches import filed_under
from integrations.zuora.push.usage.charges import linked_records, read_numbers
from integrations.zuora.push.usage.files import send_file
from integrations.zuora.push.usage.outcomes import accept, fail, settle_found
from integrations.zuora.push.usage.settling import finish, leave, put_off, show


def send(far: Far, batch: UsageBatch, before: BatchState) -> None:
    """Send a claimed batch, or find out what became of it, and store the outcome of each record.

    `before` is the state in which it was claimed.

    Raises:
        ZuoraError: of the whole call; the batch and its records know what to do next time.
    """
    try:
        if batch.action == UsageAction.FILE:
            send_file(far, batch, before)
        elif before == BatchState.LOOK_UP or (batch.sent_at and not key_is_alive(batch.sent_at, far.clock())):
            _look_up(far, batch)
        else:
            _send(far, batch, repeated=before != BatchState.READY)
    except ZuoraError:
        raise
    except BaseException:
        # The process is ending, or the program made a mistake: what left may have been done.
        leave(batch, BatchState.UNKNOWN, at=far.clock(), reason="It broke off.")
        raise


def _send(far: Far, batch: UsageBatch, *, repeated: bool) -> None:
    far.before_write()
    try:
        rows = far.client.send_action(
            batch.action, batch.body.encode(), count=len(batch.record_ids), idempotency_key=batch.idempotency_key
        )
    except ZuoraError as error:
        what = key_after(error, repeated=repeated)
        if what is Key.NEW:
            finish(far, batch, partial(fail, error=error, now=far.clock()))
        else:
            put_off(far, batch, error, state=BatchState.UNKNOWN if what is Key.KEEP else BatchState.LOOK_UP)
        raise
    answers = dict(zip(batch.record_ids, rows, strict=True))
    failures = {pk: failure for pk, row in answers.items() if (failure := row_failure(row)) is not None}
    taken = {pk: str(row.get("Id") or row.get("id")) for pk, row in answers.items() if pk not in failures}
    try:
        settle = _judge(far, batch, failures, taken)
    except ZuoraError as error:
        put_off(far, batch, error, state=BatchState.UNKNOWN)  # the same key brings the same answer again
        raise
    finish(far, batch, settle, taken=taken)


def _judge(
    far: Far, batch: UsageBatch, failures: Mapping[int, ZuoraError], taken: Mapping[int, str]
) -> Callable[[UsageRecord], None]:
    """Return what the answer means for each record, having asked what a refusal leaves open."""
    unclear, refused = list[UsageRecord](), list[UsageRecord]()
    for record in UsageRecord.objects.filter(pk__in=failures).select_related("charge") if failures else ():
        failure = failures[record.pk]
        if isinstance(failure, Unavailable | UnexpectedAnswer) or (
            record.zuora_id and failure.kind is not Kind.TRANSIENT
        ):
            unclear.append(record)  # it may have been done, or it is billed, or gone
        elif failure.kind is not Kind.TRANSIENT:
            refused.append(record)
    found = show(far.client, unclear)
    numbers = _read_numbers_again(far, refused)
    moved = _in_another_account(far, batch, refused)

    def settle(record: UsageRecord) -> None:
        failure, now = failures.get(record.pk), far.clock()
        if failure is None:
            accept(record, taken[record.pk], now=now)
        elif record.pk in found:
            settle_found(record, found[record.pk], failure, now=now)
        elif numbers.get(record.charge_id, record.charge_number) != record.charge_number:
            _file_anew(far, record, numbers[record.charge_id])
        elif record.pk in moved:
            record.not_before = far.clock()
            record.settle()
        else:
            fail(record, failure, now=now)

    return settle


def _in_another_account(far: Far, batch: UsageBatch, records: Sequence[UsageRecord]) -> set[int]:
    """Return those whose subscription was handed over since the call was formed: they go under the new account."""
    if batch.action != UsageAction.CREATE or not records:
        return set()
    sent = {
        pk: one["AccountNumber"] for pk, one in zip(batch.record_ids, json.loads(batch.body)["objects"], strict=True)
    }
    linked = linked_records(far.connection, {one.charge.subscription_id for one in records})
    return {
        one.pk
        for one in records
        if one.charge.subscription_id in linked
        and filed_under(one, linked[one.charge.subscription_id]).account != sent[one.pk]
    }


def _file_anew(far: Far, record: UsageRecord, number: str) -> None:
    """File what Zuora refused under the charge's number of today, and in the days that it is billed under that."""
    first, end = record.charge.time_of(number)
    if first is not None:
        placed = moment_that_is_billed(record.starts_at, first=first, end=end, tenant=far.tenant)
        record.starts_at = placed or record.starts_at
    record.charge_number, record.not_before = number, far.clock()
    record.settle()


def _read_numbers_again(far: Far, records: Sequence[UsageRecord]) -> dict[int, str]:
    """Read the numbers of refused charges again: a plan that was replaced in Zuora has charges with new ones."""
    if not records:
        return {}
    charges = {one.charge_id: one.charge for one in records}
    linked = linked_records(far.connection, {one.subscription_id for one in charges.values()})
    for subscription in linked.values():
        read_numbers(far, subscription)
    return dict(UsageCharge.objects.filter(pk__in=charges).values_list("pk", "number"))


def _look_up(far: Far, batch: UsageBatch) -> None:
    """Find a batch's records; what Zuora does not have goes again under a new key."""
    try:
        found = show(far.client, list(UsageRecord.objects.filter(pk__in=batch.record_ids)))
    except ZuoraError as error:
        put_off(far, batch, error, state=BatchState.LOOK_UP)
        raise
    finish(far, batch, lambda record: settle_found(record, found[record.pk], None, now=far.clock()))
