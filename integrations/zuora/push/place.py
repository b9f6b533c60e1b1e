"""Brings one object of Zuora's to what is wanted, exactly once: the heart of the sync.

Before a create leaves, its key and bytes are stored as "outcome unknown". Whoever comes next - the same worker or the
next after a crash - finds out what became of it before anything else is sent. What was answered is noted, and stored
with the outcome of the delivery: what dies with the worker in between is found out as well.
Sources: https://developer.zuora.com/v1-api-reference/idempotent-requests/
https://developer.zuora.com/v1-api-reference/error-handling/
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.models import SyncRecord, SyncStatus
from integrations.models.record import HELD_FIELDS, STATUS_FIELDS
from integrations.retry import Key, key_after, key_is_alive
from integrations.zuora.body import encode
from integrations.zuora.digest import digest, plain
from integrations.zuora.errors import Forbidden, Kind, NotFound, Rejected, ZuoraError
from integrations.zuora.push.far import Far


@dataclass(frozen=True)
class Held:
    """An object as Zuora names it."""

    zuora_id: str
    number: str = ""


@dataclass(frozen=True)
class Endpoints:
    """How one kind of object is created, found by its natural key, and changed."""

    create: Callable[[bytes, str], Mapping[str, Any]]
    held: Callable[[Mapping[str, Any]], Held]
    find: Callable[[], Held | None]
    update: Callable[[str], object]


@dataclass(frozen=True)
class Wanted:
    """What Zuora should hold: the create body, its natural key, and what is compared (the body unless given)."""

    body: Mapping[str, Any]
    number: str
    compared: Mapping[str, Any] | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """What the record keeps once Zuora holds it."""
        kept: dict[str, Any] = plain(self.body if self.compared is None else self.compared)
        return kept


def place(far: Far, record: SyncRecord, wanted: Wanted, endpoints: Endpoints) -> SyncRecord:
    """Create, adopt or change the object so that Zuora holds what is wanted; unchanged costs no call.

    Raises:
        ZuoraError: the call's error; the record knows what to do next time.
    """
    find_out(far, record, endpoints)
    if not record.is_linked:
        create(far, record, wanted, endpoints)
    sent = wanted.sent
    fingerprint = digest(sent)
    if record.digest != fingerprint:
        far.before_write()
        endpoints.update(record.zuora_id)
        record.mark_held(
            zuora_id=record.zuora_id, number=record.zuora_number, sent=sent, digest=fingerprint, now=far.clock()
        )
        far.note(record, HELD_FIELDS)
    elif not record.has_parts:
        confirm(far, record)
    return record


def confirm(far: Far, record: SyncRecord) -> None:
    """Say that it is synced where there was nothing to send."""
    if record.status != SyncStatus.SUCCESS and not far.dry:
        record.mark_status(SyncStatus.SUCCESS, now=far.clock())
        far.note(record, STATUS_FIELDS)


def find_out(far: Far, record: SyncRecord, endpoints: Endpoints) -> None:
    """Learn what became of a POST that left: look first, then repeat the same bytes while their key lives."""
    if record.pending_since is None:
        return
    far.before_write()
    found = endpoints.find()
    if found is not None:
        adopt(far, record, found, sent=record.pending_sent)
    elif record.is_pending and key_is_alive(record.pending_since, far.clock()):
        _send(far, record, endpoints, body=record.pending_body.encode(), repeated=True)
    else:
        record.mark_refused()  # Zuora does not have it, and the old key protects nothing any more


def create(far: Far, record: SyncRecord, wanted: Wanted, endpoints: Endpoints) -> None:
    """Create the object, or adopt the one that carries its natural key."""
    try:
        leave(far, record, wanted, endpoints)
    except (Rejected, NotFound, Forbidden) as error:
        # Our natural key may be taken by what we made before our memory of it was lost, and the codes for that are not
        # documented. What carries our key is ours.
        if error.kind is Kind.BUG or (found := endpoints.find()) is None:
            raise
        adopt(far, record, found, sent={})


def leave(far: Far, record: SyncRecord, wanted: Wanted, endpoints: Endpoints) -> None:
    """Send a POST under a new key, with its outcome noted as unknown before it leaves."""
    far.before_write()
    body = encode(wanted.body)
    record.mark_leaving(
        key=uuid.uuid4().hex,
        body=body,
        sent=wanted.sent,
        number=wanted.number,
        now=far.clock(),
        more=far.noted(record),
    )
    _send(far, record, endpoints, body=body, repeated=False)


def adopt(far: Far, record: SyncRecord, held: Held, *, sent: Mapping[str, Any]) -> None:
    """Take what was found in Zuora as ours; with nothing known to be sent, the next step makes it equal."""
    record.mark_held(
        zuora_id=held.zuora_id,
        number=held.number,
        sent=dict(sent),
        digest=digest(sent) if sent else "",
        now=far.clock(),
    )
    far.note(record, HELD_FIELDS)


def _send(far: Far, record: SyncRecord, endpoints: Endpoints, *, body: bytes, repeated: bool) -> None:
    try:
        answer = endpoints.create(body, record.pending_key)
    except ZuoraError as error:
        match key_after(error, repeated=repeated):
            case Key.NEW:
                record.mark_refused()
            case Key.LOOK_UP:
                record.mark_lost_key()
        raise
    held = endpoints.held(answer)
    adopt(far, record, Held(held.zuora_id, held.number or record.pending_number), sent=record.pending_sent)
