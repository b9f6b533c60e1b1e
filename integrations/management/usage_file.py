"""A file of usage, line by line: CSV or JSON lines, with the names of Stigg's API, from any place in it.

Every line needs a key and a time of its own: only so can the same file be read twice, and March's usage stay in March.
"""

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO

from integrations.api.reading import GivenTwice, given, read_json
from integrations.api.shapes import EVENT, USAGE, Unreadable, raw_event, usage_report
from usage.reporting import RawEvent, UsageReport

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
MAX_LINE_BYTES = 1024 * 1024
_EDGE = 4096
_DIMENSION = "dimensions."
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")

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
    begins = 1
    try:
        names = [name.strip() for name in next(records, [])]
        _check_columns(names)
        if offset:
            tape.go_to(offset, number=number)
        begins = tape.number + 1
        for values in records:
            if values:
                yield Line(tape.number, tape.position, _said_in_csv(names, values))
            begins = tape.number + 1
    except csv.Error as wrong:
        where = f"Line {begins} is" if begins == tape.number else f"Lines {begins} to {tape.number} are"
        raise UnusableFile(f"{where} not CSV: {wrong}.") from wrong


def _check_columns(names: Sequence[str]) -> None:
    """Refuse what would be dropped: a column that means nothing here, or one of two with the same name.

    Raises:
        UnusableFile: the columns are not those of usage, or of events.
    """
    known = sorted(USAGE | EVENT)
    if "customerId" not in names or "idempotencyKey" not in names:
        raise UnusableFile(
            "The first line does not name the columns, with commas between them and in UTF-8: "
            f"{', '.join(known)}, {_DIMENSION}NAME."
        )
    names = [name for name in names if name]  # one without a name holds nothing, or its lines are refused
    if unknown := [name for name in names if name not in known and not name.startswith(_DIMENSION)]:
        raise UnusableFile(
            f"The first line names columns that mean nothing here: {', '.join(map(repr, unknown))}. Known are "
            f"{', '.join(known)}, and {_DIMENSION}NAME for a dimension: rename them, or leave them out."
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UnusableFile(f"The first line names {', '.join(map(repr, twice))} more than once: which one counts?")


def _said_in_json(text: str) -> Said:
    try:
        row = read_json(text.rstrip())
    except GivenTwice as twice:
        return Unreadable(str(twice))
    except json.JSONDecodeError as wrong:  # its own words name a line, which is not that of the file
        return Unreadable(f"It is not JSON: {wrong.msg} at character {wrong.pos + 1}.")
    except ValueError as wrong:
        return Unreadable(f"It is not JSON: {wrong}.")
    return _said(row) if isinstance(row, dict) else Unreadable("It is no JSON object.")


def _said_in_csv(names: Sequence[str], values: Sequence[str]) -> Said:
    if len(values) != len(names):
        return Unreadable(f"It has {len(values)} columns, and the first line names {len(names)}.")
    row: dict[str, Any] = {name: value for name, value in zip(names, values, strict=True) if value}
    dimensions = {name.removeprefix(_DIMENSION): row.pop(name) for name in list(row) if name.startswith(_DIMENSION)}
    try:
        if "value" in row:
            row["value"] = _amount(row["value"])
        if "dimensions" in row:
            more = _object(row["dimensions"])
            if twice := sorted(dimensions.keys() & more):
                raise Unreadable(f"{_DIMENSION}{twice[0][:40]} {given(2)}")  # noqa: TRY301 - one place says where
            dimensions |= more
    except Unreadable as wrong:
        return wrong
    return _said(row | {"dimensions": dimensions})


def _amount(text: str) -> Decimal:
    """Read a number as JSON and spreadsheets write it; raises Unreadable. Python's own would take 1_000, too."""
    try:
        if _NUMBER.fullmatch(text):
            return Decimal(text)
    except InvalidOperation:  # an exponent beyond all counting
        pass
    raise Unreadable(f"value is no number: {text[:40]!r}. Write it as 1234.5, with nothing between its thousands.")


def _object(text: str) -> dict[str, Any]:
    try:
        read = read_json(text)
    except GivenTwice as twice:
        raise Unreadable(f"{_DIMENSION}{twice}") from twice
    except ValueError:
        read = None
    if isinstance(read, dict):
        return read
    raise Unreadable("dimensions is no JSON object.")


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
