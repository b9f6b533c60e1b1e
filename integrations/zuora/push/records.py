"""The records that one push works on."""

from integrations.models import EntityKind, SyncRecord
from integrations.zuora.push.far import Far

#: Marks the keys of a rate plan that has a successor, and of its charges, `plan:pro/MONTHLY#1`: no reference id has it.
RETIRED = "#"
#: The records of one product's rate plans and charges, by key.
Parts = dict[str, SyncRecord]


def parts_of(far: Far, root: SyncRecord) -> Parts:
    """Return all that rides along with this record; what is retired is among them."""
    rows = far.known.of(far.connection, [(root.root_kind, root.root_id)])
    return {one.key: one for one in rows if one.pk != root.pk}


def part(far: Far, parts: Parts, *, key: str, kind: EntityKind, root: SyncRecord) -> SyncRecord:
    """Return the record of this key, new where there is none: it becomes a row when its create leaves.

    A dry run ends at a new one.
    """
    if key not in parts:
        far.before_write()
        parts[key] = SyncRecord(
            connection=root.connection, key=key, kind=kind, root_kind=root.root_kind, root_id=root.root_id
        )
    return parts[key]


def unit_record(far: Far, *, key: str) -> SyncRecord:
    """Return the record of a unit of measure, new where there is none; a dry run ends there."""
    found = SyncRecord.objects.filter(connection=far.connection, key=key).first()
    if found is not None:
        found.connection = far.connection
        return found
    far.before_write()
    # Two plans that are pushed at once may need the same new unit of measure: one of them makes its record.
    record, _ = SyncRecord.objects.get_or_create(
        connection=far.connection,
        key=key,
        defaults={"kind": EntityKind.UNIT, "root_kind": EntityKind.UNIT, "root_id": 0},
    )
    record.connection = far.connection
    return record


def retire(parts: Parts, record: SyncRecord, charges: list[SyncRecord]) -> None:
    """Give the rate plan's keys free for its successor; what runs on it keeps its ids."""
    for one in [record, *charges]:
        del parts[one.key]
        one.key = f"{one.key}{RETIRED}{record.generation}"
        parts[one.key] = one
    SyncRecord.objects.bulk_update([record, *charges], ["key"])
