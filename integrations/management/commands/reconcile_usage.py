"""`manage.py reconcile_usage`: proves that Zuora holds what was used, or names every difference."""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from datetime import MAXYEAR, date
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus, UsageRecord
from integrations.usage_differences import plain
from integrations.usage_lines import Line
from integrations.usage_nobodys import HEADER, WHAT_TO_DO, cells_of, line_of, sentence
from integrations.usage_reconcile import compared_upto, reconcile_usage
from integrations.usage_sync import read_again
from integrations.zuora.errors import ZuoraError
from integrations.zuora.tenant import client_for
from subscriptions.models import Subscription
from usage.unattributed import Unattributed, billed_to_nobody

_AMOUNTS = ("events", "carried", "slices", "moved", "zuora")


#: Something differs; nothing is proven either way.
_DIFFERS, _NO_PROOF = 1, 2


class Command(BaseCommand):
    help = (
        "Compares events, slices and Zuora per subscription, charge and billing period, with no tolerance, and names "
        "every difference. Without a period: the current and the last one. Ends with 0 when all that was compared is "
        "equal, with 1 when something differs, and with 2 when nothing is proven: there was nothing to compare, "
        "Zuora is not connected or could not be read, or an option is wrong. The hour that runs is left out. Usage of "
        "a time in which its customer had no subscription, or one that does not sell it, is on no side: it is named, "
        "by calendar month, and differs from nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--subscription", help="Reference id; everybody's if it is left out.")
        parser.add_argument(
            "--period",
            help=(
                "A day in it, such as 2026-03-10: the billing periods of that day alone, whatever is named of others; "
                "or all."
            ),
        )
        parser.add_argument(
            "--mend", action="store_true", help="Have what somebody changed or deleted in Zuora set right there."
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="Write the report as JSON.")
        parser.add_argument("--csv", type=Path, metavar="FILE", help="Write the report as CSV.")

    def handle(self, *_args: Any, **options: Any) -> None:
        connection = Connection.objects.active().first()
        if connection is None:
            raise _no_proof("Zuora is not connected: connect it at Settings > Integrations > Apps > Zuora.")
        day, whole = _period(options["period"])
        subscription = _subscription(options["subscription"])
        _check_writable(options["json"], options["csv"])
        now = timezone.now()
        asked: dict[str, Any] = {"subscription": subscription, "day": day, "whole": whole}
        found = reconcile_usage(connection=connection, client=client_for(connection), now=now, **asked)
        self.stdout.write(
            f"What was used up to {compared_upto(now):%Y-%m-%d %H:%M} UTC; the hour that runs is left out."
        )
        try:
            lines = list(self._shown(found))
        except ZuoraError as error:
            raise _no_proof(f"Zuora could not be read, so nothing is proven: {error.message}") from error
        of_nobody = list(billed_to_nobody(upto=compared_upto(now), **asked))
        self._tell(of_nobody)
        report = [*(line.as_json() for line in lines), *map(line_of, of_nobody)]
        if options["json"]:
            _write(options["json"], json.dumps(report, indent=2) + "\n")
        if options["csv"]:
            _write(options["csv"], _as_csv(report))
        if not lines:
            raise _no_proof(f"Nothing was compared: {_why_nothing(connection, subscription, options['period'])}")
        differing = sum(bool(line.differences) for line in lines)
        if options["mend"]:
            gone = [pk for line in lines for pk in line.no_longer_billed]
            again = UsageRecord.objects.filter(pk__in=gone).look_again(now=now)
            if differing or again:
                self._mend([pk for line in lines for pk in line.changed_there], again=again)
        if differing:
            raise CommandError(f"{differing} of {len(lines)} differ.", returncode=_DIFFERS)
        self.stdout.write(self.style.SUCCESS(f"{len(lines)} compared, all equal."))

    def _tell(self, of_nobody: Sequence[Unattributed]) -> None:
        for one in of_nobody:
            self.stdout.write(self.style.WARNING(sentence(one)))
        if of_nobody:
            self.stdout.write(f"  {WHAT_TO_DO} It is on no side, so it is no difference.")

    def _mend(self, records: list[int], *, again: int) -> None:
        count = again + read_again(records=records, actor=None, now=timezone.now())
        self.stdout.write(
            f"{count} records are read again within minutes and set right where Zuora holds something else; "
            "what Zuora no longer shows fails then, and is made anew when you retry it."
            if count
            else "Nothing can be mended by sending: do what is said above."
        )

    def _shown(self, lines: Iterable[Line]) -> Iterable[Line]:
        for line in lines:
            amounts = ", ".join(f"{name} {plain(getattr(line.sums, name))}" for name in _AMOUNTS)
            period = f"{line.start:%Y-%m-%d} to {line.end:%Y-%m-%d}"
            self.stdout.write(f"{line.subscription} {line.number or line.charge}, {period}: {amounts}")
            for difference in line.differences:
                self.stdout.write(self.style.ERROR(f"  {difference}"))
            yield line


def _period(text: str | None) -> tuple[date | None, bool]:
    if text is None or text == "all":
        return None, text == "all"
    try:
        day = date.fromisoformat(text)
        if day.year < MAXYEAR:  # its periods end when no calendar goes on
            return day, False
    except ValueError:
        pass
    raise _no_proof(f"{text} is no period: give a day in it, such as 2026-03-10, or all.")


def _no_proof(why: str) -> CommandError:
    return CommandError(why, returncode=_NO_PROOF)


def _why_nothing(connection: Connection, subscription: Subscription | None, period: str | None) -> str:
    when = f"in the billing period around {period}" if period not in {None, "all"} else "up to the last full hour"
    if subscription is None:
        return f"no subscription that is synced has usage {when}."
    records = SyncRecord.objects.filter(connection=connection, kind=EntityKind.SUBSCRIPTION, root_id=subscription.pk)
    if not records.exclude(status=SyncStatus.NO_SYNC_REQUIRED, zuora_id="").exists():
        return f"{subscription.ref_id} is not synced, so Zuora is to hold nothing of it."
    return f"{subscription.ref_id} has no usage {when}."


def _check_writable(*paths: Path | None) -> None:
    """Say so before anything is compared, which may take long."""
    given = [path for path in paths if path is not None]
    if len({path.resolve() for path in given}) < len(given):
        raise _no_proof("JSON and CSV cannot go into one file: give each its own.")
    for path in given:
        try:
            path.open("a").close()  # what is there stays until there is something better
        except OSError as error:
            raise _no_proof(f"The report cannot be written to {path}: {error.strerror}.") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise _no_proof(f"The report cannot be written to {path}: {error.strerror}.") from error


def _subscription(ref_id: str | None) -> Subscription | None:
    if ref_id is None:
        return None
    found = Subscription.objects.filter(ref_id=ref_id).first()
    if found is None:
        raise _no_proof(f"There is no subscription {ref_id}.")
    return found


def _as_csv(report: Iterable[Mapping[str, Any]]) -> str:
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(map(cells_of, report))
    return text.getvalue()
