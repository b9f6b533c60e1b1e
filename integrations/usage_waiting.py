"""What of usage does not get to Zuora: how much, and why, in sentences for a person."""

from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from integrations.models import Connection, EntityKind, SyncJob, SyncRecord, SyncStatus, UsageRecord
from subscriptions.models import Subscription
from usage.models import Slice

NOT_CONNECTED = "Zuora is not connected: connect it at Settings > Integrations > Apps > Zuora."


def in_zuora(connection: Connection | None) -> QuerySet[SyncRecord]:
    """Return the records of the subscriptions that Zuora has, and whose sync no rule has stopped."""
    rows = SyncRecord.objects.filter(connection=connection, kind=EntityKind.SUBSCRIPTION)
    return rows.exclude(Q(zuora_id="") | Q(status=SyncStatus.NO_SYNC_REQUIRED))


def not_arrived(connection: Connection) -> int:
    """Return how many records Zuora was not seen to take as they should be, those not planned yet included."""
    pending = UsageRecord.objects.filter(connection=connection).pending()
    to_plan = Slice.objects.untaken().filter(
        Q(quantity__gt=0) | Q(taken_revision__gt=0),
        Exists(in_zuora(connection).filter(root_id=OuterRef("subscription_id"))),
        ~Exists(pending.filter(slice=OuterRef("pk"))),
    )
    return pending.count() + to_plan.count()


def waiting_reason(*, subscription: Subscription, connection: Connection | None) -> str:
    """Return why no usage of the subscription can be sent, or nothing."""
    return waiting_reasons(subscription_ids=[subscription.pk], connection=connection)[subscription.pk]


def waiting_reasons(*, subscription_ids: Collection[int], connection: Connection | None) -> dict[int, str]:
    """Return for each of these subscriptions why none of its usage can be sent, or nothing; two queries at the most."""
    if connection is None or connection.removed_at is not None:
        return dict.fromkeys(subscription_ids, NOT_CONNECTED)
    of_these = {"connection": connection, "kind": EntityKind.SUBSCRIPTION}
    records = {row.root_id: row for row in SyncRecord.objects.filter(**of_these, root_id__in=subscription_ids)}
    reasons = {pk: _reason(records.get(pk)) for pk in subscription_ids}
    if blank := [pk for pk, reason in reasons.items() if reason == _NOT_THERE]:
        jobs = SyncJob.objects.waiting().filter(**of_these, entity_id__in=blank).order_by()
        # The parent in whose absence it waits, or what went wrong last.
        for pk, why in jobs.values_list("entity_id", "reason"):
            reasons[pk] = f"{_NOT_THERE} {why}".rstrip()
    return reasons


_NOT_THERE = "Usage waits for the subscription, which is not in Zuora yet."


def _reason(record: SyncRecord | None) -> str:
    if record is None:
        return _NOT_THERE
    if record.is_stopped:
        return f"Its sync has stopped. {record.no_sync_reason} Decide on its page what becomes of it in Zuora."
    if record.is_linked:
        return ""
    if record.status == SyncStatus.NO_SYNC_REQUIRED:
        return f"The subscription will not be synced, so its usage is not sent. {record.no_sync_reason}"
    return f"{_NOT_THERE} {record.error}".rstrip()
