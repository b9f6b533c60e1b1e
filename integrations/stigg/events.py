"""What Stigg's webhooks say, and what is done about it.

Stigg sends flat objects and, by some of its texts, nested ones; both are read. It sends an event again when the answer
was late, in any order, and signs nothing: an event names an entity, which is then read from Stigg itself.
Source: https://docs.stigg.io/docs/webhooks
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.models import StiggAccount, StiggEvent, StiggEventState
from integrations.stigg.account import Account, StiggError, StiggKind
from integrations.stigg.importing import import_one, open_account
from integrations.stigg.values import Unreadable, decimal, moment
from integrations.stigg.writing import SKIPPED
from usage.models import UpdateBehavior
from usage.reporting import Refused, UsageReport, report_usage

MEASUREMENT = "measurement.reported"
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=1)
_MOST_ATTEMPTS = 12
_UNSEEN = timedelta(seconds=5)  # younger ones have a message on its way
_SWEPT = 500
#: The first word of an event's type. "Deleted" and "archived" are read again like the rest: Stigg deletes nothing.
_KINDS = {kind.value: kind for kind in StiggKind}


@dataclass(frozen=True)
class Envelope:
    """What an event says of itself; `kind` is empty where there is nothing to read again."""

    message_id: str
    type: str
    kind: str
    ref_id: str


def read_envelope(body: bytes) -> Envelope:
    """Read an event as it came.

    Raises:
        ValueError: it is no JSON object with a messageId and a type; the text says so.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(event, dict):
        raise ValueError("The body is no JSON object.")  # noqa: TRY004 - it is the caller's value that is wrong
    message_id, type_ = event.get("messageId"), event.get("type")
    if not isinstance(message_id, str) or not isinstance(type_, str) or not message_id or not type_:
        raise ValueError("An event has a messageId and a type, both texts.")
    if "\x00" in message_id + type_:
        raise ValueError("A messageId and a type hold no NUL.")
    ref_id = _fields(event).get("id")
    kind = _KINDS.get(type_.partition(".")[0])
    if type_ == MEASUREMENT or kind is None or not isinstance(ref_id, str) or not ref_id or "\x00" in ref_id:
        return Envelope(message_id[:255], type_[:100], "", "")
    return Envelope(message_id[:255], type_[:100], kind.value, ref_id[:255])


def due(*, now: datetime) -> list[int]:
    """Return the events that nobody has looked at though they came a while ago."""
    waiting = StiggEvent.objects.due(now=now).filter(received_at__lte=now - _UNSEEN, account__removed_at=None)
    return list(waiting.order_by("not_before").values_list("pk", flat=True)[:_SWEPT])


def process(
    event: StiggEvent, *, clock: Callable[[], datetime], open_: Callable[[StiggAccount], Account] = open_account
) -> None:
    """Do what an event asks for, and note what became of it; a Stigg that is away is asked again later.

    To be called outside a transaction: it waits for Stigg.
    """
    now = clock()
    try:
        state, reason = _process(event, now=now, open_=open_)
    except StiggError as error:
        if event.attempts + 1 >= _MOST_ATTEMPTS:
            event.mark_ended(StiggEventState.FAILED, reason=str(error), now=now)
        else:
            event.mark_again(reason=str(error), at=now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**event.attempts))
        return
    event.mark_ended(state, reason=reason, now=clock())
    others = StiggEvent.objects.of(event.account, event.kind, {event.ref_id}).exclude(pk=event.pk)
    if event.kind and others.ended_since(now).exists():
        # What was read here may be older than what that one has stored.
        event.mark_waiting(now=clock())


def _process(
    event: StiggEvent, *, now: datetime, open_: Callable[[StiggAccount], Account]
) -> tuple[StiggEventState, str]:
    if event.type == MEASUREMENT:
        return _note_usage(event, now=now)
    if not event.kind:
        return StiggEventState.UNKNOWN, "Events of this type change nothing that is billed."
    change = import_one(open_(event.account), StiggKind(event.kind), event.ref_id, now=now)
    if change is None:
        return StiggEventState.UNKNOWN, f"Stigg has no {event.kind} {event.ref_id}."
    if change.what == SKIPPED:
        return StiggEventState.FAILED, change.text
    return StiggEventState.DONE, f"{change.what} {change.text}".strip()


def _note_usage(event: StiggEvent, *, now: datetime) -> tuple[StiggEventState, str]:
    """Store what was used, under the event's own id: told twice, it was used once."""
    fields = _fields(json.loads(event.body))
    try:
        report = UsageReport(
            customer=_id(fields, "customer"),
            feature=_id(fields, "feature"),
            resource=_id(fields, "resource", optional=True),
            value=decimal(fields["currentChange"]),
            behavior=UpdateBehavior.DELTA,
            key=f"stigg:{event.message_id}"[:255],
            at=min(moment(fields.get("timestamp") or fields.get("createdAt")) or event.received_at, event.received_at),
        )
    except (KeyError, TypeError, Unreadable) as wrong:
        return StiggEventState.FAILED, f"It does not say who used how much of what: {wrong}."
    try:
        report_usage(reports={0: report}, now=now)
    except Refused as refused:
        return StiggEventState.FAILED, str(refused)
    return StiggEventState.DONE, f"{report.value} of {report.feature} for {report.customer}"


def _fields(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the entity's own fields: beside the envelope's, or beneath `data`."""
    nested = event.get("data")
    return {**event, **nested} if isinstance(nested, dict) else event


def _id(fields: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    found = fields.get(name)
    ref_id = found.get("id") if isinstance(found, dict) else fields.get(f"{name}Id")
    if not ref_id and optional:
        return ""
    if not isinstance(ref_id, str):
        raise KeyError(name)
    return ref_id
