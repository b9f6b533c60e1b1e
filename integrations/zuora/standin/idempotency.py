"""`Idempotency-Key`: the first outcome of a key is kept for 24 hours and given again, whether good or bad.

Source: https://developer.zuora.com/docs/guides/idempotent-requests/
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from integrations.zuora.standin.wire import Answer, Request, json_answer

if TYPE_CHECKING:
    from integrations.zuora.standin.tenant import Tenant

LIFETIME = timedelta(hours=24)
LONGEST_KEY = 254
SWEEP_EVERY = 2_000
TRANSIENT = frozenset({429, 500, 502, 503, 504})


class IdempotencyKeys:
    """The keys in progress live here, the finished ones in the store."""

    def __init__(self) -> None:
        self.in_progress: set[str] = set()
        self._since_sweep = 0

    def begin(self, tenant: Tenant, request: Request, key: str) -> Answer | None:
        """An answer that settles the request at once, or None: then go on, and call `finish` or `abandon`."""
        if request.method not in ("POST", "PATCH"):
            if tenant.switches.idempotent_put == "ignore":
                return None
            message = f"Request method '{request.method}' not supported with Idempotency-Key header"
            return json_answer({"code": 400, "message": message}, 400)
        if len(key) > LONGEST_KEY:
            return json_answer({"code": 400, "message": "Idempotency-Key must have fewer than 255 characters"}, 400)
        if key in self.in_progress:
            return json_answer(
                {"code": 409, "message": "A request with this Idempotency-Key is still in progress"}, 409
            )
        kept = tenant.store.get("IdempotencyKey", key)
        if kept is not None and tenant.clock.now() - datetime.fromisoformat(kept["At"]) < LIFETIME:
            return self._again(tenant, request, kept)
        self.in_progress.add(key)
        return None

    def _again(self, tenant: Tenant, request: Request, kept: dict[str, str]) -> Answer:
        if kept["Target"] != _target(request):
            return json_answer({"code": 422, "message": "The Idempotency-Key was used with another URL or method"}, 422)
        if tenant.switches.same_key_other_body == "refuse" and kept["Digest"] != _digest(request):
            return json_answer({"code": 422, "message": "The Idempotency-Key was used with another body"}, 422)
        body = kept["Body"].encode("latin-1")
        return Answer(int(kept["Status"]), body, [], kept["Type"])

    def finish(self, tenant: Tenant, request: Request, key: str, answer: Answer) -> None:
        """Keep the outcome; call it in the transaction of the work, so that both are kept or neither."""
        if answer.status in TRANSIENT and not tenant.switches.store_transient_failures:
            return
        row = {
            "Id": key,
            "Target": _target(request),
            "Digest": _digest(request),
            "Status": str(answer.status),
            "Body": answer.body.decode("latin-1"),
            "Type": answer.content_type,
            "At": tenant.clock.now().isoformat(),
        }
        with tenant.store.transaction():
            tenant.store.put("IdempotencyKey", row)
            self._sweep(tenant)

    def _sweep(self, tenant: Tenant) -> None:
        self._since_sweep += 1
        if self._since_sweep < SWEEP_EVERY:
            return
        self._since_sweep = 0
        now = tenant.clock.now()
        for row in list(tenant.store.all("IdempotencyKey")):
            if now - datetime.fromisoformat(row["At"]) >= LIFETIME:
                tenant.store.delete("IdempotencyKey", row["Id"])

    def abandon(self, key: str) -> None:
        self.in_progress.discard(key)


def _target(request: Request) -> str:
    return f"{request.method} {request.path}"


def _digest(request: Request) -> str:
    return hashlib.blake2b(request.body, digest_size=16).hexdigest()
