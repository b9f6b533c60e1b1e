"""A subscription's usage: the picture of a billing period, what would be sent, and "Sync usage to Zuora"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from catalog.models import BillingModel, BillingPeriod
from integrations import usage_sync
from integrations.charts import Chart, bars_between, fill
from integrations.models import AuditEntry, Connection, UsageRecord, UsageState
from integrations.operating import Impossible
from integrations.sections import SECTIONS
from integrations.usage_otherwise import billed_otherwise_in
from integrations.usage_prices import BilledOtherwise
from integrations.usage_sync import ChargeUsage, Sent
from integrations.usage_waiting import waiting_reason
from integrations.views.access import actor, operators, viewers
from integrations.views.overview import active_connection
from integrations.zuora.client import Client
from integrations.zuora.mapping import keys
from integrations.zuora.tenant import client_for
from subscriptions.models import Subscription
from subscriptions.periods import Period, current_period
from usage.windows import ends_at

#: So long a person waits for Zuora; then the page says what is still on its way.
PATIENCE_SECONDS, CALL_SECONDS = 25.0, 15.0
_SECTION = SECTIONS["subscriptions"]
_NAMED = 20
_TICK = timedelta(seconds=1)


@dataclass(frozen=True)
class ChargeShown:
    """A charge with its picture."""

    usage: ChargeUsage
    chart: Chart
    otherwise: Sequence[BilledOtherwise]


@dataclass(frozen=True)
class ByHand:
    """The last time that somebody pressed the button, with the records that were named then."""

    entry: AuditEntry
    records: tuple[UsageRecord, ...]
    more: int


def usage_card(
    subscription: Subscription, connection: Connection | None, *, at: datetime | None = None
) -> dict[str, Any]:
    """Return what the card of a billing period shows, the current one's unless a moment is given; or nothing.

    Nothing is shown of a subscription that is not sold by usage and never was.
    """
    now = timezone.now()
    if not _is_metered(subscription):
        return {}
    connection = connection or Connection.objects.shown()
    last = _last_moment(subscription, now)
    period = _period(subscription, at or last)
    charges = usage_sync.usage_of_period(subscription=subscription, connection=connection, moment=period.start)
    otherwise = billed_otherwise_in(subscription, connection, period)
    return {
        "subscription": subscription,
        "period": period,
        "is_last": period.start <= last < period.end,
        "earlier": period.start - _TICK if period.start > subscription.billing_anchor else None,
        "later": period.end if period.end <= last else None,
        "charges": [
            _shown(charge, place, period, otherwise.get(charge.key, ())) for place, charge in enumerate(charges)
        ],
        "is_ended": _is_ended(subscription, now),
        "former": connection if connection is not None and connection.removed_at is not None else None,
        "waits": waiting_reason(subscription=subscription, connection=connection),
        **_runs(subscription, connection, now),
    }


def _is_metered(subscription: Subscription) -> bool:
    if not subscription.billing_period:
        return False
    by_usage = any(price.billing_model == BillingModel.USAGE_BASED for price in subscription.prices())
    return by_usage or subscription.slices.exists()


def _period(subscription: Subscription, moment: datetime) -> Period:
    period = BillingPeriod(subscription.billing_period)
    return current_period(start=subscription.billing_anchor, billing_period=period, now=moment)


def _is_ended(subscription: Subscription, now: datetime) -> bool:
    end = ends_at(subscription)
    return end is not None and end <= now


def _last_moment(subscription: Subscription, now: datetime) -> datetime:
    """Return now, or of a subscription that has ended its last moment: it has no period after that."""
    end = ends_at(subscription)
    return now if end is None or end > now else max(end - _TICK, subscription.billing_anchor)


def _shown(charge: ChargeUsage, place: int, period: Period, otherwise: Sequence[BilledOtherwise]) -> ChargeShown:
    bars, step = bars_between(period.start, period.end)
    fill(bars, ((part.starts_at, part.sight.value.lower(), part.quantity) for part in charge.parts))
    what = charge.unit or "usage"
    chart = Chart(f"usage-{place}", f"{what[0].upper()}{what[1:]} by the {step}", charge.unit, bars)
    return ChargeShown(charge, chart, otherwise)


def _runs(subscription: Subscription, connection: Connection | None, now: datetime) -> dict[str, Any]:
    """Return when usage was sent last and is sent next, and what a person sent last."""
    records = UsageRecord.objects.filter(connection=connection, charge__subscription=subscription)
    return {
        **records.aggregate(last_sync=Max("accepted_at"), failed=Count("pk", filter=Q(state=UsageState.FAILED))),
        "next_sync": next_run(now),
        "by_hand": _by_hand(subscription, connection),
    }


def next_run(now: datetime) -> datetime:
    """Return when the beat sends usage next."""
    schedule: Any = settings.CELERY_BEAT_SCHEDULE["usage"]["schedule"]
    last, left, _ = schedule.remaining_delta(now, tz=UTC)
    found: datetime = last + left
    return found


def _by_hand(subscription: Subscription, connection: Connection | None) -> ByHand | None:
    subject = keys.subscription_key(subscription.ref_id)
    entry = AuditEntry.objects.filter(action="sync usage", subject=subject).order_by("-pk").first()
    if entry is None:
        return None
    sent = entry.detail.get("sent", [])
    named = UsageRecord.objects.filter(connection=connection, external_key__in=sent[:_NAMED])
    return ByHand(entry, tuple(named.select_related("charge", "slice")), max(0, len(sent) - _NAMED))


def _subscription(ref_id: str) -> Subscription:
    found: Subscription = _SECTION.get(ref_id)
    return found


@viewers
def usage_of_subscription(request: HttpRequest, ref_id: str) -> HttpResponse:
    """Show the usage of a billing period; what would be sent is counted anew, and so fetched by the page's script.

    Where there is no script the page leads to itself with it.
    """
    subscription, connection = _subscription(ref_id), active_connection()
    card = usage_card(subscription, connection, at=_moment(request.GET.get("at", "")))
    context: dict[str, Any] = {
        "page": "subscriptions",
        "section": _SECTION,
        "connection": connection,
        "entity": subscription,
        "usage": card,
    }
    if card and "preview" in request.GET:
        context["preview"] = usage_sync.preview(subscription=subscription, now=timezone.now())
    return render(request, "integrations/usage_of_subscription.html", context)


@viewers
def usage_preview(request: HttpRequest, ref_id: str) -> HttpResponse:
    """Answer with the part of the card that says what would be sent: it counts anew, so a page does not wait for it."""
    subscription = _subscription(ref_id)
    preview = usage_sync.preview(subscription=subscription, now=timezone.now())
    context = {"preview": preview, "entity": subscription}
    return render(request, "integrations/usage_preview.html", context)


def _moment(text: str) -> datetime | None:
    """Return the moment of an address, or None for what is none, or lies beyond every calendar."""
    try:
        found = parse_datetime(text.replace(" ", "+"))
        return found.astimezone(UTC) if found is not None and found.utcoffset() is not None else None
    except (ValueError, OverflowError):
        return None


# It waits for Zuora: no transaction may be held meanwhile.
@transaction.non_atomic_requests
@operators
def usage_sync_now(request: HttpRequest, ref_id: str) -> HttpResponse:
    """Send a subscription's usage up to now, and say what was sent. Pressed twice it sends nothing twice."""
    subscription = _subscription(ref_id)
    try:
        sent = usage_sync.sync_now(
            subscription=subscription, actor=actor(request), now=timezone.now(), open_client=_in_a_hurry
        )
    except Impossible as answer:
        messages.error(request, str(answer))
    else:
        _say(request, sent)
    return redirect(reverse("usage_of_subscription", args=[ref_id]) + "#by-hand")


def _in_a_hurry(connection: Connection) -> Client:
    return client_for(connection).in_a_hurry(seconds=PATIENCE_SECONDS, call_seconds=CALL_SECONDS)


def _say(request: HttpRequest, sent: Sent) -> None:
    count = len(sent.records)
    if count:
        what = "1 usage record is in Zuora" if count == 1 else f"{count:,} usage records are in Zuora"
        messages.success(request, f"{what} as it should be: this page names {'it' if count == 1 else 'them'}.")
    if sent.problem:
        messages.warning(request, f"Not everything was sent. {sent.problem}")
    if sent.left:
        them = "it" if sent.left == 1 else "them"
        messages.info(request, f"{sent.left:,} still on the way: what becomes of {them} is found out by itself.")
    if sent.failed:
        one = sent.failed == 1
        what = "1 usage record" if one else f"{sent.failed:,} usage records"
        waits = "is not sent before somebody retries it" if one else "are not sent before somebody retries them"
        messages.warning(request, f"{what} failed, and {waits}: the Usage page says why, and what to do.")
    elif not count and not sent.problem and not sent.left:
        messages.info(request, "There was nothing to send: Zuora has taken all usage up to now.")
