"""A file of usage, line by line: CSV or JSON lines, with the names of Stigg's API, from any place in it.

Every line needs a key and a time of its own: only so can the same file be read twice, and March's usage stay in March.
"""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO

from integrations.api.shapes import Unreadable, raw_event, read_json, usage_report
from usage.reporting import RawEvent, UsageReport

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
MAX_LINE_BYTES = 1024 * 1024
_EDGE = 4096
_DIMENSION = "dimensions."

Said = UsageReport | RawEvent | Unreadable


class UnusableFile(Exception):  # noqa: N818 - an answer for a person
    """The file cannot be read on; the text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, or a record of CSV: what it says, or why that cannot be read; `end` is where it ends."""

    number: int
    end: int
    said: Said


def fingerprint(path: Path, *, upto: int) -> str:
    """Return what tells the file from another one, and from itself when what was read so far has changed since."""
    with path.open("rb") as file:
        first = file.read(min(_EDGE, upto))
        file.seek(max(0, upto - _EDGE))
        return hashlib.sha256(first + file.read(min(_EDGE, upto))).hexdigest()


def read_lines(path: Path, *, form: str, offset: int = 0, number: int = 0) -> Iterator[Line]:
    """Yield the lines after `offset`, counting on from `number`; empty ones are passed over.

    Raises:
        UnusableFile: a line has no end, or the CSV is broken.
    """
    with path.open("rb") as file:
        tape = _Tape(file)
        if form == "csv":
            yield from _records(tape, offset=offset, number=number)
            return
        tape.go_to(offset, number=number)
        for text in tape:
            if text.strip():
                yield Line(tape.number, tape.position, _said_in_json(text))


class _Tape:
    """The file's lines as texts; where it stands, and the number of the last line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0

    @property
    def position(self) -> int:
        return self._file.tell()

    def go_to(self, offset: int, *, number: int) -> None:
        self._file.seek(offset)
        self.number = number

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MAX_LINE_BYTES):
            self.number += 1
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                raise UnusableFile(f"Line {self.number} is longer than {MAX_LINE_BYTES:,} bytes: is it the right file?")
            # Bytes that are no UTF-8 become characters that no database holds: they are refused with their line.
            yield line.decode("utf-8-sig" if self.number == 1 else "utf-8", errors="surrogateescape")


def _records(tape: _Tape, *, offset: int, number: int) -> Iterator[Line]:
    records = csv.reader(tape, strict=True)
    try:
        names = [name.strip() for name in next(records, [])]
        if "customerId" not in names or "idempotencyKey" not in names:
            raise UnusableFile("The first line does not name the columns: customerId, featureId, value, createdAt, …")
        if offset:
            tape.go_to(offset, number=number)
        for values in records:
            if values:
                yield Line(tape.number, tape.position, _said_in_csv(names, values))
    except csv.Error as wrong:
        raise UnusableFile(f"Line {tape.number} is not CSV: {wrong}.") from wrong


def _said_in_json(text: str) -> Said:
    try:
        row = read_json(text)
    except ValueError as wrong:
        return Unreadable(f"It is not JSON: {wrong}")
    return _said(row) if isinstance(row, dict) else Unreadable("It is no JSON object.")


def _said_in_csv(names: Sequence[str], values: Sequence[str]) -> Said:
    if len(values) != len(names):
        return Unreadable(f"It has {len(values)} columns, and the first line names {len(names)}.")
    row: dict[str, Any] = {name: value for name, value in zip(names, values, strict=True) if value}
    dimensions = {name.removeprefix(_DIMENSION): row.pop(name) for name in list(row) if name.startswith(_DIMENSION)}
    try:
        if "value" in row:
            row["value"] = Decimal(row["value"])
        if "dimensions" in row:
            dimensions |= json.loads(row["dimensions"])
    except InvalidOperation:
        return Unreadable(f"value is no number: {row['value'][:40]!r}.")
    except (ValueError, TypeError, RecursionError):
        return Unreadable("dimensions is no JSON object.")
    return _said(row | {"dimensions": dimensions})


def _said(row: dict[str, Any]) -> Said:
    is_event = row.get("eventName") is not None
    try:
        said: UsageReport | RawEvent = raw_event(row) if is_event else usage_report(row)
    except Unreadable as wrong:
        return wrong
    if said.key is None:
        return Unreadable("idempotencyKey is missing: without one, reading the file again would count it again.")
    if said.at is None:
        return Unreadable(f"{'timestamp' if is_event else 'createdAt'} is missing: when was it used?")
    return said
