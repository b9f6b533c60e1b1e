"""The addresses about usage: who may open them, and what becomes of each form."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from integrations.models import (
    Connection,
    EntityKind,
    SyncRecord,
    SyncStatus,
    UsageCharge,
    UsageReconciliation,
    UsageRecord,
    UsageState,
)
from subscriptions.models import Subscription
from tests.factories.catalog import price
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory
from tests.integrations.door import Form
from usage.models import Slice

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAGES = {
    "usage": "Viewer",
    "usage_export": "Viewer",
    "usage_of_nobody": "Viewer",
    "usage_of_nobody_export": "Viewer",
    "usage_overview": "Viewer",
    "usage_record": "Viewer",
    "usage_slice": "Viewer",
    "usage_of_subscription": "Viewer",
    "usage_preview": "Viewer",
    "reconciliations": "Viewer",
    "reconciliation": "Viewer",
    "reconciliation_export": "Viewer",
    "reconciliation_mend": "Operator",
}


def metered() -> Subscription:
    """Return a subscription that is sold by usage, with a failed record, and a slice that has none."""
    connection = Connection.objects.get()
    found = Subscription.objects.filter(ref_id="metered").first()
    if found is not None:
        return found
    subscription: Subscription = SubscriptionFactory.create(ref_id="metered")
    sold = price(subscription.plan, billing_model="USAGE_BASED", feature=MeteredFeatureFactory.create())
    one, _ = (
        Slice.objects.create(
            subscription=subscription, price=sold, starts_at=at, ends_at=at + HOUR, change=3, quantity=3, closed_at=at
        )
        for at in (NOW, NOW + HOUR)
    )
    charge = UsageCharge.objects.create(connection=connection, subscription=subscription, key="k", number="C-1")
    UsageRecord.objects.create(
        connection=connection,
        charge=charge,
        slice=one,
        external_key="e",
        charge_number="C-1",
        starts_at=NOW,
        wanted=3,
        not_before=NOW,
        state=UsageState.FAILED,
    )
    return subscription


def _linked() -> None:
    """Let the subscription be in Zuora, and have nothing that waits."""
    metered()
    Slice.objects.filter(usage_records=None).delete()
    Slice.objects.update(taken_revision=1)
    SyncRecord.objects.filter(kind=EntityKind.SUBSCRIPTION).update(zuora_id="a" * 32, status=SyncStatus.SUCCESS)


def _record() -> list[object]:
    metered()
    return [UsageRecord.objects.get().pk]


def _slice() -> list[object]:
    metered()
    return [Slice.objects.get(usage_records=None).pk]


def _subscription() -> list[object]:
    return [metered().ref_id]


def _report() -> list[object]:
    kept, _ = UsageReconciliation.objects.get_or_create(at=NOW, seen_at=NOW, finished_at=NOW, changed_there=1)
    return [kept.pk]


ARGUMENTS: dict[str, Callable[[], list[object]]] = {
    "usage_record": _record,
    "usage_slice": _slice,
    "usage_of_subscription": _subscription,
    "usage_preview": _subscription,
    "reconciliation": _report,
    "reconciliation_export": _report,
    "reconciliation_mend": _report,
}
FORMS = {
    "usage_retry": Form("Operator", "retry usage", "1 usage record will be sent again", {"all": "1"}, prepare=metered),
    "usage_sync_now": Form(
        "Operator",
        "sync usage",
        "1 usage record failed, and is not sent before somebody retries it: the Usage page says why, and what to do.",
        arguments=_subscription,
        prepare=_linked,
    ),
    "reconciliation_compare": Form("Operator", "compare usage", "are being compared. This page follows it."),
    "reconciliation_mend": Form("Operator", "mend usage", "It is being set right.", arguments=_report),
}
