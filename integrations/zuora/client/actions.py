"""Actions: up to 50 objects of one type in one call, each with a result of its own.

A result is judged by `answers.row_failure`. The idempotency key covers the whole call: a retry under the same key
sends the same objects, and what failed goes again under a new key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.zuora.client.transport import Transport
from integrations.zuora.errors import Kind, Outcome, Rejected

MOST_OBJECTS = 50


class ActionEndpoints(Transport):
    # https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTcreate/
    def create_objects(
        self, object_type: str, objects: Sequence[Mapping[str, Any]], *, idempotency_key: str
    ) -> list[dict[str, Any]]:
        """Return one `{"Success": ..., "Id" | "Errors": ...}` per object, in their order."""
        return self._act("create", {"type": object_type, "objects": list(objects)}, len(objects), idempotency_key)

    # https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTupdate/
    def update_objects(
        self, object_type: str, objects: Sequence[Mapping[str, Any]], *, idempotency_key: str
    ) -> list[dict[str, Any]]:
        """Return one result per object, in their order; each object carries its `Id`."""
        return self._act("update", {"type": object_type, "objects": list(objects)}, len(objects), idempotency_key)

    # https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTdelete/
    def delete_objects(self, object_type: str, ids: Sequence[str], *, idempotency_key: str) -> list[dict[str, Any]]:
        """Return one `{"success": ..., "id" | "errors": ...}` per id, in their order."""
        return self._act("delete", {"type": object_type, "ids": list(ids)}, len(ids), idempotency_key)

    def send_action(self, action: str, body: bytes, *, count: int, idempotency_key: str) -> list[dict[str, Any]]:
        """Send `create`, `update` or `delete` with a body as `encode` wrote it: for a retry under the same key.

        Returns one result per object, in their order.
        """
        return self._post_rows(f"/v1/action/{action}", body, count=count, idempotency_key=idempotency_key)

    def _act(self, action: str, body: Mapping[str, Any], count: int, key: str) -> list[dict[str, Any]]:
        if not 1 <= count <= MOST_OBJECTS:
            raise Rejected(
                f"An action takes 1 to {MOST_OBJECTS} objects, not {count}.", kind=Kind.BUG, outcome=Outcome.NOT_SENT
            )
        return self._post_rows(f"/v1/action/{action}", body, count=count, idempotency_key=key)
