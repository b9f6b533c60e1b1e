"""What was said to Zuora and what it answered, kept for people to read: nothing secret is in it."""

from collections.abc import Iterable

from integrations.models import Connection, Delivery, Request
from integrations.zuora.client import Exchange
from usage.inserting import insert


def keep(exchanges: Iterable[Exchange], *, connection: Connection) -> None:
    """Store exchanges that belong to no delivery."""
    keep_all([(None, exchanges)], connection=connection)


def keep_all(deliveries: Iterable[tuple[Delivery | None, Iterable[Exchange]]], *, connection: Connection) -> None:
    """Store the exchanges of deliveries."""
    requests = [
        Request(
            connection=connection,
            delivery=delivery,
            track_id=exchange.track_id,
            method=exchange.method,
            path=exchange.path[:2048],
            idempotency_key=exchange.idempotency_key,
            body=exchange.request_body,
            status=exchange.status,
            answer=exchange.response_body,
            error=exchange.error,
            duration_ms=exchange.duration_ms,
            zuora_request_id=exchange.request_id[:64],
            started_at=exchange.started_at,
        )
        for delivery, exchanges in deliveries
        for exchange in exchanges
    ]
    insert(requests, into=Request.objects)
