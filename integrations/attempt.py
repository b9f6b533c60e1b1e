"""One attempt at one claimed job: row, mapping and client meet, and whatever happens has an ending in plain words.

Nothing here holds a transaction; the ending is stored by whoever delivers.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError

from integrations.breaker import note_error
from integrations.eligibility import Verdict, changes
from integrations.models import Delivery, DeliveryOutcome, JobState, SyncJob, SyncRecord, SyncStatus
from integrations.models.record import STATUS_FIELDS
from integrations.outbox import End
from integrations.retry import Again, decide
from integrations.words import Words, in_words
from integrations.zuora.client import Exchange
from integrations.zuora.errors import ZuoraError
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.push import Far, Mismatch, Waits, carry_out

log = structlog.get_logger(__name__)
_DATABASE_PAUSE = timedelta(seconds=2)


@dataclass(frozen=True)
class Ending:
    """What became of the delivery, and of its job."""

    outcome: DeliveryOutcome
    job: End


@dataclass
class Attempt:
    """What is known of one claimed job before it is sent, and what is to be written down at its end.

    `entity` is None when it was deleted before it was sent, `verdict` when it has no rules.
    """

    job: SyncJob
    delivery: Delivery
    record: SyncRecord | None = None
    entity: Any = None
    verdict: Verdict | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    ending: Ending | None = None


def make(attempt: Attempt, far: Far) -> Ending:
    """Push the entity of a claimed job, and return how that ended; raises nothing that has to do with the entity."""
    entity, record, verdict = attempt.entity, attempt.record, attempt.verdict
    if entity is None or record is None:
        return Ending(DeliveryOutcome.UNCHANGED, End(JobState.DONE, "It was deleted before it was sent."))
    if verdict is not None:
        attempt.delivery.decided = changes(record.trace, verdict.trace)
        if verdict.trace != record.trace:
            record.trace = verdict.trace
            far.note(record, {"trace"})
    try:
        carry_out(far, entity, record, syncs=verdict is None or verdict.syncs)
    except Exception as error:  # noqa: BLE001 - whatever happened, the job gets an end and a reason
        return _end_early(attempt, far, record, error)
    if verdict is not None and not verdict.syncs:
        return _stop(far, record, verdict)
    return Ending(DeliveryOutcome.SENT if far.writes else DeliveryOutcome.UNCHANGED, End(JobState.DONE))


def _end_early(attempt: Attempt, far: Far, record: SyncRecord, error: Exception) -> Ending:
    match error:
        case Waits():
            _note_status(far, record, SyncStatus.PENDING)
            return Ending(DeliveryOutcome.WAITS, End(JobState.WAITING, str(error), waiting_for=error.key))
        case Refused() | Mismatch():
            return _fail(far, record, Words(str(error), ""))
        case ZuoraError():
            return _failed_call(attempt, far, record, error)
        case OperationalError():  # our own database was busy or away: nothing is known to be wrong with the entity
            return _again(f"Our own database failed: {error}", Again(far.clock() + _DATABASE_PAUSE, counts=False))
    log.error("A push broke; this is a mistake in the program.", exc_info=error)
    return _fail(far, record, Words("The program made a mistake.", "Look for the track id in the log."))


def _stop(far: Far, record: SyncRecord, verdict: Verdict) -> Ending:
    if record.cancel_wanted_at is not None:
        record.cancel_wanted_at = None
        far.note(record, {"cancel_wanted_at"})
    _note_status(far, record, SyncStatus.NO_SYNC_REQUIRED)
    return Ending(DeliveryOutcome.NOT_SYNCED, End(JobState.DONE, verdict.reason))


def _failed_call(attempt: Attempt, far: Far, record: SyncRecord, error: ZuoraError) -> Ending:
    now = far.clock()
    note_error(far.connection, error, now=now)
    again = decide(
        error,
        attempts=attempt.job.attempts,
        most=settings.SYNC_MAX_ATTEMPTS,
        now=now,
        jitter=random.SystemRandom().random,
    )
    words = in_words(error)
    if again is None:
        record.zuora_says = "; ".join(str(reason) for reason in error.reasons)
        record.zuora_request_id = error.request_id
        return _fail(far, record, words)
    return _again(words.what, again)


def _again(reason: str, again: Again) -> Ending:
    return Ending(DeliveryOutcome.RETRY, End(JobState.WAITING, reason, not_before=again.at, counts=again.counts))


def _fail(far: Far, record: SyncRecord, words: Words) -> Ending:
    record.error, record.cure = words.what, words.cure
    _note_status(far, record, SyncStatus.ERROR)
    return Ending(DeliveryOutcome.FAILED, End(JobState.FAILED, words.text))


def _note_status(far: Far, record: SyncRecord, status: SyncStatus) -> None:
    record.mark_status(status, now=far.clock())
    far.note(record, STATUS_FIELDS)
