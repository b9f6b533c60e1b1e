"""`manage.py backfill_zuora`: syncs everything, and shows how far it has come; the workers do the work."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations import operating, operations
from integrations.models import Operation, OperationState
from integrations.tasks import ring_operation
from integrations.templatetags.background import pace, time_span

_LOOK_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Syncs everything, parents first, and follows it to its end: ends with 1 if anything failed. Interrupted, the "
        "work goes on; --follow shows it again, and lets one that was paused or failed go on from where it stands."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--follow", type=int, metavar="NUMBER", help="Begin nothing: follow this work.")

    def handle(self, *_args: Any, **options: Any) -> None:
        number = options["follow"] or self._begin()
        try:
            operation = self._follow(number)
        except KeyboardInterrupt:
            raise CommandError(
                f"The work goes on: follow it by backfill_zuora --follow {number}.", returncode=130
            ) from None
        for outcome, count in sorted(operation.tally.items()):
            self.stdout.write(f"  {count:,} {outcome}")
        if operation.state != OperationState.DONE or operation.failed:
            why = operation.reason or f"{operation.failed:,} failed: see Background work."
            raise CommandError(f"{operation.get_state_display()}. {why}", returncode=1)
        self.stdout.write(self.style.SUCCESS(f"{operation.done:,} looked at, none failed."))

    def _begin(self) -> int:
        try:
            return operating.sync_everything(actor=None, now=timezone.now()).pk
        except operating.Impossible as answer:
            raise CommandError(str(answer)) from answer

    def _follow(self, number: int) -> Operation:
        operation = Operation.objects.filter(pk=number).first()
        if operation is None:
            raise CommandError(f"There is no work with the number {number}.")
        if operation.can_resume:
            operations.resume(operation_id=number, now=timezone.now())
            ring_operation(number)
        shown = ""
        while True:
            operation.refresh_from_db()
            line = _progress(operation)
            if line != shown:
                self.stdout.write(line)
                shown = line
            if not operation.is_open:
                return operation
            time.sleep(_LOOK_SECONDS)


def _progress(operation: Operation) -> str:
    parts = [f"{operation.done:,} of {operation.total or 0:,}", f"{operation.failed:,} failed"]
    if operation.per_second:
        parts.append(pace(operation.per_second))
    if operation.is_open and operation.time_left is not None:
        parts.append(f"about {time_span(operation.time_left)} left")
    if operation.reason:
        parts.append(operation.reason)
    return f"[{operation.pk}] {', '.join(parts)}"
