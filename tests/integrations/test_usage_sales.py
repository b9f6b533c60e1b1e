"""What is sold changes while it is used: each unit is billed at the price at which it was used, and once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import Addon, BillingModel, Plan
from integrations import usage_reconcile
from integrations.models import UsageRecord
from integrations.usage_filing import why_filed
from integrations.usage_problems import charges_to_credit, to_credit
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from subscriptions.past import keep_past, present
from tests.factories.catalog import PlanFactory, addon_with_prices, price
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def amounts(tenant: UsageWorld, day: date) -> list[tuple[Decimal, Decimal]]:
    """Bill all that is due by a day; return quantity and unit price of what was used, dearest last."""
    tenant.bill(day)
    rows = [row for row in tenant.world.rows("InvoiceItem") if row.get("Usage")]
    return sorted((row["Quantity"], row["ChargeAmount"]) for row in rows)


def dear_plan(tenant: UsageWorld) -> Plan:
    plan: Plan = PlanFactory.create(ref_id="dear")
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    tenant.settle()
    return plan


@contextmanager
def changed(tenant: UsageWorld, acme: Subscription) -> Iterator[Subscription]:
    """Give the subscription, to be changed as of now."""
    one = Subscription.objects.get(pk=acme.pk)
    before = present(one)
    yield one
    one.save()
    keep_past(one, before=before, at=tenant.now)


def differences(tenant: UsageWorld) -> list[str]:
    lines = usage_reconcile.reconcile_usage(
        connection=tenant.world.connection, client=tenant.world.client, now=tenant.now, whole=True
    )
    return [one for line in lines for one in line.differences]


def test_a_change_of_plan_bills_both_at_their_own_price(tenant: UsageWorld) -> None:
    acme, dear = tenant.sell(), dear_plan(tenant)
    tenant.use(acme, 1, at=START - timedelta(days=1))
    tenant.quiet()
    tenant.advance(minutes=20)
    tenant.use(acme, 2)
    tenant.advance(minutes=10)
    with changed(tenant, acme) as one:
        one.plan = dear
    tenant.settle()
    tenant.advance(minutes=10)
    tenant.use(acme, 4)
    tenant.use(acme, 8, at=START - timedelta(hours=5))
    tenant.next_hour()
    tenant.settle()
    tenant.quiet()
    assert differences(tenant) == []
    assert amounts(tenant, date(2026, 5, 10)) == [(Decimal(4), Decimal(40)), (Decimal(11), Decimal(11))]


def test_a_new_version_bills_what_was_used_before_it_at_the_old_price(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1, at=START - timedelta(days=1))
    tenant.use(acme, 2, at=START - timedelta(hours=5))
    tenant.quiet()
    tenant.plan.version_number = 2
    tenant.plan.save()
    price(tenant.plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    tenant.settle()
    tenant.advance(minutes=30)
    tenant.use(acme, 4, at=START + timedelta(minutes=29))
    with changed(tenant, acme) as one:
        one.plan_version_number = 2
    tenant.settle()
    tenant.use(acme, 8)
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    assert amounts(tenant, date(2026, 5, 10)) == [(Decimal(7), Decimal(7)), (Decimal(8), Decimal(80))]


def test_what_was_filed_on_the_day_of_the_change_is_moved_though_nothing_is_used_any_more(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 2, at=START - timedelta(hours=5))
    tenant.quiet()
    tenant.plan.version_number = 2
    tenant.plan.save()
    price(tenant.plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    with changed(tenant, acme) as one:
        one.plan_version_number = 2
    tenant.settle()
    tenant.next_hour()
    tenant.quiet()
    assert amounts(tenant, date(2026, 5, 10)) == [(Decimal(2), Decimal(2))]


def taken_away(tenant: UsageWorld) -> tuple[Subscription, Addon]:
    """Sell an add-on by usage, at ten euros, and take it away on 11 March at noon, minutes after three were used."""
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    acme = tenant.sell()
    acme.addons.create(addon=addon)
    tenant.settle()
    tenant.advance(days=1)
    tenant.use(acme, 3, at=tenant.now - timedelta(minutes=10))
    with changed(tenant, acme) as one:
        one.addons.all().delete()
    tenant.settle()
    return acme, addon


def test_an_add_on_that_goes_is_billed_for_the_hours_that_were_not_closed_yet(tenant: UsageWorld) -> None:
    acme, _ = taken_away(tenant)
    tenant.use(acme, 4)
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    assert amounts(tenant, date(2026, 5, 10)) == [(Decimal(3), Decimal(30)), (Decimal(7), Decimal(7))]


#: The add-on's charge by usage, before it was taken away and since it was taken again.
OLD, NEW = "C-00000003", "C-00000005"


@pytest.fixture
def taken_again(tenant: UsageWorld) -> Subscription:
    """A subscription whose add-on, at ten euros, was taken away on 11 March at noon, and again on the 13th."""
    acme, addon = taken_away(tenant)
    tenant.advance(days=2)
    with changed(tenant, acme) as one:
        one.addons.create(addon=addon)
    tenant.settle()
    return acme


def of_the_addon(tenant: UsageWorld) -> dict[str, tuple[Decimal, Decimal]]:
    """Bill all that is due; return quantity and amount of the add-on's usage by charge number."""
    tenant.bill(date(2026, 5, 20))
    used: dict[str, tuple[Decimal, Decimal]] = {}
    for row in tenant.world.rows("InvoiceItem"):
        if row.get("Usage") and row["UnitPrice"] == 10:
            quantity, amount = used.get(row["ChargeNumber"], (Decimal(0), Decimal(0)))
            used[row["ChargeNumber"]] = quantity + row["Quantity"], amount + row["ChargeAmount"]
    return used


def test_an_add_on_that_is_taken_again_is_billed_by_its_new_charge(
    tenant: UsageWorld, taken_again: Subscription
) -> None:
    tenant.advance(days=1)
    tenant.use(taken_again, 5, at=tenant.now - timedelta(minutes=10))
    tenant.use(taken_again, 7, at=tenant.now - timedelta(days=1, hours=2))
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    assert of_the_addon(tenant) == {OLD: (Decimal(3), Decimal(30)), NEW: (Decimal(5), Decimal(50))}


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("was_billed", [True, False])
def test_usage_of_before_an_add_on_was_taken_away_is_billed_by_its_old_charge(
    tenant: UsageWorld, taken_again: Subscription, *, is_read: bool, was_billed: bool
) -> None:
    if is_read:  # the new charge has usage, so its number is known
        tenant.use(taken_again, 5)
        tenant.next_hour()
        tenant.quiet()
    if was_billed:
        tenant.bill(date(2026, 4, 1))
    tenant.use(taken_again, 11, at=START + timedelta(hours=20))
    tenant.use(taken_again, 13, at=START + timedelta(hours=23))
    tenant.next_hour()
    tenant.quiet()
    assert differences(tenant) == []
    late = UsageRecord.objects.get(charge__key__startswith="addon", slice__starts_at=START + timedelta(hours=20))
    assert late.charge_number == OLD
    assert why_filed(late, tenant=tenant_of(tenant.world.connection)) == (
        f"The charge was {OLD} until it was taken away, as of 2026-03-11; sold again, it is {NEW}. Usage of the time "
        "before is billed by the charge of then, at its price. Zuora bills whole days, and 2026-03-10 is the last one "
        "of the charge, or of its price: what was used later is filed under it."
    )
    new = {NEW: (Decimal(5), Decimal(50))} if is_read else {}
    assert of_the_addon(tenant) == {OLD: (Decimal(27), Decimal(270))} | new


def test_what_is_taken_back_of_before_is_not_given_back_at_the_price_of_now(
    tenant: UsageWorld, taken_again: Subscription
) -> None:
    tenant.bill(date(2026, 4, 1))
    tenant.use(taken_again, -2, at=START + timedelta(hours=23, minutes=55))
    tenant.use(taken_again, 5)
    tenant.next_hour()
    tenant.quiet()
    assert of_the_addon(tenant) == {OLD: (Decimal(3), Decimal(30)), NEW: (Decimal(5), Decimal(50))}
    [charge] = charges_to_credit(tenant.world.connection, now=tenant.now)
    assert (charge.unabsorbed, list(to_credit(charge, now=tenant.now))) == (2, [(OLD, Decimal(2))])
    # What is told later of then, and not billed yet, is of the same number, and gives.
    tenant.use(taken_again, 4, at=START + timedelta(hours=22))
    tenant.next_hour()
    tenant.quiet()
    assert of_the_addon(tenant) == {OLD: (Decimal(5), Decimal(50)), NEW: (Decimal(5), Decimal(50))}
    assert list(charges_to_credit(tenant.world.connection, now=tenant.now)) == []


def test_what_was_billed_too_much_of_an_add_on_that_is_gone_is_to_be_credited_at_once(tenant: UsageWorld) -> None:
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    acme = tenant.sell()
    acme.addons.create(addon=addon)
    tenant.settle()
    tenant.advance(days=1)
    tenant.use(acme, 3, at=tenant.now - timedelta(minutes=10))
    tenant.quiet()
    tenant.bill(date(2026, 4, 1))
    tenant.use(acme, -2, at=tenant.now - timedelta(minutes=10))
    tenant.next_hour()
    tenant.quiet()
    assert list(charges_to_credit(tenant.world.connection, now=tenant.now)) == []  # the next usage may make up for it
    with changed(tenant, acme) as one:
        one.addons.all().delete()
    tenant.settle()
    [charge] = charges_to_credit(tenant.world.connection, now=tenant.now)
    assert list(to_credit(charge, now=tenant.now)) == [(OLD, Decimal(2))]


def test_what_zuora_no_longer_takes_under_the_old_charge_is_billed_by_the_new_one(
    tenant: UsageWorld, taken_again: Subscription
) -> None:
    tenant.use(taken_again, 5)
    tenant.next_hour()
    tenant.quiet()
    tenant.use(taken_again, 11, at=START + timedelta(hours=20))
    row = tenant.world.app.tenant.store.find("Subscription", "Latest", "stigg--s1")
    assert row is not None
    old = next(plan for plan in row["RatePlans"] if plan["LastChangeType"] == "Remove")
    others = [plan for plan in row["RatePlans"] if plan is not old]
    tenant.world.app.tenant.store.change("Subscription", row, RatePlans=others)
    tenant.next_hour()
    tenant.quiet()
    late = UsageRecord.objects.get(charge__key__startswith="addon", slice__quantity=11)
    assert (late.charge_number, late.starts_at, late.state) == (NEW, START.replace(day=13, hour=0), "CONFIRMED")
    assert why_filed(late, tenant=tenant_of(tenant.world.connection)) == (
        f"It was used before the charge was taken away, and Zuora did not take it under the number of then, {OLD}: it "
        f"is billed with the first day of {NEW}."
    )
    assert of_the_addon(tenant)[NEW] == (Decimal(16), Decimal(160))
