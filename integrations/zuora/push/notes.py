"""What several pushes in a row share: the records that were read for them together, and those to be stored together."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db.models import Q

from integrations.models import Connection, SyncRecord
from integrations.models.storing import store

#: The kind and the id of the entity that records belong to.
Root = tuple[str, int]


class Known:
    """The records of entities, parts included, read with one query for several of them; others when asked for."""

    def __init__(self) -> None:
        self._of: dict[Root, list[SyncRecord]] = {}

    def read(self, connection: Connection, roots: Iterable[Root]) -> None:
        """Read the records of these entities, unless they are known."""
        ids = defaultdict(set)
        for kind, entity_id in roots:
            if (kind, entity_id) not in self._of:
                ids[kind].add(entity_id)
                self._of[kind, entity_id] = []
        if not ids:
            return
        wanted = Q()
        for kind, entity_ids in ids.items():
            wanted |= Q(root_kind=kind, root_id__in=entity_ids)
        for record in SyncRecord.objects.filter(wanted, connection=connection).order_by():
            record.connection = connection
            self._of[record.root_kind, record.root_id].append(record)

    def of(self, connection: Connection, roots: Collection[Root]) -> list[SyncRecord]:
        """Return the records of these entities."""
        self.read(connection, roots)
        return [record for root in roots for record in self._of[root]]


class Notes:
    """Changed fields of records, stored by one statement for each set of fields."""

    def __init__(self) -> None:
        self._noted: dict[int, tuple[SyncRecord, frozenset[str]]] = {}

    def add(self, record: SyncRecord, fields: Collection[str]) -> None:
        """Note fields of a record that is a row; what they hold when all is stored is what counts."""
        self._noted[record.pk] = (record, self.take(record) | frozenset(fields))

    def take(self, record: SyncRecord) -> frozenset[str]:
        """Forget a record, and return its fields: somebody stores them now."""
        return self._noted.pop(record.pk, (record, frozenset()))[1]

    def store(self) -> None:
        """Store all, and begin anew."""
        groups = defaultdict(list)
        for record, fields in self._noted.values():
            groups[fields].append(record)
        self._noted.clear()
        for fields, records in groups.items():
            store(records, sorted(fields))
