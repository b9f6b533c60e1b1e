"""A person has events, slices and Zuora compared now."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from integrations import operating
from integrations.models import Connection, UsageReconciliation
from integrations.tasks import ring_compare


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
