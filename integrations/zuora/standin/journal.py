"""The data file: one line of JSON for each committed transaction.

A line is handed to the kernel in a single `write` before the answer leaves, so what was answered with success is
there after SIGKILL: the page cache belongs to the kernel and outlives the process. It is not forced to the disk;
a power cut may lose the last moments, which a stand-in may. A last line cut short by a crash was never answered,
and is dropped on start.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.wire import dump, load

if TYPE_CHECKING:
    from pathlib import Path

    from integrations.zuora.standin.store import Change, Store

# Rewriting the file costs a pass over it, so it waits until most of its lines are history.
LINES_PER_LIVE_ROW = 4


class DataFileError(Exception):
    """The data file cannot be used; the message says why."""


class FileJournal:
    """Appends committed changes to a file that no other process holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open_alone(path)

    def write(self, changes: list[Change], sequences: dict[str, int]) -> None:
        line = dump({"changes": changes, "sequences": sequences}) + b"\n"
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def fill(self, store: Store) -> None:
        """Bring the store to the state the file tells, then keep it up to date with what follows.

        Raises:
            DataFileError: a line in the middle of the file cannot be read.
        """
        lines = self._replay(store)
        if lines > 1000 and lines > LINES_PER_LIVE_ROW * sum(map(store.count, store.tables)):  # noqa: PLR2004 - a small file is never worth rewriting
            self.rewrite(store)
        store.journal = self

    def _replay(self, store: Store) -> int:
        count = good = 0
        with self.path.open("rb") as file:
            for count, line in enumerate(file, start=1):
                try:
                    entry: dict[str, Any] = load(line)
                except ValueError as wrong:
                    if line.endswith(b"\n"):
                        raise DataFileError(
                            f"{self.path}, line {count}, is damaged; restore the file or move it away."
                        ) from wrong
                    break
                if not line.endswith(b"\n"):
                    break
                for table, row_id, row in entry["changes"]:
                    store.tables[table].put(row_id, row)
                store.sequences.update(entry["sequences"])
                good += len(line)
        os.ftruncate(self._descriptor, good)
        return count

    def rewrite(self, store: Store) -> None:
        """Replace the file by one that holds only the present state."""
        fresh = self.path.with_suffix(self.path.suffix + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = _open_alone(fresh)
        old, self._descriptor = self._descriptor, descriptor
        for name, table in store.tables.items():
            for row_id, row in table.rows.items():
                self.write([(name, row_id, row)], {})
        self.write([], store.sequences)
        os.replace(fresh, self.path)  # noqa: PTH105 - the atomic rename, said as such
        os.close(old)


def _open_alone(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as wrong:
        raise DataFileError(f"The data file {path} cannot be opened: {wrong.strerror}.") from wrong
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as wrong:
        os.close(descriptor)
        raise DataFileError(f"The data file {path} is in use by another stand-in.") from wrong
    return descriptor
