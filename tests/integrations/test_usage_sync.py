"""What a person does with usage, the last hour before an end, and that nothing goes twice."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from catalog.models import BillingModel, CancellationTime
from integrations import connecting, operating, usage_sync
from integrations.models import AuditEntry, UsageRecord, UsageState
from integrations.usage_sync import Amount, Preview, Sight
from subscriptions.cancelling import cancel
from tests.factories.catalog import addon_with_prices, price
from tests.integrations.deaths import dying
from tests.integrations.usage_world import START, UsageWorld, from_the_beginning, tenant
from usage.models import DirtyHour, Slice

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

KEY = "plan:payg/MONTHLY/RECURRING/USAGE_BASED/api-calls"


def sync_now(tenant: UsageWorld, subscription: Any) -> usage_sync.Sent:
    return usage_sync.sync_now(
        subscription=subscription, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client
    )


def test_a_preview_says_what_will_be_sent_and_changes_nothing(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 1000, at=START - timedelta(hours=3))
    tenant.use(acme, 200, at=START - timedelta(hours=2))
    tenant.use(acme, 40, at=START)
    tenant.world.calls()
    seen = usage_sync.preview(subscription=acme, now=tenant.now)
    assert seen == Preview(amounts=(Amount(KEY, "API calls", "", Decimal(1240), 3),), waits_for="")
    assert tenant.world.calls() == {}
    assert (Slice.objects.count(), DirtyHour.objects.count()) == (0, 3)
    tenant.push()
    tenant.use(acme, 5, at=START - timedelta(hours=2))
    seen = usage_sync.preview(subscription=acme, now=tenant.now)
    assert seen == Preview(amounts=(Amount(KEY, "API calls", "C-00000001", Decimal(45), 2),), waits_for="")


def test_pressing_twice_sends_nothing_twice(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - timedelta(hours=1))
    tenant.use(acme, 4)
    first, second = sync_now(tenant, acme), sync_now(tenant, acme)
    assert [(one.external_key[-16:], one.wanted, one.state) for one in first.records] == [
        ("20260310t110000z", Decimal(3), UsageState.CONFIRMED),
        ("20260310t120000z", Decimal(4), UsageState.CONFIRMED),
    ]
    assert (second.records, second.left, second.problem) == ((), 0, "")
    assert tenant.quantities() == [3, 4]
    assert AuditEntry.objects.filter(action="sync usage").count() == 2


def test_what_comes_later_in_the_hour_is_added_by_the_next_run(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4)
    sync_now(tenant, acme)
    tenant.advance(minutes=20)
    tenant.use(acme, 6)
    tenant.next_hour()
    tenant.quiet()
    assert tenant.quantities() == [10]


def test_a_failed_click_says_why_and_the_sweep_goes_on(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4)
    tenant.control.add_fault("drop", method="POST", path="/v1/action/create$", times=1)
    sent = sync_now(tenant, acme)
    assert (sent.records, sent.left) == ((), 1)
    assert sent.problem.endswith("Whether Zuora did what was asked is found out before it is sent again.")
    tenant.quiet()
    assert tenant.quantities() == [4]


@pytest.mark.parametrize("fault", ["status", "drop"])
def test_a_click_names_what_an_earlier_one_had_put_into_a_call(tenant: UsageWorld, fault: str) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4)
    tenant.control.add_fault(fault, method="POST", path="/v1/action/create$", times=1)
    assert sync_now(tenant, acme).records == ()
    tenant.advance(minutes=2)
    again = sync_now(tenant, acme)
    assert ([(one.wanted, one.state) for one in again.records], again.left, again.problem) == (
        [(Decimal(4), UsageState.CONFIRMED)],
        0,
        "",
    )
    assert sync_now(tenant, acme).records == ()
    assert tenant.quantities() == [4]


def test_usage_of_a_subscription_that_is_not_there_waits_and_says_for_what(tenant: UsageWorld) -> None:
    acme = tenant.sell(customer__payment_method_id="")
    tenant.use(acme, 4, at=START - timedelta(hours=1))
    reason = (
        "Usage waits for the subscription, which is not in Zuora yet. Waits for customer customer-0, which will not be "
        "synced: There is no payment method: attach one that Zuora holds."
    )
    assert usage_sync.preview(subscription=acme, now=tenant.now) == Preview(
        amounts=(Amount(KEY, "API calls", "", Decimal(4), 1),), waits_for=reason
    )
    with pytest.raises(operating.Impossible, match=reason):
        sync_now(tenant, acme)


OFF = "Subscription sync is off: switch it on at Settings > Integrations > Apps > Zuora."


@pytest.mark.parametrize(
    ("linked", "reason"),
    [
        (False, f"The subscription will not be synced, so its usage is not sent. {OFF}"),
        (True, f"Its sync has stopped. {OFF} Decide on its page what becomes of it in Zuora."),
    ],
)
def test_a_subscription_that_a_rule_keeps_out_names_the_rule(tenant: UsageWorld, linked: bool, reason: str) -> None:
    acme = tenant.sell(sync=linked)
    tenant.use(acme, 4, at=START - timedelta(hours=1))
    tenant.world.connection.sync_subscriptions = False
    tenant.world.connection.save()
    acme.save()
    tenant.settle()
    assert [rule["text"] for rule in tenant.world.record("subscription:s1").trace if not rule["passed"]] == [OFF]
    assert usage_sync.preview(subscription=acme, now=tenant.now).waits_for == reason
    with pytest.raises(operating.Impossible) as answer:
        sync_now(tenant, acme)
    assert str(answer.value) == reason


def test_a_page_sees_how_far_each_slice_has_come(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - timedelta(hours=3))
    tenant.use(acme, 4, at=START - timedelta(hours=2))
    tenant.quiet()
    UsageRecord.objects.filter(wanted=4).update(state=UsageState.FAILED)
    tenant.use(acme, 5, at=START - timedelta(hours=1))
    tenant.close()
    [charge] = usage_sync.usage_of_period(subscription=acme, connection=tenant.world.connection, moment=tenant.now)
    assert (charge.key, charge.unit, charge.number, charge.quantity) == (KEY, "API calls", "C-00000001", Decimal(12))
    assert [part.sight for part in charge.parts] == [Sight.SYNCED, Sight.FAILED, Sight.PENDING]
    failed = UsageRecord.objects.get(state=UsageState.FAILED)
    assert usage_sync.retry(records=[failed.pk], actor=None, now=tenant.now) == 1
    tenant.quiet()
    assert tenant.quantities() == [3, 4, 5]


def test_the_last_hour_is_sent_before_the_order_that_cancels(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - timedelta(days=1))
    tenant.use(acme, 4, at=START - timedelta(hours=2))
    tenant.quiet()
    tenant.advance(minutes=25)
    tenant.use(acme, 5)
    tenant.advance(minutes=5)
    tenant.control.clear_log()
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.settle()
    paths = [one.template for one in tenant.control.requests("POST") if one.template != "/oauth/token"]
    assert paths == ["/v1/action/create", "/v1/action/update", "/v1/orders"]
    assert tenant.rows() == [
        ("s1--plan--payg--api-calls--20260309t120000z", Decimal(3), "2026-03-09T12:00:00.000+00:00"),
        ("s1--plan--payg--api-calls--20260310t100000z", Decimal(4), "2026-03-09T23:59:59.000+00:00"),
        ("s1--plan--payg--api-calls--20260310t120000z", Decimal(5), "2026-03-09T23:59:59.000+00:00"),
    ]
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 30)) == {"stigg--s1": 12}


def test_usage_that_is_reported_after_the_cancellation_is_billed_too(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.advance(minutes=30)
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.settle()
    tenant.use(acme, 7, at=START + timedelta(minutes=29))
    tenant.use(acme, 100, at=START + timedelta(minutes=31))
    tenant.next_hour()
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 30)) == {"stigg--s1": 7}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Auckland"])
def test_every_unit_is_billed_in_whichever_zone_the_bills_are_made(tenant: UsageWorld, zone: str) -> None:
    tenant.world.connection.time_zone = zone
    tenant.world.connection.save()
    tenant.control.set_switches(time_zone=zone)
    acme = tenant.sell(start_date=START - timedelta(hours=40))
    for hour in range(40):
        tenant.use(acme, 1, at=START - timedelta(hours=40 - hour))
    tenant.quiet()
    tenant.advance(minutes=30)
    tenant.use(acme, 1)
    tenant.advance(minutes=1)
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.settle()
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 30)) == {"stigg--s1": 41}
    days = {datetime.fromisoformat(when).astimezone(ZoneInfo(zone)).date() for _, _, when in tenant.rows()}
    assert max(days) < tenant.now.astimezone(ZoneInfo(zone)).date()


def test_usage_of_an_add_on_is_billed_up_to_the_day_on_which_it_goes(tenant: UsageWorld) -> None:
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 2})
    acme = tenant.sell()
    held = acme.addons.create(addon=addon)
    tenant.settle()
    tenant.next_hour()
    tenant.use(acme, 5, at=START + timedelta(minutes=30))
    tenant.quiet()
    tenant.advance(days=1)
    tenant.use(acme, 7, at=tenant.now - timedelta(hours=2))
    tenant.quiet()
    held.delete()
    tenant.settle()
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 30)) == {"stigg--s1": 24}


def test_a_subscription_that_ends_on_its_first_day_is_told_to_a_person(tenant: UsageWorld) -> None:
    acme = tenant.sell(start_date=START - timedelta(hours=2))
    tenant.use(acme, 5, at=START - timedelta(hours=1))
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.settle()
    tenant.quiet()
    assert UsageRecord.objects.get().reason == (
        "Zuora ends the subscription on the day on which it began, and so bills none of its usage."
    )


def test_removing_the_integration_sends_the_running_hour_first(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 5)
    connection = tenant.world.connection
    connecting.remove(connection=connection, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client)
    assert tenant.quantities() == [5]
    assert AuditEntry.objects.get(action="remove").detail == {"cancelled": 0, "usage_not_sent": 0}


@pytest.mark.parametrize("with_answer", [False, True])
def test_wherever_a_removal_dies_the_next_one_sends_nothing_twice(
    tenant: UsageWorld, with_answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies at its first step, at its second, and so on, until it comes to its end."""
    acme = tenant.sell()
    tenant.use(acme, 5, at=START - timedelta(hours=1))
    tenant.quiet()
    tenant.use(acme, 6, at=START - timedelta(hours=1))  # changes a record that Zuora has
    tenant.use(acme, 7, at=tenant.now)  # makes a new one
    deaths, has_ended = 0, False
    while not has_ended:
        with from_the_beginning(tenant):
            tenant.advance(minutes=30)
            monkeypatch.setattr(connecting, "worker_name", lambda: "elsewhere:1:dead")
            with dying(at=deaths + 1, with_answer=with_answer):
                remove(tenant)
                has_ended = True
            monkeypatch.undo()
            if not has_ended:
                deaths += 1
                tenant.advance(minutes=20)
                remove(tenant)
            assert (deaths, tenant.quantities()) == (deaths, [11, 7])
            assert UsageRecord.objects.pending().count() == 0
            assert AuditEntry.objects.get(action="remove").detail == {"cancelled": 0, "usage_not_sent": 0}
    assert deaths > (2 if with_answer else 20)


def remove(tenant: UsageWorld) -> None:
    connection = tenant.world.connection
    connection.refresh_from_db()
    connecting.remove(connection=connection, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client)


def test_a_dead_tenant_can_be_removed_and_the_audit_says_what_was_not_sent(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 5, at=START - timedelta(hours=1))
    tenant.push()
    tenant.use(acme, 6)
    tenant.control.add_fault("reset")
    connection = tenant.world.connection
    connecting.remove(connection=connection, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client)
    connection.refresh_from_db()
    assert connection.removed_at == tenant.now
    assert AuditEntry.objects.get(action="remove").detail == {"cancelled": 0, "usage_not_sent": 1}
    assert datetime(2026, 3, 10, tzinfo=UTC) < tenant.now
