"""A look at a subscription as Zuora has it now: two bounded reads, at which a person waits."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from integrations import request_log
from integrations.models import Connection, SyncRecord
from integrations.operating import note
from integrations.words import in_words
from integrations.zuora.client import Client, Exchange
from integrations.zuora.errors import ZuoraError
from integrations.zuora.leases import Priority

#: Seconds: a call gives up after these, and none begins after all of them.
CALL_SECONDS, ALL_SECONDS = 6.0, 10.0


@dataclass(frozen=True)
class Seen:
    """What Zuora answered; `problem` says in words why it did not, or not wholly."""

    at: datetime
    subscription: dict[str, Any] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""


def look(*, record: SyncRecord, actor: User | None, now: datetime, open_client: Callable[[Connection], Client]) -> Seen:
    """Return the subscription's version and orders; whatever the tenant does, within seconds and without an error.

    Hold no transaction: it waits for Zuora.
    """
    connection = record.connection
    exchanges: list[Exchange] = []
    track_id = f"look-{uuid.uuid4().hex[:12]}"
    number = record.zuora_number or record.zuora_id
    note(actor=actor, action="look in Zuora", subject=record.key, now=now)
    subscription: dict[str, Any] = {}
    orders: list[dict[str, Any]] = []
    problem = ""
    try:
        client = open_client(connection).in_a_hurry(seconds=ALL_SECONDS, call_seconds=CALL_SECONDS)
        client = client.for_delivery(track_id=track_id, priority=Priority.CLICK, on_exchange=exchanges.append)
        subscription = client.get_subscription(number)
        orders = client.orders_of_subscription(number)["orders"]
    except ZuoraError as error:
        problem = in_words(error).what
    request_log.keep(exchanges, connection=connection)
    return Seen(now, subscription, orders, problem)
