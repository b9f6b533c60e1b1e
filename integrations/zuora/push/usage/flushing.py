"""The last partial hour, before a subscription, one of its charges or the connection ends."""

from collections.abc import Collection
from datetime import date

from integrations.models import SyncRecord, UsageBatch, UsageCharge, UsageState
from integrations.outbox import worker_name
from integrations.zuora.push.far import Far
from integrations.zuora.push.usage.batches import claim, form
from integrations.zuora.push.usage.charges import (
    USAGE,
    placed_charges,
    read_missing_numbers,
    read_numbers,
)
from integrations.zuora.push.usage.planning import plan
from integrations.zuora.push.usage.sending import send
from subscriptions.models import Subscription
from usage.closing import close

#: What was billed meanwhile is made up for in the second round, and so on.
_ROUNDS = 3


def end_charges(far: Far, subscription: Subscription, record: SyncRecord, *, kept: Collection[str], on: date) -> bool:
    """Note the day on which charges end that an order takes away; return whether there are any.

    `kept` are the catalog ids of the charges that stay, or come. What was never read is read now: it still shows its
    number.

    Raises:
        ZuoraError: it could not be read; whoever called tries again.
    """
    rows = UsageCharge.objects.filter(connection=far.connection, subscription=subscription)
    # As the order before left it: what an earlier one of the same push has brought may be stored nowhere yet.
    placed = placed_charges(record)
    going = {key for key, catalog_id in placed.items() if catalog_id not in kept and USAGE in key}
    if going - {one.key for one in rows}:
        read_numbers(far, record)
    # What comes again gets a number of its own, which is read when the order is done.
    rows.filter(catalog_id__in=set(kept) - set(placed.values())).update(catalog_id="")
    keep_charges(far, subscription, kept=kept)
    # What was filed under the day of the order may belong before it: charges and prices end with whole days.
    rows.update(must_plan=True)
    ending = rows.exclude(catalog_id__in=kept)
    ending.filter(ends_on=None).update(ends_on=on)
    return ending.filter(ends_on=on).exists()


def keep_charges(far: Far, subscription: Subscription, *, kept: Collection[str]) -> None:
    """Forget an end that was noted for an order that is no longer wanted."""
    rows = UsageCharge.objects.filter(connection=far.connection, subscription=subscription, catalog_id__in=kept)
    rows.exclude(ends_on=None).update(ends_on=None)


def flush(far: Far, subscription: Subscription) -> None:
    """Close the subscription's running hour as far as it has come, and send all of its usage.

    What Zuora refuses is left to a person: it can still be sent when the subscription has ended.

    Raises:
        ZuoraError: a call failed; whoever called tries again.
    """
    now = far.clock()
    close(upto=now, now=now, zone=far.tenant.time_zone, subscription=subscription)
    for _ in range(_ROUNDS):
        read_missing_numbers(far, [subscription.pk])
        plan(connection=far.connection, tenant=far.tenant, subscription_ids=[subscription.pk], now=now)
        form(connection=far.connection, now=now, subscription_ids=[subscription.pk])
        open_ones = UsageBatch.objects.filter(
            connection=far.connection,
            records__charge__subscription=subscription,
            records__state__in=[UsageState.SENDING, UsageState.UNKNOWN],
        )
        batches = list(open_ones.order_by("pk").values_list("pk", flat=True).distinct())
        if not batches:
            return
        for batch_id in batches:
            claimed = claim(batch=batch_id, worker=worker_name(), now=far.clock())
            if claimed is not None:
                send(far, *claimed)
