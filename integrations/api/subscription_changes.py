"""What becomes of subscriptions (https://docs.stigg.io/api-reference/subscriptions)."""

from collections.abc import Collection

from catalog.models import CancellationTime
from customers.models import Customer
from integrations.api.errors import not_found
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.schema import Data, Output
from integrations.api.subscription_out import SubscriptionOut
from integrations.api.subscriptions import answer, applied
from integrations.api.subscriptions_schema import CancelIn, DelegateIn, MigrateIn, SubscriptionChange, TransferIn
from subscriptions import cancelling, handing_over, scheduling
from subscriptions.models import ScheduleStatus, Subscription
from subscriptions.scheduling import Strategy
from subscriptions.wanted import Content

_TAG = "Subscriptions"
_ONE = "/api/v1/subscriptions/{subscription_id}"


class SubscriptionId(Output):
    """Which one it was."""

    id: str


@operation("PATCH", _ONE, tag=_TAG)
def update_subscription(call: Call, *, body: SubscriptionChange, subscription_id: str) -> Data[SubscriptionOut]:
    """Change a subscription, now or when its period ends: a list replaces all that was there."""
    subscription = _find(subscription_id)
    content = body.content(coupon=applied(body.applied_coupon, ref_id=subscription.ref_id))
    if body.trial_end_date is not None:
        cancelling.move_trial_end(subscription=subscription, to=body.trial_end_date, now=call.now)
    scheduling.update(
        subscription=subscription,
        content=content,
        strategy=body.schedule_strategy,
        awaits_payment=body.awaits_payment,
        now=call.now,
    )
    if body.cancellation_date is not None:
        time = CancellationTime.SPECIFIC_DATE
        cancelling.cancel(subscription=subscription, time=time, date=body.cancellation_date, now=call.now)
    elif "cancellation_date" in body.model_fields_set:
        cancelling.keep(subscription=subscription)
    return Data(data=answer(subscription, call))


@operation("POST", _ONE + "/cancel", tag=_TAG)
def cancel_subscription(call: Call, *, body: CancelIn, subscription_id: str) -> Data[SubscriptionOut]:
    """End a subscription: now, with its period, or at a date."""
    subscription = _find(subscription_id)
    cancelling.cancel(
        subscription=subscription,
        time=body.cancellation_time,
        date=body.end_date,
        prorate=body.prorate is not False,
        now=call.now,
    )
    return Data(data=answer(subscription, call))


@operation("POST", _ONE + "/delegate", tag=_TAG)
def delegate_subscription(call: Call, *, body: DelegateIn, subscription_id: str) -> Data[SubscriptionOut]:
    """Give a subscription to another customer; whoever has paid for it pays on."""
    subscription = _find(subscription_id)
    to = find(Customer.objects.all(), body.target_customer_id)
    handing_over.delegate(subscription=subscription, to=to, now=call.now)
    return Data(data=answer(subscription, call))


@operation("POST", _ONE + "/transfer", tag=_TAG)
def transfer_subscription(call: Call, *, body: TransferIn, subscription_id: str) -> Data[SubscriptionOut]:
    """Move a subscription to another resource of its customer."""
    subscription = _find(subscription_id)
    handing_over.transfer(subscription=subscription, to_resource=body.destination_resource_id, now=call.now)
    return Data(data=answer(subscription, call))


@operation("POST", _ONE + "/migrate", tag=_TAG)
def migrate_subscription(call: Call, *, body: MigrateIn, subscription_id: str) -> Data[SubscriptionOut]:
    """Move a subscription to what of its plan and add-ons is on sale, now or when its period ends."""
    subscription = _find(subscription_id)
    strategy = Strategy(body.subscription_migration_time)
    scheduling.update(subscription=subscription, content=Content(latest=True), strategy=strategy, now=call.now)
    return Data(data=answer(subscription, call))


@operation("POST", _ONE + "/invoice/paid", tag=_TAG)
def mark_invoice_paid(call: Call, *, subscription_id: str) -> Data[SubscriptionId]:
    """Say that the invoice is paid: what waits for that begins, or changes, now."""
    scheduling.mark_paid(subscription=_find(subscription_id), now=call.now)
    return Data(data=SubscriptionId(id=subscription_id))


@operation("DELETE", _ONE + "/future-update/schedule", tag=_TAG)
def cancel_schedule(call: Call, *, subscription_id: str) -> Data[SubscriptionId]:
    """Call off what is scheduled."""
    return _call_off(call, subscription_id, [ScheduleStatus.SCHEDULED])


@operation("DELETE", _ONE + "/future-update/pending-payment", tag=_TAG)
def cancel_pending_payment(call: Call, *, subscription_id: str) -> Data[SubscriptionId]:
    """Call off what waits for its payment."""
    return _call_off(call, subscription_id, [ScheduleStatus.PENDING_PAYMENT])


def _call_off(call: Call, subscription_id: str, statuses: Collection[ScheduleStatus]) -> Data[SubscriptionId]:
    subscription = _find(subscription_id)
    if not scheduling.call_off(subscription=subscription, statuses=statuses, now=call.now):
        raise not_found("ScheduledUpdateNotFound", f"Nothing of that kind is scheduled for {subscription}.")
    return Data(data=SubscriptionId(id=subscription_id))


def _find(subscription_id: str) -> Subscription:
    return find(Subscription.objects.select_related("customer", "plan__product", "coupon"), subscription_id)
