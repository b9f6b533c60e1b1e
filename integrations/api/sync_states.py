"""Where entities stand in Zuora, as an application is told: status, billing id and link."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from integrations.api.schema import SyncState
from integrations.links import link_into_tenant
from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus


class HasBillingId(Protocol):
    """An entity, with the billing id that was set by hand."""

    pk: int
    billing_id: str


@dataclass(frozen=True)
class Standing:
    """What is told of one entity."""

    states: tuple[SyncState, ...] = ()
    billing_id: str | None = None
    billing_link_url: str | None = None


def standings(kind: EntityKind, rows: Iterable[HasBillingId]) -> dict[int, Standing]:
    """Return the standing of each row by its primary key; two queries, however many rows.

    Without a connection there is nothing to stand in; what has one and no record yet is waiting, unless it is a draft,
    which is never pushed.
    """
    found: Sequence[HasBillingId] = list(rows)
    connection = Connection.objects.active().first()
    records: dict[int, SyncRecord] = {}
    if connection is not None:
        of_them = SyncRecord.objects.roots().filter(
            connection=connection, root_kind=kind, root_id__in=[row.pk for row in found]
        )
        records = {record.root_id: record for record in of_them.select_related("connection")}
    return {
        row.pk: _standing(row, records.get(row.pk), connection is not None and getattr(row, "status", "") != "DRAFT")
        for row in found
    }


def _standing(row: HasBillingId, record: SyncRecord | None, waits: bool) -> Standing:  # noqa: FBT001 - private
    by_hand = row.billing_id or None
    if record is None:
        state = SyncState(status=SyncStatus.PENDING, synced_entity_id=None, error=None)
        return Standing(states=(state,) if waits else (), billing_id=by_hand)
    state = SyncState(
        status=SyncStatus(record.status), synced_entity_id=record.zuora_id or None, error=record.error or None
    )
    return Standing(
        states=(state,),
        billing_id=by_hand or record.zuora_id or None,
        billing_link_url=link_into_tenant(record) or None,
    )
