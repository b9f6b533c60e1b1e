"""Usage when another has the subscription, or pays for it: filed where Zuora takes it, at the price of its time."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import BillingModel, CancellationTime
from subscriptions.cancelling import cancel
from subscriptions.handing_over import delegate
from tests.factories.catalog import price
from tests.factories.customers import CustomerFactory
from tests.integrations.test_usage_sales import amounts, changed
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_what_was_handed_over_and_cancelled_at_once_is_filed_under_who_had_it_and_billed_to_who_pays(
    tenant: UsageWorld,
) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1, at=START - timedelta(days=2))
    tenant.quiet()
    tenant.advance(minutes=10)
    tenant.use(acme, 4)
    tenant.advance(minutes=10)
    first, payer = acme.customer, CustomerFactory.create(ref_id="payer")
    acme.paying_customer = payer
    acme.save()
    delegate(subscription=acme, to=CustomerFactory.create(ref_id="heir"), now=tenant.now)
    tenant.advance(minutes=10)
    tenant.use(acme, 8)
    tenant.advance(minutes=10)
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.control.clear_log()
    tenant.settle()
    # The hour that ran goes before the one order that hands over and ends, and so under the account of before.
    writes = [one.path for one in tenant.control.requests() if one.path in {"/v1/action/create", "/v1/orders"}]
    assert writes == ["/v1/action/create", "/v1/orders"]
    acme.customer = first
    tenant.use(acme, 2, at=START - timedelta(days=1))
    tenant.next_hour()
    tenant.quiet()
    assert tenant.states() == ["CONFIRMED"] * 4
    accounts = {one["Id"]: one["AccountNumber"] for one in tenant.world.rows("Account")}
    filed = sorted((one["Quantity"], accounts[one["AccountId"]]) for one in tenant.world.rows("Usage"))
    before = f"stigg--{first.ref_id}"
    assert filed == [(1, before), (2, "stigg--heir"), (4, before), (8, before)]
    tenant.bill(date(2026, 5, 10))
    used = sum(one["Quantity"] for one in tenant.world.rows("InvoiceItem") if one.get("Usage"))
    assert used == 15
    assert {accounts[one["AccountId"]] for one in tenant.world.rows("Invoice")} == {"stigg--payer"}


def test_usage_that_was_on_its_way_when_another_took_over_is_filed_under_the_new_account(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 2, at=START - timedelta(days=1))
    tenant.control.add_fault("html", method="POST", path="/v1/action/create$", status=503, times=1)
    tenant.push()
    acme.paying_customer = CustomerFactory.create(ref_id="payer")
    acme.save()
    delegate(subscription=acme, to=CustomerFactory.create(ref_id="heir"), now=tenant.now)
    tenant.settle()
    tenant.quiet()
    assert tenant.states() == ["CONFIRMED"]
    assert tenant.bill(date(2026, 5, 10)) == {"stigg--s1": Decimal(2)}


def test_a_bill_run_right_after_a_new_price_bills_the_hours_before_it_at_the_old_one(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 2, at=START - timedelta(hours=5))
    tenant.quiet()
    tenant.plan.version_number = 2
    tenant.plan.save()
    price(tenant.plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    with changed(tenant, acme) as one:
        one.plan_version_number = 2
    tenant.settle()
    assert amounts(tenant, date(2026, 5, 10)) == [(Decimal(2), Decimal(2))]
