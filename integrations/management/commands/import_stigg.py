"""Import a Stigg environment: everything, in the order in which it depends on each other."""

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations import operations, outbox, stigg_connecting
from integrations.bulk import KINDS
from integrations.models import Operation, OperationState, StiggAccount
from integrations.operating import Impossible
from integrations.stigg.importing import IMPORT
from integrations.tasks import ring_sweep

_TOLD_EVERY = timedelta(seconds=2)


class Command(BaseCommand):
    help = (
        "Import from the connected Stigg account, or from --url with --api-key-file. Interrupt it when "
        "you like: the same command goes on where it was. Exits with 1 when something was skipped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="list what would change, and change nothing")
        parser.add_argument("--url", help="the API to read, where no account is connected yet")
        parser.add_argument("--api-key-file", help="a file with the API key that goes with --url")
        parser.add_argument("--afresh", action="store_true", help="begin again instead of going on where it was")

    def handle(self, *_: object, **options: Any) -> None:
        if options["url"]:
            self._connect(options)
        operation = self._operation(dry_run=options["dry_run"], afresh=options["afresh"])
        try:
            self._work(operation)
        except KeyboardInterrupt:
            operations.pause(operation_id=operation.pk)
            raise CommandError("Interrupted: run the same command again to go on.") from None
        operation.refresh_from_db()
        self._report(operation)

    def _connect(self, options: Mapping[str, Any]) -> None:
        if not options["api_key_file"]:
            raise CommandError("Name a file with the API key: --api-key-file FILE.")
        try:
            with open(options["api_key_file"], encoding="utf-8") as file:  # noqa: PTH123 - as it was typed
                api_key = file.read().strip()
            stigg_connecting.connect(
                base_url=options["url"], api_key=api_key, hook_secret="", actor=None, now=timezone.now()
            )
        except OSError as error:
            raise CommandError(f"The file with the API key cannot be read: {error}") from error
        except Impossible as refused:
            raise CommandError(str(refused)) from refused

    def _operation(self, *, dry_run: bool, afresh: bool) -> Operation:
        """Return the import that stands somewhere, or a new one."""
        now = timezone.now()
        begun = Operation.objects.filter(kind=IMPORT, parameters__dry_run=dry_run).exclude(
            state__in=[OperationState.DONE, OperationState.CANCELLED]
        )
        earlier = begun.first()
        if earlier is not None and not afresh:
            if earlier.can_resume:
                operations.resume(operation_id=earlier.pk, now=now)
            self.stdout.write(f"Going on where it was, after {earlier.done} rows.")
            return earlier
        if earlier is not None:
            operations.cancel(operation_id=earlier.pk, now=now)
        if not StiggAccount.objects.active().exists():
            raise CommandError("No Stigg account is connected: give --url and --api-key-file.")
        try:
            return stigg_connecting.begin_import(dry_run=dry_run, actor=None, now=now)
        except Impossible as refused:
            raise CommandError(str(refused)) from refused

    def _work(self, operation: Operation) -> None:
        """Take step after step; a worker that is at it too is waited for."""
        while True:
            operations.due(now=timezone.now())  # frees what somebody held who was killed
            ran = operations.run(
                operation_id=operation.pk,
                kinds=KINDS,
                worker=outbox.worker_name(),
                clock=timezone.now,
                seconds=_TOLD_EVERY.total_seconds(),
            )
            if ran.ring:
                ring_sweep()
            operation.refresh_from_db()
            self._tell(operation)
            if not operation.is_open:
                return
            time.sleep(min(ran.again if ran.again is not None else 1.0, 60.0))

    def _tell(self, operation: Operation) -> None:
        rate = f"{operation.per_second:.0f} a second" if operation.per_second else "beginning"
        left = operation.time_left
        rest = f", about {timedelta(seconds=round(left.total_seconds()))} left" if left else ""
        kind = operation.checkpoint.get("kind", "product")
        why = f" {operation.reason}" if operation.reason else ""
        self.stdout.write(f"{operation.done} rows, {operation.failed} skipped, at {kind}s, {rate}{rest}.{why}")

    def _report(self, operation: Operation) -> None:
        for line in operation.lines.iterator():
            self.stdout.write(f"{line.outcome}: {line.key} {line.text}".rstrip())
        for what, count in sorted(operation.tally.items()):
            self.stdout.write(f"{count} {what}")
        if operation.state == OperationState.FAILED:
            raise CommandError(f"{operation.reason} Run the same command again to go on.")
        if operation.state != OperationState.DONE:
            raise CommandError(f"It stands: {operation.get_state_display().lower()}.")
        if operation.failed:
            raise CommandError(f"{operation.failed} rows were skipped; the lines above say why.")
