"""The records that one push works on."""

from integrations.models import EntityKind, SyncRecord
from integrations.zuora.push.far import Far

#: Marks the key of a rate plan that has a successor, and of its charges: `plan:pro/MONTHLY@1`.
RETIRED = "@"


def record_for(far: Far, *, key: str, kind: EntityKind, root: SyncRecord | None = None) -> SyncRecord:
    """Return the record of this key, new where there is none; a dry run ends there."""
    found = SyncRecord.objects.filter(connection=far.connection, key=key).first()
    if found is not None:
        found.connection = far.connection
        return found
    far.before_write()
    # Two plans that are pushed at once may need the same new unit of measure: one of them makes its record.
    record, _ = SyncRecord.objects.get_or_create(
        connection=far.connection,
        key=key,
        defaults={
            "kind": kind,
            "root_kind": root.root_kind if root else kind,
            "root_id": root.root_id if root else 0,
        },
    )
    record.connection = far.connection
    return record


def retire(record: SyncRecord, charges: list[SyncRecord]) -> None:
    """Give the rate plan's keys free for its successor; what runs on it keeps its ids."""
    for one in [record, *charges]:
        one.key = f"{one.key}{RETIRED}{record.generation}"
    SyncRecord.objects.bulk_update([record, *charges], ["key"])
