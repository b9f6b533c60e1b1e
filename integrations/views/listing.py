"""What a list shows: the entities of a section that are searched for, filtered by status, in an order.

An order by id or name runs along the entities, an order by status or by since when along the records. So does a filter
by status: those that failed last may be the last of a million by id. What nobody has asked to sync has no record: a
filter of its own lists it along `Unasked`, and orders by what only a record knows leave it out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    prefetch_related_objects,
)

from integrations.models import Connection, Standing, SyncRecord, Unasked, one_of
from integrations.sections import Section, Sought
from integrations.views.paging import Page, Way, way_of

NONE = "none"
#: What a list can be filtered by, in the order of the choice.
FILTERS: dict[str, str] = {
    **{
        standing.value: str(standing.label)
        for standing in (Standing.PENDING, Standing.SYNCED, Standing.FAILED, Standing.NOT_SYNCED, Standing.STOPPED)
    },
    NONE: "Not in Zuora",
}
#: What a list can be sorted by, and its words as a column's head.
SORTS = {"name": "Name", "id": "Stigg id", "status": "Sync status", "since": "Since"}
_EXPORTED_AT_ONCE = 1000
#: So many at first, so that it begins at once.
_EXPORTED_FIRST = 100
#: So many of one status are gathered first; where there are more, the next page of them is never far.
_SOME = 15_000
#: So many rows are looked at for a word before its index is asked, which takes long for a word of many.
_NEAR = 3000


class TooMany(Exception):  # noqa: N818 - an answer for a person
    """What was found is too much to be put in the order that was asked for while somebody waits."""


@dataclass(frozen=True)
class Row:
    """An entity with what we know of its far side."""

    entity: Any
    record: SyncRecord | None
    url: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """A list as its address asks for it; a word that makes no sense asks for nothing."""

    section: Section
    connection: Connection | None
    text: str = ""
    status: str = ""
    sort: str = "id"

    @classmethod
    def asked_for(cls, section: Section, connection: Connection | None, words: Any) -> "Listing":
        """Return the list that the words of an address (`q`, `status`, `sort`) ask for."""
        status, sort = words.get("status", ""), words.get("sort", "")
        sorts = [name for name in SORTS if section.name_field or name != "name"]
        return cls(
            section,
            connection,
            words.get("q", "").strip(),
            status if status in FILTERS else "",
            sort if sort.removeprefix("-") in sorts else "id",
        )

    @property
    def column(self) -> str:
        """The name of what it is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def leaves_out(self) -> bool:
        """Whether its order leaves out what nobody has asked to sync, although no filter does."""
        return self._along_records and not self.status

    @property
    def _along_records(self) -> bool:
        if self.connection is None or self.status == NONE:
            return False
        return self.column in {"status", "since"} or (bool(self.status) and self.column == "id")

    def page(
        self, *, after: str = "", before: str = "", size: int, is_patient: bool = False
    ) -> tuple[list[Row], Page[Any]]:
        """Return a page of the list: three queries, up to four more where it is searched or a status is by name.

        Raises:
            TooMany: nobody should wait for the first page in this order; whoever `is_patient` does.
        """
        along, edges = self._along(), {"after": after, "before": before}
        rows, are_few = self._entities() if along is None else (along, False)
        way: Way[Any] = way_of(rows, key=self._key(), **edges)
        plain = way if along is not None else way_of(self.section.rows, key=self._key(), **edges)
        found = self._first(way, plain, size + 1, are_few=are_few, is_patient=is_patient)
        page = way.page(found, size=size)
        return self._rows(page.rows), page

    def _first(self, way: Way[Any], plain: Way[Any], most: int, *, are_few: bool, is_patient: bool) -> list[Any]:
        """Return the first rows of a way that are found: a word of many is soon met on it, one of few by its index.

        `plain` is the way with all its rows, whatever their status is.
        """
        sought = self.section.search(self.text) if self.text else Sought(Q())
        rows = self._side_by_side(way.rows) if sought.is_of_ids else None
        if sought.by_index is None or rows is not None:
            return list((self._found(way.rows, sought.one_by_one) if rows is None else self._found(rows, Q()))[:most])
        if are_few:
            return way.first_of(self._found(way.rows, sought.one_by_one), most)
        near, is_all = self._near(way, plain, sought.one_by_one, most)
        if is_all or len(near) == most:
            return near
        own = self._own(way)
        few = sought.few(plain.rows if own == "pk" else self.section.rows.order_by())
        if few is not None and own == "pk":
            return self._of_status_first(few, most)
        if few is not None:
            return way.first_of(way.rows.filter(one_of(own, few)), most)
        if (self.column == "name" or sought.is_of_ids) and not way.begun and not is_patient:
            raise TooMany
        return list(self._found(way.rows, sought.by_index)[:most])

    def _side_by_side(self, rows: QuerySet[Any]) -> QuerySet[Any] | None:
        """Return those whose ids begin with the text, where they follow each other in this order; else None."""
        field, text = ("key", f"{self.section.kind}:{self.text}") if self._along_records else ("ref_id", self.text)
        if self.column == "name" or (self._along_records and (self.column == "since" or not self.status)):
            return None
        return rows.filter(**{f"{field}__startswith": text, f"{field}__gte": text})

    def _near(self, way: Way[Any], plain: Way[Any], sought: Q, most: int) -> tuple[list[Any], bool]:
        """Return the first of those that are found among the next rows, and whether there are no others."""
        own = self._own(way)
        if own == "pk":
            judged = plain.rows.annotate(is_found=ExpressionWrapper(sought, output_field=BooleanField()))
            near = list(judged.values_list("pk", "is_found")[: _NEAR + 1])
            found = [pk for pk, is_found in near[:_NEAR] if is_found]
            return self._of_status_first(found, most), len(near) <= _NEAR
        # Named one by one: PostgreSQL takes a word to be rare, and would look for it everywhere else.
        ids = list(plain.rows.values_list(own, flat=True)[: _NEAR + 1])
        those = self.section.rows.filter(sought & one_of("pk", ids[:_NEAR])).order_by()
        known = set(those.values_list("pk", flat=True))
        first = [pk for pk in ids[:_NEAR] if pk in known][:most]
        rows = {row.root_id: row for row in way.rows.filter(one_of("root_id", first))}
        return [rows[pk] for pk in first if pk in rows], len(ids) <= _NEAR

    def _of_status_first(self, ids: list[int], most: int) -> list[Any]:
        """Return the first of these entities that have the status: of a status that many have, few need to be asked."""
        those = self._unasked() if self.status == NONE else self._of_status()
        if self.status and those is not None:
            left, ids, size = ids, [], 4 * most
            while left and len(ids) < most:
                part, left, size = left[:size], left[size:], 5 * size
                known = set(those.filter(one_of("root_id", part)).order_by().values_list("root_id", flat=True))
                ids += [pk for pk in part if pk in known]
        found = self.section.rows.in_bulk(ids[:most])
        return [found[pk] for pk in ids[:most] if pk in found]

    def _own(self, way: Way[Any]) -> str:
        return "pk" if way.rows.model is self.section.model else "root_id"

    def _found(self, rows: QuerySet[Any], sought: Q) -> QuerySet[Any]:
        """Return those that are found; one whose entity was deleted is no row of the list."""
        if rows.model is self.section.model:
            return rows.filter(sought)
        return rows.filter(Exists(self.section.rows.filter(sought, pk=OuterRef("root_id"))))

    def rows(self) -> Iterator[Row]:
        """Return the whole list, read a part at a time."""
        after, size = "", _EXPORTED_FIRST
        while True:
            rows, page = self.page(after=after, size=size, is_patient=True)
            yield from rows
            after, size = page.after, _EXPORTED_AT_ONCE
            if not after:
                return

    def _key(self) -> Sequence[str]:
        fields = {
            "id": ["standing", "key"] if self._along_records else ["ref_id"],
            "name": [self.section.name_field, "ref_id"],
            "status": ["standing", "key"] if self._along_records else ["ref_id"],
            "since": ["status_since", "id"] if self._along_records else ["ref_id"],
        }[self.column]
        return [f"-{field}" for field in fields] if self.sort.startswith("-") else fields

    def _along(self) -> QuerySet[Any] | None:
        """Return the rows along which the list runs where those are not its entities."""
        if self.status == NONE:
            return self._unasked() if self.column != "name" else None
        if not self._along_records:
            return None
        if self.column == "id":
            # Not "equal": PostgreSQL would take the order of keys alone to do, and walk past other standings.
            return self._roots().filter(standing__gte=self.status, standing__lte=self.status)
        return self._of_status()

    def _entities(self) -> tuple[QuerySet[Any], bool]:
        """Return the entities of the status, and whether they are few, and named one by one."""
        rows = self.section.rows
        if not self.status or (self.status == NONE and self.connection is None):
            return rows, False
        those = self._unasked() if self.status == NONE else self._of_status()
        if those is None:
            return rows.filter(~Exists(self._roots().filter(root_id=OuterRef("pk")))), False
        ordered = those.order_by("ref_id" if self.status == NONE else "key")  # along the index, and no further
        if ordered.values("pk")[_SOME : _SOME + 1]:
            return rows.filter(Exists(those.filter(root_id=OuterRef("pk")))), False
        # Without asking for the record of each entity on the way along the names.
        return rows.filter(one_of("pk", list(those.order_by().values_list("root_id", flat=True)[:_SOME]))), True

    def _roots(self) -> QuerySet[SyncRecord]:
        return SyncRecord.objects.filter(connection=self.connection, kind=self.section.kind)

    def _of_status(self) -> QuerySet[SyncRecord]:
        return self._roots().filter(standing=self.status) if self.status else self._roots()

    def _unasked(self) -> QuerySet[Unasked] | None:
        """Return what has no record, where the database keeps a list of it."""
        if self.connection is None or not self.section.may_be_many:
            return None
        return Unasked.objects.filter(kind=self.section.kind)

    def _rows(self, found: list[Any]) -> list[Row]:
        """Bring the entities and their records together, in the order of those that were found."""
        if found and not isinstance(found[0], self.section.model):
            ids = [row.root_id for row in found]
            entities = self.section.rows.in_bulk(ids)
            records = {row.root_id: row for row in found if isinstance(row, SyncRecord)}
        else:
            entities = {row.pk: row for row in found}
            ids = list(entities)
            records = {one.root_id: one for one in self._roots().filter(root_id__in=ids)}
        if self.connection is not None:
            for record in records.values():
                record.connection = self.connection
        prefetch_related_objects(list(entities.values()), *self.section.beside)
        return [
            Row(entities[pk], records.get(pk), self.section.url(entities[pk].ref_id), self.section.beside)
            for pk in ids
            if pk in entities
        ]


@dataclass(frozen=True)
class Column:
    """The head of a column by which a list can be sorted; `order` is what `aria-sort` calls its present one."""

    label: str
    order: str
    sort: str

    @classmethod
    def of(cls, listing: Listing, name: str) -> "Column":
        """Return the head: choosing it sorts by it, and choosing it again turns the order around."""
        if listing.column != name:
            return cls(SORTS[name], "none", name)
        descends = listing.sort.startswith("-")
        return cls(SORTS[name], "descending" if descends else "ascending", name if descends else f"-{name}")
