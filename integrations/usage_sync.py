"""What a person does with a subscription's usage: see what is there, see what would be sent, and send it."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery

from catalog.models import BillingPeriod, Price
from integrations import operating, usage_delivery
from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from integrations.models.usage import UsageRecordQuerySet
from integrations.usage_waiting import waiting_reason
from integrations.zuora.client import Client
from integrations.zuora.mapping import keys
from integrations.zuora.push import usage as push
from integrations.zuora.tenant import client_for, tenant_of
from subscriptions.models import Subscription
from subscriptions.periods import current_period
from usage.closing import close
from usage.models import DirtyHour, Slice
from usage.overdue import TOO_MUCH, why_not_counted
from usage.reopening import had

ZERO = Decimal(0)
#: Hours that a push up to now has not counted: there are few.
_LOOKED_AT = 50


class Sight(StrEnum):
    """How far a slice has come, for a person."""

    SYNCED = "SYNCED"
    PENDING = "PENDING"
    FAILED = "FAILED"


_SEEN = {
    UsageState.ACCEPTED: Sight.SYNCED,
    UsageState.CONFIRMED: Sight.SYNCED,
    UsageState.VOID: Sight.SYNCED,
    UsageState.FAILED: Sight.FAILED,
}


@dataclass(frozen=True)
class Part:
    """A slice, and how far it has come."""

    starts_at: datetime
    quantity: Decimal
    sight: Sight


@dataclass(frozen=True)
class ChargeUsage:
    """The usage of one charge in one billing period; `number` is empty until it was read from Zuora."""

    key: str
    unit: str
    number: str
    quantity: Decimal
    parts: tuple[Part, ...]
    unabsorbed: Decimal


@dataclass(frozen=True)
class Amount:
    """`quantity` units in so many slices, to one charge: "1,240 API calls in 3 slices to C-00000012"."""

    key: str
    unit: str
    number: str
    quantity: Decimal
    slices: int


@dataclass(frozen=True)
class Preview:
    """What would be sent; `waits_for` says why nothing can be, in a sentence, or is empty.

    `failed` records are not sent before a person retries them.
    """

    amounts: tuple[Amount, ...]
    waits_for: str
    failed: int = 0


@dataclass(frozen=True)
class Sent:
    """What was sent, by record; `problem` says in a sentence why something was not, or is empty.

    Of the others so many are `left` on their way, and so many `failed` and wait for a person.
    """

    records: tuple[UsageRecord, ...]
    left: int
    problem: str
    failed: int = 0


def preview(*, subscription: Subscription, now: datetime) -> Preview:
    """Return what `sync_now` would send: it is counted and planned as then, and nothing of it is kept."""
    connection = Connection.objects.active().first()
    waits_for = waiting_reason(subscription=subscription, connection=connection)
    with transaction.atomic():
        zone = tenant_of(connection).time_zone if connection else UTC
        close(upto=now, now=now, zone=zone, subscription=subscription)
        if connection is not None:
            push.plan(connection=connection, tenant=tenant_of(connection), subscription_ids=[subscription.pk], now=now)
        amounts, failed = _amounts(subscription, connection), _failed(subscription, connection)
        transaction.set_rollback(True)
    return Preview(amounts=amounts, waits_for=waits_for, failed=failed)


def sync_now(
    *,
    subscription: Subscription,
    actor: User | None,
    now: datetime,
    open_client: Callable[[Connection], Client] = client_for,
) -> Sent:
    """Close the running hour as far as it has come and send the subscription's usage, the calls of this click first.

    Pressed twice it sends nothing twice. To be called outside a transaction: it waits for Zuora.

    Raises:
        Impossible: Zuora is not connected, or the subscription is not there.
    """
    connection = Connection.objects.active().first()
    if reason := waiting_reason(subscription=subscription, connection=connection):
        raise operating.Impossible(reason)
    if connection is None:
        raise operating.Impossible("Zuora is not connected.")
    before = {
        pk: (revision, sight_of(state))
        for pk, revision, state in _records_of(subscription, connection).values_list("pk", "revision", "state")
    }
    problem = usage_delivery.push_one(
        connection=connection, subscription=subscription, clock=lambda: now, open_client=open_client
    )
    problem = problem or _too_much(subscription, now)
    records = [
        one
        for one in _records_of(subscription, connection).select_related("slice", "charge")
        # An earlier click, or a run, may have put it into the call that is answered only now.
        if one.zuora_id and sight_of(one.state) is Sight.SYNCED and before.get(one.pk) != (one.revision, Sight.SYNCED)
    ]
    left = _records_of(subscription, connection).pending().count()
    operating.note(
        actor=actor,
        action="sync usage",
        subject=keys.subscription_key(subscription.ref_id),
        now=now,
        sent=[one.external_key for one in records],
        left=left,
        problem=problem,
    )
    return Sent(records=tuple(records), left=left, problem=problem, failed=_failed(subscription, connection))


def _failed(subscription: Subscription, connection: Connection | None) -> int:
    return _records_of(subscription, connection).filter(state=UsageState.FAILED).count()


def _too_much(subscription: Subscription, now: datetime) -> str:
    """Return which hour could not be counted now, and why; or nothing."""
    for one in DirtyHour.objects.filter(had(subscription), hour__lt=now).order_by("hour")[:_LOOKED_AT]:
        if (why := why_not_counted(one, now=now)) == TOO_MUCH:
            return f"The events of {one.hour:%Y-%m-%d %H:%M} were not counted: {why}"
    return ""


def retry(*, records: Collection[int], actor: User | None, now: datetime) -> int:
    """Have failed records sent again; return how many."""
    failed = UsageRecord.objects.filter(pk__in=records, state=UsageState.FAILED)
    with transaction.atomic():
        rows = list(failed.select_for_update(of=("self",)))
        for one in rows:
            one.attempts, one.not_before, one.reason, one.cure = 0, now, "", ""
            one.settle()
        UsageRecord.objects.change(rows, ["attempts", "not_before", "reason", "cure", "state"])
        operating.note(actor=actor, action="retry usage", subject=f"{len(rows)} usage records", now=now)
    return len(rows)


def read_again(*, records: Collection[int], actor: User | None, now: datetime) -> int:
    """Have confirmed records read back once more, and sent where Zuora holds something else; return how many.

    What Zuora does not show any more ends as failed, for a person to retry: it may only be slow to show.
    """
    with transaction.atomic():
        count = UsageRecord.objects.filter(pk__in=records).read_again(now=now)
        operating.note(actor=actor, action="read usage again", subject=f"{count} usage records", now=now)
    return count


def usage_of_period(
    *, subscription: Subscription, connection: Connection | None, moment: datetime
) -> tuple[ChargeUsage, ...]:
    """Return the usage of the billing period around that moment per charge, each slice with how far it has come.

    What went to a tenant that is no longer connected is there: it is not sent to the next one as well.
    """
    if not subscription.billing_period:
        return ()
    period = current_period(
        start=subscription.billing_anchor, billing_period=BillingPeriod(subscription.billing_period), now=moment
    )
    # A year has 8,760 hours: of each only what is shown is read.
    in_use_first = F("connection__removed_at").desc(nulls_first=True)
    state = UsageRecord.objects.filter(slice=OuterRef("pk")).order_by(in_use_first).values("state")[:1]
    slices = subscription.slices.filter(starts_at__gte=period.start, starts_at__lt=period.end).order_by("starts_at")
    shown = slices.annotate(state=Subquery(state), is_changed=Q(revision__gt=F("taken_revision")))
    of_price: dict[int, list[Part]] = defaultdict(list)
    read = shown.values_list("price", "starts_at", "quantity", "state", "is_changed")
    for price_id, starts_at, quantity, state_then, is_changed in read:
        of_price[price_id].append(Part(starts_at, quantity, _sight(quantity, state_then, is_changed=is_changed)))
    known = _charges(subscription, connection)
    parts: dict[str, list[Part]] = defaultdict(list)
    units: dict[str, str] = {}
    for price in Price.objects.filter(pk__in=of_price).select_related("plan", "addon", "feature").order_by("pk"):
        key = keys.charge_key(keys.package_key(price.package), price)
        units[key] = _unit(price)
        parts[key] += of_price[price.pk]
    return tuple(
        ChargeUsage(
            key=key,
            unit=units[key],
            number=known[key].number if key in known else "",
            quantity=sum((part.quantity for part in own), ZERO),
            parts=tuple(own),
            unabsorbed=known[key].unabsorbed if key in known else ZERO,
        )
        for key, own in parts.items()
    )


def _sight(quantity: Decimal, state: str | None, *, is_changed: bool) -> Sight:
    """Return how far a slice has come by the state of its record, which is None where there is no record."""
    if state is None:
        return Sight.PENDING if quantity and is_changed else Sight.SYNCED
    sight = sight_of(state)
    # What Zuora holds is what the slice was before.
    return Sight.PENDING if sight is Sight.SYNCED and is_changed else sight


def sight_of(state: str) -> Sight:
    """Return how far a record in this state has come."""
    return _SEEN.get(UsageState(state), Sight.PENDING)


def _amounts(subscription: Subscription, connection: Connection | None) -> tuple[Amount, ...]:
    known = _charges(subscription, connection)
    quantities: dict[str, Decimal] = defaultdict(Decimal)
    counts: dict[str, int] = defaultdict(int)
    units = {key: charge.unit for key, charge in known.items()}
    for record in _records_of(subscription, connection).pending().select_related("charge"):
        quantities[record.charge.key] += record.wanted - (record.held or ZERO)
        counts[record.charge.key] += 1
    waiting = subscription.slices.filter(quantity__gt=0) & Slice.objects.untaken()
    for one in waiting.select_related("price__plan", "price__addon", "price__feature"):
        key = keys.charge_key(keys.package_key(one.price.package), one.price)
        units.setdefault(key, _unit(one.price))
        quantities[key] += one.quantity
        counts[key] += 1
    return tuple(
        Amount(key, units[key], known[key].number if key in known else "", quantities[key], counts[key])
        for key in sorted(counts)
    )


def _charges(subscription: Subscription, connection: Connection | None) -> dict[str, UsageCharge]:
    rows = UsageCharge.objects.filter(connection=connection, subscription=subscription)
    return {one.key: one for one in rows}


def _records_of(subscription: Subscription, connection: Connection | None) -> UsageRecordQuerySet:
    return UsageRecord.objects.filter(connection=connection, charge__subscription=subscription)


def _unit(price: Price) -> str:
    feature = price.feature
    return (feature.units_plural or feature.units_singular) if feature else ""
