"""Work in the background survives the worker that does it."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations import operating
from integrations.models import JobState, Operation, OperationState, SyncJob
from tests.processes.deployment import Deployment
from tests.processes.sales import sign_up

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once")]
COUNT = 150


def test_a_killed_worker_is_followed_by_another_from_the_checkpoint_and_the_counts_are_exact(
    deployment: Deployment,
) -> None:
    sign_up([f"customer-{number}" for number in range(COUNT)])  # nobody is connected: a save wishes nothing
    deployment.connect()
    deployment.fault("delay", path="^/v1/accounts", seconds=0.05)
    operation = operating.sync_everything(actor=None, now=timezone.now())
    first = deployment.start_worker("first")
    deployment.wait_until(
        lambda: Operation.objects.filter(pk=operation.pk, done__gt=0, done__lt=COUNT).exists(),
        "it to be in the middle",
        seconds=60,
        alive=[first],
    )
    first.kill()
    second = deployment.start_worker("second")
    deployment.wait_until(
        lambda: Operation.objects.filter(pk=operation.pk, state=OperationState.DONE).exists(),
        "it to end",
        seconds=90,
        alive=[second],
    )
    operation.refresh_from_db()
    assert (operation.total, operation.done, operation.failed) == (COUNT, COUNT, 0)
    assert operation.tally == {"Synced": COUNT}
    assert deployment.row_counts()["Account"] == COUNT
    assert SyncJob.objects.exclude(state=JobState.DONE).count() == 0
    call_command("backfill_zuora", follow=operation.pk)
    with pytest.raises(CommandError, match="no work with the number"):
        call_command("backfill_zuora", follow=operation.pk + 1)
