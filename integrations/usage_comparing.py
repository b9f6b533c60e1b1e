"""A person has events, slices and Zuora compared now, and what somebody changed in Zuora set right there."""

from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from integrations import operating
from integrations.bulk import mending
from integrations.models import Connection, Operation, UsageReconciliation
from integrations.operations import AlreadyUnderWay
from integrations.tasks import ring_compare, ring_operation


def compare_now(*, actor: User, now: datetime) -> UsageReconciliation:
    """Have a worker compare; return the row that says how far it has come. One is under way at a time.

    To be called outside a transaction: the worker must find the row.

    Raises:
        Impossible: nothing is connected, one is under way, or no worker can be woken.
    """
    with transaction.atomic():
        connection = Connection.objects.select_for_update().filter(removed_at=None).first()
        if connection is None:
            raise operating.Impossible("Zuora is not connected: there is nothing to compare with.")
        if UsageReconciliation.objects.running(now=now).exists():
            raise operating.Impossible("A comparison is under way already: this page follows it.")
        asked = UsageReconciliation.objects.create(at=now, seen_at=now, asked_by=actor.get_username())
        operating.note(actor=actor, action="compare usage", subject=str(connection), now=now)
    if not ring_compare(asked.pk):
        reason = "No worker could be woken: the broker does not answer. Try again when it does."
        asked.mark_finished(compared=0, differing=0, error=reason, now=now)
        raise operating.Impossible(reason)
    return asked


@transaction.atomic
def mend(*, report: UsageReconciliation, actor: User, now: datetime) -> Operation:
    """Set right in Zuora, in the background, what a comparison found changed or deleted there.

    Raises:
        Impossible: it found nothing of the kind, Zuora is not connected, or one is under way.
    """
    connection = operating.connection_in_use()
    if not report.changed_there:
        raise operating.Impossible("This comparison found nothing that sending sets right: do what it says.")
    try:
        operation = mending.begin(connection=connection, report=report, actor=actor, now=now)
    except AlreadyUnderWay as answer:
        raise operating.Impossible(str(answer)) from answer
    operating.note(
        actor=actor, action="mend usage", subject=f"{report.changed_there} usage records", now=now, report=report.pk
    )
    transaction.on_commit(partial(ring_operation, operation.pk), robust=True)
    return operation
