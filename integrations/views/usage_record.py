"""One slice and its record: how the quantity came to be, from the events to what Zuora holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from integrations.models import Connection, EntityKind, Request, SyncRecord, UsageBatch
from integrations.usage_filing import why_filed
from integrations.views.access import viewers
from integrations.views.paging import edges_of, page_of
from integrations.views.usage_rows import records_shown, row_of_record, rows_of_slices
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from usage import meters
from usage.counting import Source, in_use
from usage.metering import in_force, meter_of
from usage.models import Counting, Slice, UpdateBehavior, UsageEvent

EVENTS_SHOWN = 100
_REQUESTS_SHOWN = 20
#: A request is logged with its own beginning: a little before or after what its batch says.
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class EventRow:
    """An event; `counts` is whether the meter counts it, `is_late` whether it came after the slice was closed."""

    event: UsageEvent
    counts: bool
    is_late: bool


@dataclass(frozen=True)
class InUse:
    """What was in use before and after the slice's time: a SET adds the difference."""

    before: Decimal
    after: Decimal


@viewers
def usage_record(request: HttpRequest, record_id: int) -> HttpResponse:
    """Show a record, with its slice; a correction has none."""
    connection = Connection.objects.shown()
    record = get_object_or_404(records_shown().select_related("connection"), connection=connection, pk=record_id)
    one = _slices().get(pk=record.slice_id) if record.slice_id else None
    context = {
        "row": row_of_record(record),
        "record": record,
        "charge": record.charge,
        "why_filed": why_filed(record, tenant=tenant_of(record.connection)),
        "requests": _requests(record.batch, connection) if record.batch is not None and connection else [],
    }
    return _page(request, context, connection, record.charge.subscription, one)


@viewers
def usage_slice(request: HttpRequest, slice_id: int) -> HttpResponse:
    """Show a slice that has no record yet, and what it waits for."""
    connection = Connection.objects.shown()
    one = get_object_or_404(_slices(), pk=slice_id)
    record = one.usage_records.filter(connection=connection).first()
    if record is not None:
        return redirect("usage_record", record.pk)
    [row] = rows_of_slices([one], connection)
    return _page(request, {"row": row}, connection, one.subscription, one)


def _page(
    request: HttpRequest,
    context: dict[str, Any],
    connection: Connection | None,
    subscription: Subscription,
    one: Slice | None,
) -> HttpResponse:
    context |= {
        "page": "usage",
        "connection": connection,
        "subscription": subscription,
        "subscription_record": _subscription_record(connection, subscription),
        "one": one,
        "now": timezone.now(),
    }
    if one is not None:
        context |= _events(request, one)
    return render(request, "integrations/usage_record.html", context)


def _slices() -> QuerySet[Slice]:
    return Slice.objects.select_related(
        "subscription__customer", "price__plan", "price__addon", "price__feature"
    )  # fmt: skip


def _subscription_record(connection: Connection | None, subscription: Subscription) -> SyncRecord | None:
    if connection is None:
        return None
    record = SyncRecord.objects.filter(
        connection=connection, kind=EntityKind.SUBSCRIPTION, root_id=subscription.pk
    ).first()
    if record is not None:
        record.connection = connection
    return record


def _events(request: HttpRequest, one: Slice) -> dict[str, Any]:
    """Return the events of the slice's time, some to a page, and what a meter or a SET makes of them."""
    feature = one.price.feature
    feature_id = one.price.feature_id or 0
    meter = meter_of(in_force([feature_id], now=timezone.now())[feature_id], one.subscription, at=one.starts_at)
    which = Q(feature=feature) if meter is None else Q(feature=feature) | Q(feature=None)
    events = UsageEvent.objects.filter(
        which,
        customer=one.subscription.customer_id,
        resource_id=one.subscription.resource_id,
        occurred_at__gte=one.starts_at,
        occurred_at__lt=one.ends_at,
    )
    page = page_of(events, key="pk", **edges_of(request), size=EVENTS_SHOWN)
    return {
        "feature": feature,
        "meter": meter,
        "slice": page,
        "events": [_event_row(event, meter, one.closed_at) for event in page.rows],
        "in_use": _in_use(one, meter, events),
    }


def _event_row(event: UsageEvent, meter: Counting | None, closed_at: datetime) -> EventRow:
    by_meter = event.feature_id is None and meter is not None
    counts = not by_meter or meters.counts(filters=meter.filters if meter else [], event=event)
    return EventRow(event, counts, event.received_at > closed_at)


def _in_use(one: Slice, meter: Counting | None, events: QuerySet[UsageEvent]) -> InUse | None:
    if not events.filter(update_behavior=UpdateBehavior.SET, feature__isnull=False).exists():
        return None
    subscription = one.subscription
    source = Source(subscription.customer_id, one.price.feature_id or 0, subscription.resource_id, meter)
    return InUse(in_use(source, before=one.starts_at), in_use(source, before=one.ends_at))


def _requests(batch: UsageBatch, connection: Connection) -> Sequence[Request]:
    """Return the calls of a batch; the log is read only around the time at which they left."""
    if batch.sent_at is None:
        return []
    rows = Request.objects.filter(
        connection=connection,
        idempotency_key=batch.idempotency_key,
        started_at__gte=batch.sent_at - _SLACK,
        started_at__lte=(batch.finished_at or timezone.now()) + _SLACK,
    )
    return list(rows[:_REQUESTS_SHOWN])
