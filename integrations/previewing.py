"""What would be sent for an entity, as the difference between what Zuora has now and what it would have.

Nothing here knows what a push sends: the push itself runs against a client that sends nothing, in a transaction that is
rolled back. What Zuora has is read fresh, so that what somebody changed there is seen, too.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from django.db import transaction

from integrations import request_log
from integrations.entities import ENTITIES
from integrations.facts import verdict_on
from integrations.models import Connection, EntityKind, SyncRecord
from integrations.words import in_words
from integrations.zuora import leases
from integrations.zuora.client import Client, Exchange
from integrations.zuora.digest import digest, plain
from integrations.zuora.errors import NotFound, Rejected, Scope, ZuoraError
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.push import Far, Mismatch, Waits, carry_out
from integrations.zuora.push.records import RETIRED
from integrations.zuora.rehearsing import NEW, NotReadYet, Reads, RehearsingClient, Write, as_text
from integrations.zuora.shown import (
    FieldChange,
    Fields,
    changes_of,
    fields_of_body,
    fields_of_contract,
    fields_of_row,
    fields_of_subscription,
)
from integrations.zuora.tenant import tenant_of

UNCHANGED, CREATE, UPDATE = "Unchanged", "Would create", "Would update"
DRIFTED, REFUSED, WAITS = "Changed in Zuora", "Refused", "Waits for another entity"
NOT_SYNCED, UNREADABLE, GONE = "Will not be synced", "Zuora could not be read", "Deleted"
#: What can be applied: something would be sent.
SENDS = frozenset({CREATE, UPDATE})
#: More reads than any push needs: a rehearsal that never ends is a mistake in the program.
_MOST_READS = 2000


@dataclass(frozen=True)
class ObjectChange:
    """One object in Zuora; `action` is create, update, keep or missing."""

    key: str
    kind: str
    zuora_id: str
    action: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Preview:
    """What a push would do, in words of `outcome`, and why; `ours` and `theirs` are fingerprints of both sides."""

    key: str
    outcome: str
    text: str
    objects: tuple[ObjectChange, ...]
    requests: tuple[Write, ...]
    ours: str
    theirs: str

    @property
    def digest(self) -> str:
        """What an apply must name: if either side moves, it is another one."""
        return f"{self.ours}.{self.theirs}"

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept and shown."""
        requests = [
            {"method": one.method, "path": one.path, "body": as_text(one.body), "made": one.made}
            for one in self.requests
        ]
        kept: dict[str, Any] = plain({**asdict(self), "requests": requests, "digest": self.digest})
        return kept


@dataclass(frozen=True)
class _Plan:
    """What a rehearsal came to; records are copies that are not in the database."""

    key: str
    outcome: str
    text: str
    before: Mapping[str, SyncRecord]
    after: Sequence[SyncRecord]
    writes: Sequence[Write]


def preview(*, connection: Connection, kind: EntityKind, entity_id: int, client: Client, now: datetime) -> Preview:
    """Return what a push of the entity would send now. To be called outside a transaction: it waits for Zuora.

    Raises:
        ZuoraError: the tenant as a whole cannot be asked; nothing can be said.
    """
    plan = _rehearsed(connection, kind, entity_id, client, now)
    objects, shown = [], {}
    for record in plan.after:
        there = _in_zuora(plan, record)
        change, seen = _change(plan, record, there, _row(client, there) if there is not None else None)
        shown[record.key] = seen
        if change is not None:
            objects.append(change)
    outcome = plan.outcome
    if outcome == UNCHANGED and any(one.action != "keep" or one.fields for one in objects):
        outcome = DRIFTED
    return Preview(
        key=plan.key,
        outcome=outcome,
        text=plan.text,
        objects=tuple(objects),
        requests=tuple(plan.writes),
        ours=digest([plan.outcome, plan.text, [[one.method, one.path, one.body] for one in plan.writes]])[:32],
        theirs=digest(shown)[:32],
    )


def preview_logged(
    *,
    connection: Connection,
    kind: EntityKind,
    entity_id: int,
    now: datetime,
    open_client: Callable[[Connection], Client],
    priority: leases.Priority,
) -> Preview:
    """Preview under a track id of its own, and keep what was asked for the request log. Outside a transaction.

    Raises:
        ZuoraError: the tenant as a whole cannot be asked; nothing can be said.
    """
    exchanges: list[Exchange] = []
    client = open_client(connection).for_delivery(
        track_id=f"preview-{uuid.uuid4().hex[:16]}", priority=priority, on_exchange=exchanges.append
    )
    try:
        return preview(connection=connection, kind=kind, entity_id=entity_id, client=client, now=now)
    finally:
        request_log.keep(exchanges, connection=connection)


def moved_since(digest: str, seen: Preview) -> str:
    """Return which side is another one than in the preview with this digest, as a sentence; nothing where none is."""
    ours, _, theirs = digest.partition(".")
    sides = [side for side, same in (("here", ours == seen.ours), ("in Zuora", theirs == seen.theirs)) if not same]
    if not sides:
        return ""
    return f"Something changed {' and '.join(sides)} since that preview, so nothing was sent: look at the new one."


def _rehearsed(connection: Connection, kind: EntityKind, entity_id: int, client: Client, now: datetime) -> _Plan:
    reads = Reads()
    for _ in range(_MOST_READS):
        try:
            return _rehearse(connection, kind, entity_id, RehearsingClient(client, reads), now)
        except NotReadYet as missing:
            missing.read()
    raise RuntimeError(f"The push of {kind} {entity_id} wants to read more than {_MOST_READS} times.")


def _rehearse(
    connection: Connection, kind: EntityKind, entity_id: int, client: RehearsingClient, now: datetime
) -> _Plan:
    """Push as a delivery would, and undo everything; nothing waits for Zuora in here."""
    with transaction.atomic(durable=True):
        try:
            return _push(connection, kind, entity_id, client, now)
        finally:
            transaction.set_rollback(True)


def _push(connection: Connection, kind: EntityKind, entity_id: int, client: RehearsingClient, now: datetime) -> _Plan:
    entity = ENTITIES[kind].load(entity_id)
    if entity is None:
        return _Plan("", GONE, "It was deleted.", {}, (), ())
    key = ENTITIES[kind].wish(entity).key
    records = SyncRecord.objects.filter(connection=connection)
    before = {one.key: one for one in records.of(kind=kind, entity_id=entity_id)}
    record, _ = records.get_or_create(
        connection=connection, key=key, defaults={"kind": kind, "root_kind": kind, "root_id": entity_id}
    )
    record.connection = connection
    verdict = verdict_on(entity, connection=connection, record=record)
    far = Far(client=client, connection=connection, tenant=tenant_of(connection), clock=lambda: now)
    outcome, text = "", ""
    try:
        carry_out(far, entity, record, syncs=verdict is None or verdict.syncs)
    except Waits as waits:
        outcome, text = WAITS, str(waits)
    except (Refused, Mismatch) as refusal:
        outcome, text = REFUSED, str(refusal)
    except ZuoraError as error:
        if error.scope is Scope.CONNECTION:
            raise
        outcome, text = UNREADABLE, in_words(error).text
    if not outcome and verdict is not None and not verdict.syncs and not client.writes:
        outcome, text = NOT_SYNCED, verdict.reason
    if not outcome:
        was_there = key in before and before[key].is_linked
        outcome = UNCHANGED if not client.writes else UPDATE if was_there else CREATE
    after = [one for one in records.of(kind=kind, entity_id=entity_id) if RETIRED not in one.key]
    units = records.filter(kind=EntityKind.UNIT, zuora_id__startswith=NEW)
    return _Plan(key, outcome, text, before, [*after, *units], client.writes)


def _in_zuora(plan: _Plan, record: SyncRecord) -> SyncRecord | None:
    """Return the record as Zuora knows the object by now, or None where it does not hold it."""
    known = plan.before.get(record.key)
    there = known if known is not None and known.is_linked else record
    is_new = not there.is_linked or there.zuora_id.startswith(NEW) or there.kind == EntityKind.UNIT
    return None if is_new else there


def _row(client: Client, record: SyncRecord) -> Mapping[str, Any] | None:
    """Return what Zuora shows of an object, or None where it is not there any more."""
    reads: dict[EntityKind, Callable[[str], dict[str, Any]]] = {
        EntityKind.BILLING_PERIOD: client.get_rate_plan,
        EntityKind.CHARGE: partial(_charge, client),
        EntityKind.CUSTOMER: client.get_account,
        EntityKind.SUBSCRIPTION: client.get_subscription,
    }
    by_number = record.kind == EntityKind.SUBSCRIPTION  # its id is another one with every version
    key = record.zuora_number if by_number and record.zuora_number else record.zuora_id
    try:
        return reads.get(EntityKind(record.kind), client.get_product)(key)
    except (NotFound, Rejected):
        return None


def _charge(client: Client, charge_id: str) -> dict[str, Any]:
    row = client.query_by_key("product-rate-plan-charges", charge_id)
    return {**row, "tiers": client.charge_tiers_of(charge_id)}


def _change(
    plan: _Plan, record: SyncRecord, there: SyncRecord | None, row: Mapping[str, Any] | None
) -> tuple[ObjectChange | None, Fields]:
    """Return how an object would change, or None where nothing is to be said, and what Zuora shows of it."""
    write = _write_for(plan.writes, there or record)
    sent = there.sent if there is not None and there.pk in {one.pk for one in plan.before.values()} else {}
    if record.kind == EntityKind.SUBSCRIPTION:
        wanted = fields_of_contract(record.sent) if write is not None else {}
        last = fields_of_contract(sent) if sent else {}
        now = fields_of_subscription(row, [sent, record.sent]) if row is not None else {}
    else:
        wanted = fields_of_body(write.body) if write is not None else {}
        last = fields_of_body(sent)
        now = fields_of_row(row, [*wanted, *last], tiers=row.get("tiers") or ()) if row is not None else {}
    if there is None:
        action = "create"
    elif row is None:
        action = "missing"
    else:
        action = "update" if write is not None else "keep"
    fields = changes_of(wanted, last, now, new=action == "create")
    said = bool(fields) or action == "missing" or (action == "create" and write is not None) or action == "update"
    zuora_id = (there or record).zuora_id
    change = ObjectChange(record.key, record.kind, zuora_id, action, fields) if said else None
    return change, now


def _write_for(writes: Sequence[Write], record: SyncRecord) -> Write | None:
    """Return the last request that would change this object."""
    names = {quote(name, safe="") for name in (record.zuora_id, record.zuora_number) if name}
    for write in reversed(writes):
        if write.made and write.made == record.zuora_id:
            return write
        if record.kind == EntityKind.SUBSCRIPTION and write.path == "/v1/orders":
            return write
        if write.method == "PUT" and names & set(write.path.split("/")):
            return write
    return None
