from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations import operations
from integrations.models import Connection, Operation, OperationState

pytestmark = pytest.mark.django_db


def ended(state: OperationState, *, done: int, failed: int, reason: str = "") -> Operation:
    made = operations.start(kind="backfill", title="Sync everything", actor=None, now=timezone.now(), total=3)
    tally = {"Synced": done - failed, "Failed": failed}
    Operation.objects.filter(pk=made.pk).update(state=state, done=done, failed=failed, reason=reason, tally=tally)
    return made


def test_what_went_well_ends_with_the_counts() -> None:
    out = StringIO()
    made = ended(OperationState.DONE, done=3, failed=0)
    call_command("backfill_zuora", follow=made.pk, stdout=out)
    lines = [f"[{made.pk}] 3 of 3, 0 failed", "  0 Failed", "  3 Synced", "3 looked at, none failed."]
    assert out.getvalue().splitlines() == lines


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        (OperationState.DONE, "", "Done. 1 failed: see Background work."),
        (OperationState.CANCELLED, "", "Cancelled. 1 failed: see Background work."),
    ],
)
def test_a_failure_or_a_cancel_ends_with_one(state: OperationState, reason: str, said: str) -> None:
    made = ended(state, done=2, failed=1, reason=reason)
    with pytest.raises(CommandError) as caught:
        call_command("backfill_zuora", follow=made.pk, stdout=StringIO())
    assert (str(caught.value), caught.value.returncode) == (said, 1)


def test_without_a_tenant_it_says_what_to_do() -> None:
    assert not Connection.objects.exists()
    with pytest.raises(CommandError, match="Zuora is not connected"):
        call_command("backfill_zuora")
