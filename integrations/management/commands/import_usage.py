"""`manage.py import_usage FILE`: usage from a file, as often as one likes: every line is stored once."""

from __future__ import annotations

import fcntl
import json
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from integrations.management.usage_file import FORMATS, Line, UnusableFile, fingerprint, read_lines
from usage.checking import as_stored
from usage.reporting import MAX_BATCH, RawEvent, Refused, UsageReport, report_events, report_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from django.core.management.base import CommandParser

    from usage.storing import Stored

_Told = TypeVar("_Told", UsageReport, RawEvent)
_TOLD_EVERY_SECONDS = 2.0
_BAR = 30
_OTHERWISE = (
    "What was stored first under a key stays. To correct it, take it back by a DELTA below zero at its time, and "
    "report it anew, each under a key of its own."
)
_PACKED = {".gz", ".bz2", ".xz", ".zip", ".zst"}


class Command(BaseCommand):
    help = (
        "Store the usage of a file: CSV or JSON lines with the names of Stigg's API (customerId, featureId, value, "
        "createdAt, idempotencyKey, resourceId, updateBehavior, dimensions; or eventName and timestamp). Wrong lines "
        "are named and left out. When it is stopped, the next run goes on; what is there already is not stored again, "
        "and a line that says something else of it is named, too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=sorted(set(FORMATS.values())), help="by default the file's ending")
        parser.add_argument("--dry-run", action="store_true", help="check every line, store none")
        parser.add_argument("--restart", action="store_true", help="from the first line, whatever was done before")

    def handle(self, *, file: Path, **options: Any) -> None:
        """Store it.

        Raises:
            CommandError: there are wrong lines, or the file cannot be read on.
        """
        form = options["format"] or FORMATS.get(file.suffix.lower())
        if file.suffix.lower() in _PACKED:
            raise CommandError(f"{file.name} is packed: unpack it first, then import what was in it.")
        if form is None:
            raise CommandError(f"{file.name} ends neither in {' nor in '.join(FORMATS)}: give --format.")
        try:
            size = file.stat().st_size
            with _alone(file):
                self._import(file, form, size, dry_run=options["dry_run"], restart=options["restart"])
        except OSError as wrong:
            raise CommandError(f"{file}: {wrong.strerror}.") from wrong

    def _import(self, file: Path, form: str, size: int, *, dry_run: bool, restart: bool) -> None:
        checkpoint = file.with_name(f"{file.name}.checkpoint")
        done = Counter[str]() if dry_run or restart else self._resume(file, checkpoint)
        progress = _Progress(self.stderr.write, size=size, lines=_lines(done), offset=done["offset"])
        lines = read_lines(file, form=form, offset=done["offset"], number=done["line"])
        try:
            while chunk := list(islice(lines, MAX_BATCH)):
                done.update(self._store(chunk, dry_run=dry_run))
                done["offset"], done["line"] = chunk[-1].end, chunk[-1].number
                if not dry_run:
                    _write(checkpoint, dict(done) | {"fingerprint": fingerprint(file, upto=done["offset"])})
                progress.tell(lines=_lines(done), offset=done["offset"])
        except UnusableFile as wrong:
            raise CommandError(str(wrong)) from wrong
        except KeyboardInterrupt:
            again = "the next one begins anew" if dry_run else "run it again to go on"
            raise CommandError(f"Stopped after line {done['line']}: {again}.", returncode=130) from None
        if not dry_run:
            checkpoint.unlink(missing_ok=True)
        stored = "would be stored" if dry_run else "stored"
        other = f" ({done['other']:,} of them otherwise)" if done["other"] else ""
        self.stdout.write(f"{done['new']:,} {stored}, {done['old']:,} there already{other}, {done['bad']:,} wrong.")
        if other:
            self.stdout.write(_OTHERWISE)
        if done["bad"]:
            raise CommandError("Correct the wrong lines and run it again: the others are not stored twice.")

    def _resume(self, file: Path, checkpoint: Path) -> Counter[str]:
        try:
            kept = json.loads(checkpoint.read_text())
            expected = kept.pop("fingerprint")
        except FileNotFoundError:
            return Counter()
        except (ValueError, TypeError, LookupError, AttributeError) as wrong:
            raise CommandError(f"{checkpoint} cannot be read: delete it, or give --restart.") from wrong
        done = Counter[str](kept)
        if fingerprint(file, upto=done["offset"]) != expected:
            raise CommandError(
                f"{file.name} is not the file that {checkpoint.name} is of, or has changed since: give --restart to "
                "begin at its first line. What is stored already is not stored again."
            )
        self.stderr.write(f"Going on after line {done['line']}, as {checkpoint.name} says.")
        return done

    def _store(self, chunk: list[Line], *, dry_run: bool) -> Counter[str]:
        usage = {line.number: line.said for line in chunk if isinstance(line.said, UsageReport)}
        events = {line.number: line.said for line in chunk if isinstance(line.said, RawEvent)}
        bad = {line.number: str(line.said) for line in chunk if line.number not in usage and line.number not in events}
        now = timezone.now()
        with transaction.atomic():
            stored = _good(usage, bad, lambda good: report_usage(reports=good, now=now))
            stored |= _good(events, bad, lambda good: report_events(events=good, now=now))
            if dry_run:
                transaction.set_rollback(True)
        said: dict[int, UsageReport | RawEvent] = {**usage, **events}
        other = {number: why for number, one in stored.items() if (why := _otherwise(said[number], one))}
        told = bad | other
        for number in sorted(told):
            self.stderr.write(f"Line {number}: {told[number]}")
        new = len({one.pk for one in stored.values() if one.is_new})
        return Counter(new=new, old=len(stored) - new, other=len(other), bad=len(bad))


def _otherwise(said: UsageReport | RawEvent, stored: Stored) -> str:
    """Return what is stored under the line's key, where the line says something else; or nothing."""
    is_same = stored.occurred_at == said.at and (isinstance(said, RawEvent) or stored.value == as_stored(said.value))
    if is_same:
        return ""
    what = "" if stored.value is None else f" with the value {stored.value.normalize():f},"
    at = stored.occurred_at.astimezone(UTC)
    return f"{said.key!r} is there already,{what} at {at:%Y-%m-%dT%H:%M:%SZ}: it stays, and this line changes nothing."


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold the file until the end: two runs would write one checkpoint.

    Raises:
        CommandError: another run holds it.
        OSError: it cannot be read.
    """
    with file.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as wrong:
            raise CommandError(f"Another run is importing {file.name}: wait for its end.") from wrong
        except OSError:
            pass  # some network drives lock nothing; every line is stored once there, too
        yield


def _lines(done: Mapping[str, int]) -> int:
    return sum(done[name] for name in ("new", "old", "bad"))


def _good(
    told: Mapping[int, _Told], bad: dict[int, str], store: Callable[[Mapping[int, _Told]], dict[int, Stored]]
) -> dict[int, Stored]:
    """Store those that can be, and add the others to the bad ones."""
    good = dict(told)
    while good:
        try:
            return store(good)
        except Refused as refused:
            for problem in refused.problems:
                if problem.index is None:
                    raise
                bad[problem.index] = problem.reason
                del good[problem.index]
    return {}


def _write(checkpoint: Path, content: dict[str, Any]) -> None:
    """Write it whole or not at all."""
    new = checkpoint.with_name(f"{checkpoint.name}.new")
    new.write_text(json.dumps(content))
    new.replace(checkpoint)


class _Progress:
    """Says now and then how far it is, how fast, and how long it will take."""

    def __init__(self, say: Callable[[str], object], *, size: int, lines: int, offset: int) -> None:
        self._say, self._size = say, max(size, 1)
        self._lines, self._offset = lines, offset  # where this run began
        self._began = self._told = time.monotonic()

    def tell(self, *, lines: int, offset: int) -> None:
        now = time.monotonic()
        if now - self._told < _TOLD_EVERY_SECONDS:
            return
        self._told = now
        took = now - self._began
        left = timedelta(seconds=round((self._size - offset) * took / max(offset - self._offset, 1)))
        bar = "#" * (_BAR * offset // self._size)
        per_second = (lines - self._lines) / took
        self._say(f"[{bar:<{_BAR}}] {offset / self._size:4.0%}  {lines:,} lines, {per_second:,.0f}/s, {left} left")
