"""State as tables of immutable rows, with unique keys, look-ups, transactions and a journal.

A row is a plain dict that is replaced and never changed in place; so undoing a transaction is putting the old rows
back, and what the journal needs is the list of rows a transaction touched.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

Row = dict[str, Any]
Change = tuple[str, str, Row | None]


class DuplicateKey(Exception):  # noqa: N818 - a finding of the store, worded by its caller
    """Another row already holds this unique key."""

    def __init__(self, table: str, key: str, value: object) -> None:
        super().__init__(f"{table}.{key} = {value!r}")
        self.table = table
        self.key = key
        self.value = value


class Journal(Protocol):
    def write(self, changes: list[Change], sequences: dict[str, int]) -> None: ...


@dataclass(frozen=True)
class Shape:
    """A table's unique keys and look-ups: each a function from a row to one key, or to several."""

    unique: dict[str, Callable[[Row], Hashable]] = field(default_factory=dict)
    lookups: dict[str, Callable[[Row], Iterable[Hashable]]] = field(default_factory=dict)


class Table:
    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.rows: dict[str, Row] = {}
        self.unique: dict[str, dict[Hashable, str]] = {key: {} for key in shape.unique}
        self.lookups: dict[str, dict[Hashable, dict[str, None]]] = {key: {} for key in shape.lookups}

    def put(self, row_id: str, row: Row | None) -> Row | None:
        """Set or remove a row; the former one is returned.

        Raises:
            DuplicateKey: nothing was changed.
        """
        old = self.rows.get(row_id)
        if row is not None:
            for key, read in self.shape.unique.items():
                value = read(row)
                if value is not None and self.unique[key].get(value, row_id) != row_id:
                    raise DuplicateKey(self.name, key, value)
        if old is not None:
            self._forget(row_id, old)
        if row is None:
            self.rows.pop(row_id, None)
        else:
            self._learn(row_id, row)
        return old

    def _learn(self, row_id: str, row: Row) -> None:
        self.rows[row_id] = row
        for key, read in self.shape.unique.items():
            value = read(row)
            if value is not None:
                self.unique[key][value] = row_id
        for key, read_many in self.shape.lookups.items():
            index = self.lookups[key]
            for value in read_many(row):
                index.setdefault(value, {})[row_id] = None

    def _forget(self, row_id: str, row: Row) -> None:
        for key, read in self.shape.unique.items():
            value = read(row)
            if value is not None:
                self.unique[key].pop(value, None)
        for key, read_many in self.shape.lookups.items():
            index = self.lookups[key]
            for value in read_many(row):
                ids = index.get(value)
                if ids is not None:
                    ids.pop(row_id, None)
                    if not ids:
                        del index[value]


class Store:
    """All tables of one tenant; changes are made inside `transaction`."""

    def __init__(self, shapes: dict[str, Shape], *, seed: int = 0) -> None:
        self.shapes = shapes
        self.seed = seed
        self.journal: Journal | None = None
        self.clear()

    def clear(self) -> None:
        self.tables = {name: Table(name, shape) for name, shape in self.shapes.items()}
        self.sequences: dict[str, int] = {}
        self._undo: list[Change] = []
        # What the last committed transaction changed: table, id and the row as it was.
        self.last_changes: list[Change] = []
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything changed inside, or nothing; inner ones are save points."""
        mark = len(self._undo)
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._commit()
        except BaseException:
            self._roll_back(mark)
            raise
        finally:
            self._depth -= 1

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Do the work inside and keep nothing of it: what a preview is."""
        mark = len(self._undo)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._roll_back(mark)

    def _roll_back(self, mark: int) -> None:
        while len(self._undo) > mark:
            table, row_id, old = self._undo.pop()
            self.tables[table].put(row_id, old)

    def _commit(self) -> None:
        if self._undo and self.journal is not None:
            touched = {(table, row_id): None for table, row_id, _ in self._undo}
            changes: list[Change] = [(table, row_id, self.get(table, row_id)) for table, row_id in touched]
            self.journal.write(changes, self.sequences)
        self.last_changes, self._undo = self._undo, []

    def put(self, table: str, row: Row) -> Row:
        """Insert the row, or replace the one with the same Id.

        Raises:
            DuplicateKey: a unique key is taken.
        """
        row_id = row["Id"]
        self._undo.append((table, row_id, self.tables[table].put(row_id, row)))
        return row

    def change(self, table: str, row: Row, **changes: Any) -> Row:
        """Replace a row by one that differs in `changes`; a change to None removes the member."""
        merged = {name: value for name, value in {**row, **changes}.items() if value is not None}
        return self.put(table, merged)

    def delete(self, table: str, row_id: str) -> None:
        self._undo.append((table, row_id, self.tables[table].put(row_id, None)))

    def get(self, table: str, row_id: str) -> Row | None:
        return self.tables[table].rows.get(row_id)

    def find(self, table: str, key: str, value: Hashable) -> Row | None:
        """The row that holds this unique key."""
        found = self.tables[table]
        row_id = found.unique[key].get(value)
        return None if row_id is None else found.rows[row_id]

    def where(self, table: str, lookup: str, value: Hashable) -> list[Row]:
        """The rows filed under this value, oldest first."""
        found = self.tables[table]
        return [found.rows[row_id] for row_id in found.lookups[lookup].get(value, ())]

    def all(self, table: str) -> Iterable[Row]:
        return self.tables[table].rows.values()

    def count(self, table: str) -> int:
        return len(self.tables[table].rows)

    def next(self, sequence: str) -> int:
        """The next number of a sequence; numbers of a transaction rolled back are lost, as in any database."""
        number = self.sequences.get(sequence, 0) + 1
        self.sequences[sequence] = number
        return number

    def new_id(self) -> str:
        """A fresh 32-digit id, the same for the same seed and history."""
        number = self.next("id")
        digest = hashlib.blake2b(b"%d:%d" % (self.seed, number), digest_size=12).hexdigest()
        return f"8ad0{number & 0xFFFF:04x}{digest}"
