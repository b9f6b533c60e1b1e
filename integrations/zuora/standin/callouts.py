"""Callouts: what happened in the tenant, told to whoever asked, with retries and a history.

Source: https://docs.zuora.com/en/zuora-platform/extensibility/events-and-notifications/callouts (headers, basic
authentication by challenge, retry on 1xx, 403, 408, 429, 5xx and no connection; three attempts, 30 minutes apart).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.conditions import holds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from integrations.zuora.standin.faults import Fault, Faults
    from integrations.zuora.standin.store import Change, Row
    from integrations.zuora.standin.tenant import Tenant

ATTEMPTS = 3
BETWEEN = timedelta(minutes=30)
TIMEOUT = 25
STOP_SECONDS = 1.0
KEPT_RESPONSE = 60 * 1024
RETRIED = frozenset({403, 408, 429})
UNAUTHORIZED = 401


@dataclass
class Delivery:
    """One notification on its way; its id stays the same through all attempts."""

    notification_id: str
    definition: Row
    event: str
    context: dict[str, Any]
    due: datetime
    attempt: int = 0
    headers: dict[str, str] = field(default_factory=dict)


def retried(status: int) -> bool:
    """Whether an answer is worth another attempt; 0 is no connection."""
    return status < 200 or status in RETRIED or status >= 500  # noqa: PLR2004 - classes of HTTP status


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body in BASE64: one of the forms a callout template can be set to."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class Callouts:
    """Delivers in a thread of its own, so that no request waits for a receiver."""

    def __init__(self, tenant: Tenant, faults: Faults) -> None:
        self._tenant = tenant
        self._faults = faults
        self._waiting: list[Delivery] = []
        self._lock = threading.Lock()
        self._queue: queue.Queue[Delivery | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def take(self, events: list[tuple[str, str, Row]], changes: list[Change] | None = None) -> None:
        """Plan a delivery for every active definition that an event, or a change that fires a trigger, meets."""
        tenant = self._tenant
        named = [(event, {f"{name}.{column}": value for column, value in row.items()}) for event, name, row in events]
        named += _triggered(tenant, changes or [])
        events.clear()
        definitions = [
            row for row in tenant.store.all("NotificationDefinition") if row["active"] and row["calloutActive"]
        ]
        for event, values in named:
            for definition in definitions:
                if definition["eventTypeName"] == event:
                    self._plan(definition, event, values)

    def _plan(self, definition: Row, event: str, values: Mapping[str, Any]) -> None:
        parameters = definition["callout"].get("calloutParams") or {}
        context = {name: _merged(str(text), values) for name, text in parameters.items()}
        delivery = Delivery(self._tenant.store.new_id(), definition, event, context, self._tenant.clock.now())
        copies = 1
        for fault in self._faults.take("CALLOUT", event, callouts=True):
            copies += fault.kind == "callout_twice"
            self._delay(delivery, fault)
        with self._lock:
            self._waiting += [delivery] * copies
        self.wake()

    def _delay(self, delivery: Delivery, fault: Fault) -> None:
        if fault.kind == "callout_late":
            delivery.due += timedelta(seconds=fault.seconds)
        elif fault.kind == "callout_lost":
            self._record(delivery, 0, "lost by a fault")
            delivery.attempt, delivery.due = 1, delivery.due + BETWEEN

    def wake(self) -> None:
        """Hand what is due by the clock to the delivering thread; called at every request."""
        if not self._waiting:
            return
        now = self._tenant.clock.now()
        with self._lock:
            due = [one for one in self._waiting if one.due <= now]
            self._waiting = [one for one in self._waiting if one.due > now]
        if due and self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        for one in due:
            self._queue.put(one)

    def flush(self) -> None:
        """Wait until everything due is delivered or has failed."""
        self.wake()
        self._queue.join()

    def close(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(STOP_SECONDS)
            self._thread = None

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            try:
                self._deliver(delivery)
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _deliver(self, delivery: Delivery) -> None:
        delivery.attempt += 1
        status, content = self._send(delivery)
        with self._tenant.mutex:
            self._record(delivery, status, content)
        again = retried(status) and delivery.definition["callout"].get("calloutRetry", True)
        if again and delivery.attempt < ATTEMPTS:
            delivery.due = self._tenant.clock.now() + BETWEEN
            with self._lock:
                self._waiting.append(delivery)

    def _send(self, delivery: Delivery) -> tuple[int, str]:
        callout = delivery.definition["callout"]
        auth = callout.get("calloutAuth") or {}
        credentials = _basic(auth) if callout.get("requiredAuth") else None
        first = credentials if credentials and auth.get("preemptive") else None
        status, content = self._request(delivery, first)
        if status == UNAUTHORIZED and credentials and first is None:
            status, content = self._request(delivery, credentials)
        return status, content

    def _request(self, delivery: Delivery, authorization: str | None) -> tuple[int, str]:
        callout = delivery.definition["callout"]
        body = json.dumps(delivery.context).encode()
        headers = {
            "Content-Type": "application/json",
            "Zuora-Request-Id": f"{delivery.notification_id}-{delivery.attempt}",
            "Zuora-Notification-Id": delivery.notification_id,
        }
        if authorization:
            headers["Authorization"] = authorization
        secret = self._tenant.switches.callout_hmac_secret
        if secret:
            headers[self._tenant.switches.callout_hmac_header] = signature(secret, body)
        method = callout["httpMethod"]
        data = None if method in ("GET", "DELETE") else body
        request = urllib.request.Request(callout["calloutBaseurl"], data=data, headers=headers, method=method)  # noqa: S310 - https, or loopback where the tenant allows it
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
                return response.status, response.read(KEPT_RESPONSE).decode("utf-8", "replace")
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read(KEPT_RESPONSE).decode("utf-8", "replace")
        except OSError as wrong:
            return 0, str(wrong)

    def _record(self, delivery: Delivery, status: int, content: str) -> None:
        tenant = self._tenant
        callout = delivery.definition["callout"]
        with tenant.store.transaction():
            tenant.store.put(
                "Callout",
                tenant.created(
                    NotificationId=delivery.notification_id,
                    Notification=delivery.definition["name"],
                    DefinitionId=delivery.definition["Id"],
                    EventCategory=delivery.event,
                    Context=delivery.context,
                    Method=callout["httpMethod"],
                    Url=callout["calloutBaseurl"],
                    Attempt=delivery.attempt,
                    ResponseCode=status,
                    ResponseContent=content[:KEPT_RESPONSE],
                ),
            )

    def resend(self, row: Row) -> None:
        """Deliver a notification of the history once more, under its old id."""
        definition = self._tenant.require("NotificationDefinition", row["DefinitionId"])
        delivery = Delivery(
            row["NotificationId"],
            definition,
            row["EventCategory"],
            row["Context"],
            self._tenant.clock.now(),
            row["Attempt"],
        )
        with self._lock:
            self._waiting.append(delivery)
        self.wake()


def _basic(auth: Mapping[str, Any]) -> str:
    return "Basic " + base64.b64encode(f"{auth.get('username')}:{auth.get('password', '')}".encode()).decode()


def _merged(text: str, values: Mapping[str, Any]) -> str:
    """`<Account.AccountNumber>` becomes the value it names, an unknown one becomes nothing."""
    if text.startswith("<") and text.endswith(">"):
        return str(values.get(text[1:-1], ""))
    return text


def _triggered(tenant: Tenant, changes: list[Change]) -> list[tuple[str, dict[str, Any]]]:
    triggers = [row for row in tenant.store.all("EventTrigger") if row["active"]]
    found = []
    for table, row_id, before in changes if triggers else []:
        after = tenant.store.get(table, row_id)
        change = "INSERT" if before is None else "UPDATE" if after is not None else "DELETE"
        row = after or before or {}
        for trigger in triggers:
            if trigger["baseObject"] == table and holds(trigger["condition"], table, change, row, before):
                values = {f"{table}.{name}": value for name, value in row.items()}
                found += [(trigger["eventType"]["name"], values)]
    return found
