"""What is compared of a charge that was sold in other terms for a while is what was used in them."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import BillingModel, BillingPeriod, CancellationTime
from integrations import usage_reconcile
from integrations.models import UsageCharge
from integrations.usage_lines import Line
from subscriptions.cancelling import cancel
from subscriptions.scheduling import update
from subscriptions.wanted import Content
from tests.factories.catalog import price
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db


def compared(tenant: UsageWorld, *, day: date | None = None) -> list[Line]:
    """Compare the period of a day, or all of them."""
    return list(
        usage_reconcile.reconcile_usage(
            connection=tenant.world.connection, client=tenant.world.client, now=tenant.now, day=day, whole=day is None
        )
    )


@pytest.mark.parametrize(("first", "then"), [("MONTHLY", "ANNUALLY"), ("ANNUALLY", "MONTHLY")])
@pytest.mark.parametrize("back", [True, False])
def test_a_change_of_the_billing_period_leaves_each_charge_its_own_usage(
    tenant: UsageWorld, first: str, then: str, *, back: bool
) -> None:
    price(
        tenant.plan,
        billing_model=BillingModel.USAGE_BASED,
        billing_period=BillingPeriod.ANNUALLY,
        feature=tenant.feature,
        amounts={"EUR": 10},
    )
    tenant.settle()
    acme = tenant.sell(billing_period=first)
    tenant.use(acme, 20, at=START - timedelta(days=3))
    tenant.use(acme, 5, at=START - timedelta(days=2), how="SET")  # fifteen less: the next slices give them
    tenant.quiet()
    tenant.advance(minutes=10)
    update(subscription=acme, content=Content(billing_period=then), now=tenant.now)
    tenant.settle()
    tenant.advance(days=2)
    tenant.use(acme, 18)
    tenant.next_hour()
    tenant.quiet()
    if back:
        acme.refresh_from_db()
        update(subscription=acme, content=Content(billing_period=first), now=tenant.now)
        tenant.settle()
        tenant.advance(days=2)
        tenant.use(acme, 7)
        tenant.next_hour()
        tenant.quiet()
    lines = compared(tenant)
    assert [one for line in lines for one in line.differences] == []
    of_each = {period: Decimal(0) for period in ("MONTHLY", "ANNUALLY")}
    for line in lines:
        of_each[line.charge.split("/")[1]] += line.sums.events
    assert of_each == {first: Decimal(5 + 7 * back), then: Decimal(18)}
    units = {"MONTHLY": 1, "ANNUALLY": 10}
    tenant.bill(date(2028, 3, 20))
    billed = {period: Decimal(0) for period in units}
    for row in tenant.world.rows("InvoiceItem"):
        if row.get("Usage"):
            billed["MONTHLY" if row["UnitPrice"] == units["MONTHLY"] else "ANNUALLY"] += row["Quantity"]
    assert billed == {first: Decimal(20 + 7 * back), then: Decimal(3)}


def test_what_was_billed_too_much_is_told_long_after_the_end_and_once(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(days=40))
    for days in (1, 35):
        tenant.use(acme, 2, at=START - timedelta(days=days))
    tenant.quiet()
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.settle()
    UsageCharge.objects.update(unabsorbed=Decimal(5))
    tenant.advance(days=70)
    found = [[one.partition(":")[0] for one in line.differences] for line in compared(tenant)]
    assert found == [[], ["5 were billed too much"]]
    assert compared(tenant, day=tenant.now.date()) == []  # it has no billing period after its end
