"""What stands in Zuora as it should, and would come on no invoice, is named; and filed under a day that is billed."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import BillingModel
from integrations import usage_reconcile
from integrations.models import SyncRecord, UsageCharge, UsageRecord, UsageState
from integrations.usage_lines import Line
from integrations.usage_sync import read_again
from integrations.zuora.body import encode
from subscriptions.models import Subscription
from tests.factories.catalog import addon_with_prices, price
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

TRIGGERS = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
MEND = "“Set right in Zuora” at Usage > Comparisons, or reconcile_usage --mend, sets it right."
RIGHTLY = f"If the charge ended rightly, file it under a day that is billed: {MEND}"
KEY = "stigg--s1--plan--payg--api-calls--20260310t100000z"

HOLDS = f"Zuora holds 3 of {KEY} on 2026-03-10 under C-00000001, and bills that charge"


@pytest.fixture
def acme(tenant: UsageWorld) -> Subscription:
    """A subscription with three units that Zuora holds on 10 March."""
    sold = tenant.sell()
    tenant.use(sold, 3, at=START - timedelta(hours=2))
    tenant.quiet()
    tenant.next_hour()
    return sold


def in_zuora(tenant: UsageWorld, kind: str, on: date, **action: object) -> None:
    """Somebody changes the subscription in Zuora, as of that day."""
    record = SyncRecord.objects.get(key="subscription:s1")
    days = [{"name": name, "triggerDate": on.isoformat()} for name in TRIGGERS]
    member = kind[0].lower() + kind[1:]
    order = {
        "orderDate": on.isoformat(),
        "existingAccountNumber": record.sent["owner"],
        "subscriptions": [
            {
                "subscriptionNumber": record.zuora_number,
                "orderActions": [{"type": kind, "triggerDates": days, member: action}],
            }
        ],
    }
    tenant.world.client.create_order(encode(order), idempotency_key=f"by-hand-{kind}-{on}")


def cancelled_in_zuora(tenant: UsageWorld, on: date) -> None:
    in_zuora(
        tenant,
        "CancelSubscription",
        on,
        cancellationPolicy="SpecificDate",
        cancellationEffectiveDate=on.isoformat(),
    )


def compared(tenant: UsageWorld) -> list[Line]:
    lines = usage_reconcile.reconcile_usage(
        connection=tenant.world.connection, client=tenant.world.client, now=tenant.now
    )
    return [line for line in lines if line.differences]


def mend(tenant: UsageWorld) -> None:
    records = [pk for line in compared(tenant) for pk in line.changed_there]
    read_again(records=records, actor=None, now=tenant.now)
    tenant.quiet()


@pytest.mark.usefixtures("acme")
def test_what_stands_under_a_cancelled_subscription_is_named_and_filed_where_it_is_billed(tenant: UsageWorld) -> None:
    cancelled_in_zuora(tenant, date(2026, 3, 9))
    [line] = compared(tenant)
    assert list(line.differences) == [
        f"{HOLDS} from 2026-01-29 to 2026-03-08: it comes on no invoice. {RIGHTLY}",
    ]
    mend(tenant)
    assert compared(tenant) == []
    assert tenant.rows() == [(KEY.removeprefix("stigg--"), Decimal(3), "2026-03-08T23:59:59.000+00:00")]
    assert tenant.bill(date(2026, 5, 1)) == {"stigg--s1": Decimal(3)}


@pytest.mark.usefixtures("acme")
def test_what_zuora_will_bill_or_has_billed_is_no_difference(tenant: UsageWorld) -> None:
    tenant.bill(date(2026, 4, 1))
    cancelled_in_zuora(tenant, date(2026, 3, 30))
    assert compared(tenant) == []
    store = tenant.world.app.tenant.store
    store.change("Usage", tenant.world.rows("Usage")[0], RbeStatus="Pending")
    assert compared(tenant) == []


def test_what_stands_under_an_add_on_that_was_removed_in_zuora_is_named(tenant: UsageWorld) -> None:
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    acme = tenant.sell(sync=False)
    acme.addons.create(addon=addon)
    tenant.settle()
    tenant.use(acme, 3, at=START - timedelta(hours=2))
    tenant.quiet()
    tenant.next_hour()
    number = next(one["number"] for one in _rate_plans(tenant) if one["name"] == "addon")
    in_zuora(tenant, "RemoveProduct", date(2026, 3, 10), ratePlanId=number)
    [line] = compared(tenant)
    assert line.charge.startswith("addon:extra")
    assert len(line.differences) == 1
    assert "to 2026-03-09: it comes on no invoice." in line.differences[0]
    mend(tenant)
    assert compared(tenant) == []
    assert tenant.bill(date(2026, 5, 10)) == {"stigg--s1": Decimal(6)}


def _rate_plans(tenant: UsageWorld) -> list[dict[str, str]]:
    answer = tenant.world.client.get_subscription("stigg--s1")
    return [
        {"number": plan["id"], "name": "addon" if "extra" in plan["productSku"] else "plan"}
        for plan in answer["ratePlans"]
    ]


@pytest.mark.usefixtures("acme")
def test_what_zuora_bills_on_no_day_is_left_to_a_person(tenant: UsageWorld) -> None:
    cancelled_in_zuora(tenant, date(2026, 1, 29))
    [line] = compared(tenant)
    assert "and bills that charge on no day: it comes on no invoice." in line.differences[0]
    mend(tenant)
    assert tenant.states() == [UsageState.FAILED]
    [line] = compared(tenant)
    never = "Zuora bills the charge C-00000001 on no day, and so none of its usage."
    cure = "Bill it by hand, or have the charge run for a day at least."
    assert list(line.differences) == [f"{HOLDS} on no day: it comes on no invoice. {never} {cure}"]


@pytest.mark.usefixtures("acme")
def test_a_charge_that_zuora_shows_no_more_is_billed_up_to_the_day_on_which_we_ended_it(tenant: UsageWorld) -> None:
    store = tenant.world.app.tenant.store
    store.change("Usage", tenant.world.rows("Usage")[0], ChargeNumber="C-00000009")
    UsageRecord.objects.update(charge_number="C-00000009")
    UsageCharge.objects.update(number="C-00000009", ends_on=date(2026, 3, 11))
    assert compared(tenant) == []
    UsageCharge.objects.update(ends_on=date(2026, 3, 10))
    [line] = compared(tenant)
    assert "and bills that charge from 2026-01-29 to 2026-03-09: it comes on no invoice." in line.differences[0]
    UsageCharge.objects.update(ends_on=None)
    [line] = compared(tenant)
    assert "and bills that charge on no day: it comes on no invoice." in line.differences[0]


@pytest.mark.usefixtures("acme")
def test_usage_that_is_confirmed_for_the_first_time_costs_no_call_for_its_charge(tenant: UsageWorld) -> None:
    tenant.use(Subscription.objects.get(), 4, at=START - timedelta(hours=2))
    tenant.world.calls()
    tenant.quiet()
    assert tenant.states() == [UsageState.CONFIRMED]
    assert tenant.world.calls() == {"POST /v1/action/update": 1, "POST /v1/action/query": 1}
