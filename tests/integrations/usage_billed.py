"""What Zuora billed of random usage, held against what must be billed, what was paid, and what a comparison tells."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import F

from integrations import usage_reconcile
from integrations.models import SyncStatus, UsageCharge, UsageRecord, UsageState
from integrations.zuora.mapping.usage import BILLED, same_moment

if TYPE_CHECKING:
    from datetime import date

    from tests.integrations.usage_chaos import Chaos
    from tests.integrations.usage_replay import Told
    from tests.integrations.usage_world import UsageWorld

#: A subscription's number, and which time it is that its add-on was held, from 1; 0 is the plan.
Charged = tuple[str, int]
#: What it takes to push what is sold before anything happens.
_FIRST_PUSH = timedelta(seconds=1)
_REPRICED = re.compile(
    r"(\S+) were used at (\S+) EUR, and are billed at (\S+) EUR: (?:Zuora has one price|what was billed wrong)"
)


def billed_so_far(tenant: UsageWorld) -> dict[Charged, Decimal]:
    """Return what usage was billed so far."""
    billed: dict[Charged, Decimal] = {}
    for item in tenant.world.rows("InvoiceItem"):
        if item.get("Usage"):
            number = item["SubscriptionNumber"]
            charged = number, _times(tenant, number).index(item["ChargeNumber"]) + 1 if "addon" in item["SKU"] else 0
            billed[charged] = billed.get(charged, Decimal(0)) + item["Quantity"]
    return billed


def _times(tenant: UsageWorld, number: str) -> list[str]:
    """Return the numbers of the charges that a subscription's add-on has had, in their order."""
    row = tenant.world.app.tenant.store.find("Subscription", "Latest", number)
    plans = row["RatePlans"] if row is not None else ()
    of_addon = [one for plan in plans if "addon" in plan["ProductSku"] for one in plan["Charges"]]
    return sorted({one["ChargeNumber"] for one in of_addon})


def bill(chaos: Chaos, day: date) -> None:
    """Bill all that is due by a day, and note what is billed while a call that moves it is on its way."""
    on_its_way = UsageRecord.objects.filter(state__in=[UsageState.SENDING, UsageState.UNKNOWN], held__isnull=False)
    moving = on_its_way.exclude(held_starts_at=F("starts_at"))
    wanted_at = dict(moving.values_list("zuora_id", "starts_at"))
    rows = [row for row in chaos.tenant.world.rows("Usage") if row["Id"] in wanted_at and row["RbeStatus"] != BILLED]
    chaos.tenant.bill(day)
    billed = {row["Id"] for row in chaos.tenant.world.rows("Usage") if row["RbeStatus"] == BILLED}
    for row in rows:
        if row["Id"] in billed and not same_moment(row["StartDateTime"], wanted_at[row["Id"]]):
            number = row["SubscriptionNumber"]
            chaos.caught[number] = chaos.caught.get(number, Decimal(0)) + row["Quantity"]


def _left_out(chaos: Chaos) -> list[Told]:
    """Return what ended when it was first heard of, and so before it was ever to be in Zuora: it is not synced."""
    statuses = chaos.tenant.world.statuses()
    return [
        told
        for told in chaos.all
        if told.end
        and told.end < chaos.begin + _FIRST_PUSH
        and statuses[f"subscription:{told.subscription.ref_id}"] == SyncStatus.NO_SYNC_REQUIRED
    ]


def check(chaos: Chaos) -> None:
    """Bill everything, and hold it against what must be billed."""
    before = dict(chaos.billed)
    stuck = UsageRecord.objects.filter(state=UsageState.FAILED).values_list("external_key", "reason")
    assert list(stuck) == []
    keys = [one["Description"] for one in chaos.tenant.world.rows("Usage")]
    assert len(keys) == len(set(keys))
    left_out = _left_out(chaos)
    of_plan = {
        f"stigg--{told.subscription.ref_id}": {} if told in left_out else told.must_be_billed(chaos.zone)
        for told in chaos.all
    }
    of_addon = {
        f"stigg--{told.subscription.ref_id}": told.must_be_billed_of_addon(chaos.zone)
        for told in chaos.all
        if told not in left_out
    }
    right = {(number, 0): sum(some.values(), Decimal(0)) for number, some in of_plan.items()}
    right |= {(number, time): total for number, some in of_addon.items() for time, total in some.items()}
    named = _reconcile(chaos, right, before)
    chaos.tenant.bill((chaos.tenant.now + timedelta(days=110)).date())
    after = billed_so_far(chaos.tenant)
    expected = {charged: max(total, before.get(charged, Decimal(0))) for charged, total in right.items()}
    got = {charged: after.get(charged, Decimal(0)) for charged in right}
    assert got == expected, (got, expected, before)
    too_much = sum((expected[charged] - total for charged, total in right.items()), Decimal(0))
    assert sum(UsageCharge.objects.values_list("unabsorbed", flat=True), Decimal(0)) == too_much
    over = {charged: expected[charged] - total for charged, total in right.items()}
    owed = {
        number: sum(unit * quantity for unit, quantity in some.items())
        + 7 * sum(of_addon.get(number, {}).values())
        + 7 * sum(quantity for (one, time), quantity in over.items() if one == number and time)
        + named.get(number, Decimal(0))
        for number, some in of_plan.items()
    }
    _check_paid(chaos, owed, over={number: over[number, 0] for number in owed})


def _check_paid(chaos: Chaos, owed: dict[str, Decimal], *, over: dict[str, Decimal]) -> None:
    """Hold what was paid against what is owed: to the cent, but for as many units as were billed at another price.

    `over` were billed too much, at some price of the plan's; so were those that a bill run came upon while they were on
    their way to the day before.
    """
    paid = _paid(chaos)
    for told in chaos.all:
        number = f"stigg--{told.subscription.ref_id}"
        prices = [1, *(unit for _, unit in told.moves)]
        span = chaos.caught.get(number, Decimal(0)) * (max(prices) - min(prices))
        low, high = owed[number] + over[number] * min(prices) - span, owed[number] + over[number] * max(prices) + span
        assert low <= paid[number] <= high, (number, low, paid[number], high)


def _paid(chaos: Chaos) -> dict[str, Decimal]:
    paid = {f"stigg--{told.subscription.ref_id}": Decimal(0) for told in chaos.all}
    for item in chaos.tenant.world.rows("InvoiceItem"):
        if item.get("Usage"):
            paid[item["SubscriptionNumber"]] += item["ChargeAmount"]
    return paid


def _reconcile(chaos: Chaos, right: dict[Charged, Decimal], before: dict[Charged, Decimal]) -> dict[str, Decimal]:
    """Compare, and hold it against what must be told.

    Returns by subscription number how much more is paid, as the comparison names it, because a day has one price, and
    because what was billed is made up for at another one.
    """
    lines = list(
        usage_reconcile.reconcile_usage(
            connection=chaos.tenant.world.connection,
            client=chaos.tenant.world.client,
            now=chaos.tenant.now,
            whole=True,
        )
    )
    named: dict[str, Decimal] = {}
    found = []
    for line in lines:
        number = f"stigg--{line.subscription}"
        for difference in line.differences:
            if priced := _REPRICED.match(difference):
                quantity, used_at, billed_at = map(Decimal, priced.groups())
                named[number] = named.get(number, Decimal(0)) + quantity * (billed_at - used_at)
            else:
                found.append(difference)
    over = [charged for charged, total in right.items() if before.get(charged, Decimal(0)) > total]
    told = len({(number, bool(time)) for number, time in over})
    wrong = [one for one in found if "billed too much" not in one]
    assert wrong == [], wrong
    assert len(found) == told
    return named
