"""What an answer means for one usage record; nothing is sent and nothing is saved here."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from integrations.models import UsageRecord, UsageState
from integrations.retry import decide
from integrations.words import in_words
from integrations.zuora.errors import Kind, ZuoraError
from integrations.zuora.mapping.usage import BILLED, same_moment

#: The fields that these functions set.
OUTCOME = [
    "state",
    "zuora_id",
    "charge_number",
    "starts_at",
    "wanted",
    "taken",
    "held",
    "held_starts_at",
    "is_billed",
    "owed",
    "attempts",
    "not_before",
    "reason",
    "cure",
    "accepted_at",
    "confirmed_at",
]
_ZERO = Decimal(0)
_DUPLICATE = "Zuora holds several usage records with the key {key}: {ids}."
_DUPLICATE_CURE = "Delete all but one of them in Zuora, then retry."
_GONE = "The usage record {id} is no longer in Zuora."
_GONE_CURE = "Somebody deleted it there: retry to make it anew."


def accept(record: UsageRecord, zuora_id: str, *, now: datetime) -> None:
    """Zuora took what was sent; if something else is wanted by now it is sent next."""
    record.zuora_id, record.held, record.held_starts_at = zuora_id, record.sent, record.sent_starts_at
    record.accepted_at, record.confirmed_at, record.not_before, record.attempts = now, None, now, 0
    record.state, record.reason, record.cure = UsageState.ACCEPTED, "", ""
    record.settle()


def fail(record: UsageRecord, error: ZuoraError, *, now: datetime) -> None:
    """Zuora did not do it: it is sent again under a new key, or a person must look."""
    again = decide(
        error,
        attempts=record.attempts + 1,
        most=settings.SYNC_MAX_ATTEMPTS,
        now=now,
        jitter=random.SystemRandom().random,
    )
    words = in_words(error)
    if again is None:
        stop(record, words.what, words.cure)
        return
    record.attempts += again.counts
    record.not_before, record.reason = again.at, words.what
    record.settle()


def stop(record: UsageRecord, reason: str, cure: str) -> None:
    """Only a person can help."""
    record.state, record.reason, record.cure = UsageState.FAILED, reason, cure


def settle_found(
    record: UsageRecord, rows: Sequence[Mapping[str, Any]], failure: ZuoraError | None, *, now: datetime
) -> None:
    """Take over what was found of a record of which nothing was known, or whose object was refused."""
    if len(rows) > 1:
        ids = ", ".join(str(row["Id"]) for row in rows)
        stop(record, _DUPLICATE.format(key=record.external_key, ids=ids), _DUPLICATE_CURE)
    elif rows:
        learn(record, rows[0], now=now)
        if failure is not None and not record.is_billed and record.differs:
            fail(record, failure, now=now)
    elif record.zuora_id and (failure is None or failure.kind is not Kind.TRANSIENT):
        stop(record, _GONE.format(id=record.zuora_id), _GONE_CURE)
        record.zuora_id, record.held, record.held_starts_at = "", None, None
    elif failure is not None:
        fail(record, failure, now=now)
    else:
        record.not_before = now
        record.settle()


def learn(record: UsageRecord, row: Mapping[str, Any], *, now: datetime) -> None:
    """Take over what Zuora shows of a record: while it is billed it stays, and what is wrong in it is owed."""
    record.zuora_id, record.held = str(row["Id"]), Decimal(str(row["Quantity"]))
    known = (record.starts_at, record.sent_starts_at, record.held_starts_at)
    moments = [one for one in known if one is not None]
    record.held_starts_at = next((one for one in moments if same_moment(row.get("StartDateTime"), one)), None)
    record.accepted_at = record.accepted_at or now
    status = row.get("RbeStatus")
    if record.is_billed and status and status != BILLED:
        thaw(record)
    elif status == BILLED and not record.is_billed:
        _freeze(record, record.held)
        record.starts_at = record.held_starts_at or record.starts_at  # a move that was meant comes too late
        record.confirmed_at = now
    record.settle()


def thaw(record: UsageRecord) -> None:
    """Let a billed record be open again, its invoice being gone: Zuora deletes drafts, and frees what was on them.

    A correction stays what it is until it is shared out again what is owed.
    """
    if record.slice is not None:
        record.wanted = record.slice.quantity
    record.is_billed, record.owed, record.taken = False, _ZERO, _ZERO
    record.charge.must_plan = True


def _freeze(record: UsageRecord, billed: Decimal) -> None:
    """Let the record be what was billed; the open records of the charge make up for the difference."""
    right = _ZERO if record.is_correction else record.wanted + record.taken
    record.is_billed, record.owed, record.wanted, record.taken = True, right - billed, billed, _ZERO
    record.charge.must_plan = True
