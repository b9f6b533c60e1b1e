"""The file road: one file, one import, one reading; and what goes by actions all the same."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis

from integrations import usage_delivery
from integrations.models import UsageBatch, UsageCharge, UsageRecord, UsageState
from integrations.zuora.limits import Sightings
from integrations.zuora.push import usage as push
from subscriptions.models import Subscription
from tests.integrations.conftest import REST_URL
from tests.integrations.usage_by_file import (
    ASKED,
    BY_ACTIONS,
    COUNT,
    READ_BACK,
    SENT,
    by_file,
    calls,
    once,
    sorted_quantities,
    used,
)
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["by_file", "tenant"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("by_file")]


def test_a_large_push_is_one_file_its_import_and_one_reading(tenant: UsageWorld) -> None:
    tenant.control.set_switches(job_seconds=45)
    used(tenant, hours=120)
    tenant.quiet()
    assert calls(tenant) == {SENT: 1, ASKED: 2, READ_BACK: 1}
    assert tenant.states() == [UsageState.CONFIRMED] * 120
    # A file tells the day, and the day is what is billed by.
    assert tenant.rows() == [
        (
            f"s1--plan--payg--api-calls--{at:%Y%m%dt%H%M%Sz}",
            Decimal(hour + 1),
            f"{at:%Y-%m-%d}T00:00:00.000+00:00",
        )
        for hour, at in enumerate(START - timedelta(hours=120 - hour) for hour in range(120))
    ]
    assert tenant.bill((START + timedelta(days=60)).date()) == {"stigg--s1": sum(range(1, 121))}


def test_the_days_are_the_tenants_and_written_as_its_user_reads_them(tenant: UsageWorld, settings: Any) -> None:
    settings.ZUORA_USAGE_FILE_DATES = "DD/MM/YYYY"
    tenant.control.set_switches(locale="en_GB", time_zone="Pacific/Auckland")
    tenant.world.connection.time_zone = "Pacific/Auckland"
    tenant.world.connection.save()
    used(tenant, hours=5)  # 20:00 on the 10th to 01:00 on the 11th over there
    tenant.quiet()
    days = [moment for _, _, moment in tenant.rows()]
    assert days == ["2026-03-10T00:00:00.000+13:00"] * 4 + ["2026-03-11T00:00:00.000+13:00"]
    assert calls(tenant) == {SENT: 1, ASKED: 1, READ_BACK: 1}


def test_dates_that_were_read_the_wrong_way_round_are_set_right(tenant: UsageWorld) -> None:
    tenant.control.set_switches(locale="en_GB")  # and the setting says American
    used(tenant)
    tenant.quiet()
    assert {moment for _, _, moment in tenant.rows()} == {"2026-03-10T00:00:00.000+00:00"}
    assert once(tenant)


def test_late_usage_of_a_record_from_a_file_is_an_update(tenant: UsageWorld) -> None:
    acme = used(tenant)
    tenant.quiet()
    tenant.world.calls()
    tenant.use(acme, 100, at=START - timedelta(minutes=30))
    tenant.quiet()
    assert calls(tenant) == {"POST /v1/action/update": 1, READ_BACK: 1}
    assert sorted_quantities(tenant) == [1, 2, 3, 4, 5, 6, 7, 108]


def test_what_comes_while_the_import_runs_waits_for_it(tenant: UsageWorld) -> None:
    tenant.control.set_switches(job_seconds=600)
    acme = used(tenant)
    tenant.push()
    tenant.use(acme, 100, at=START - timedelta(minutes=30))
    tenant.push()
    assert (tenant.states(), tenant.quantities()) == ([UsageState.SENDING] * COUNT, [])
    tenant.quiet()
    assert sorted_quantities(tenant) == [1, 2, 3, 4, 5, 6, 7, 108]
    assert tenant.states() == [UsageState.CONFIRMED] * COUNT


def test_files_are_used_only_when_the_calls_of_the_day_are_scarce(tenant: UsageWorld, settings: Any) -> None:
    settings.ZUORA_USAGE_FILE_ALWAYS = False
    shared = redis.Redis.from_url(settings.REDIS_URL)
    used(tenant)
    headers = {"concurrency-limit-type": "Default", "ratelimit-limit": "10000, 2500;w=60, 10000;w=86400"}
    try:
        Sightings(shared, tenant=REST_URL).note({**headers, "ratelimit-remaining": "99"})
        tenant.quiet()
        assert calls(tenant) == {SENT: 1, ASKED: 1, READ_BACK: 1}
        Sightings(shared, tenant=REST_URL).note({**headers, "ratelimit-remaining": "100"})
        tenant.sell("s2", sync=True)
        other = Subscription.objects.get(ref_id="s2")
        for hour in range(COUNT):
            tenant.use(other, 1, at=START - timedelta(hours=hour + 1))
        tenant.world.calls()
        tenant.quiet()
        assert calls(tenant) == {BY_ACTIONS: 1, READ_BACK: 1}
    finally:
        shared.delete(f"zuora:budget:{{{REST_URL}}}:said")


def test_without_the_setting_everything_goes_by_actions(tenant: UsageWorld, settings: Any) -> None:
    settings.ZUORA_USAGE_FILE_DATES = ""
    used(tenant)
    tenant.quiet()
    assert calls(tenant) == {BY_ACTIONS: 1, READ_BACK: 1}


def test_a_bad_row_fails_the_file_and_is_named_by_its_action(tenant: UsageWorld) -> None:
    acme, other = used(tenant, hours=1), tenant.sell("s2")
    tenant.use(other, 10, at=START - timedelta(hours=2))
    tenant.quiet()  # two are too few for a file, and the charges are known
    UsageCharge.objects.filter(subscription=other).update(unit="Furlongs")
    tenant.world.calls()
    tenant.use(other, 50, at=START - timedelta(hours=1))
    for hour in range(1, COUNT):
        tenant.use(acme, hour + 1, at=START - timedelta(hours=hour + 1))
    tenant.quiet()
    assert calls(tenant) == {SENT: 1, ASKED: 1, BY_ACTIONS: 1, READ_BACK: 2}
    assert sorted_quantities(tenant) == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    [record] = UsageRecord.objects.exclude(state=UsageState.CONFIRMED)
    assert (record.wanted, record.state, record.reason) == (
        50,
        UsageState.FAILED,
        "Zuora refuses it: The unit of measure 'Furlongs' does not exist or is not active. (INVALID_VALUE)",
    )


def test_a_sweep_leaves_what_was_just_planned_to_the_file(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    formed = usage_delivery._formed

    def swept_before(*given: Any) -> list[int]:
        tenant.sweep(worker="another")
        return formed(*given)

    monkeypatch.setattr(usage_delivery, "_formed", swept_before)
    used(tenant)
    tenant.quiet()
    assert calls(tenant) == {SENT: 1, ASKED: 1, READ_BACK: 1}
    assert once(tenant)


def test_a_sweep_leaves_to_the_file_what_is_planned_while_it_looks(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = push.form

    def planned_meanwhile(**given: Any) -> list[int]:
        with monkeypatch.context() as patched:
            patched.setattr(usage_delivery, "_formed", lambda *_: [])
            tenant.push()
        return form(**given)

    used(tenant)
    monkeypatch.setattr(push, "form", planned_meanwhile)
    tenant.sweep(worker="another")
    assert (tenant.states(), UsageBatch.objects.count()) == ([UsageState.PLANNED] * COUNT, 0)


def test_what_goes_in_one_file_goes_in_one_task_however_few_subscriptions_it_is_of(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.usage_delivery.CHUNK", 1)
    sold = [used(tenant, hours=3).pk, tenant.sell("s2").pk]
    connection = tenant.world.connection
    tenant.close()
    assert list(usage_delivery.to_push(connection=connection)) == [[sold[0]]]  # three records go by Actions
    for hour in range(3):
        tenant.use(Subscription.objects.get(ref_id="s2"), 1, at=START - timedelta(hours=hour + 1))
    tenant.close()
    assert list(usage_delivery.to_push(connection=connection)) == [sold]


def test_a_file_is_cut_where_zuora_takes_no_more(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.zuora.push.usage.files.LARGEST_FILE", 700)
    used(tenant)
    tenant.quiet()
    sizes = [len(one.raw_body) for one in tenant.control.requests("POST", "/v1/usage")]
    assert len(sizes) > 1
    assert once(tenant)
