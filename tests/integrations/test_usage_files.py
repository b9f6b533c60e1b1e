"""The file road: one file, one import, and every slice once, whatever happens on the way."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis

from integrations import usage_delivery
from integrations.models import BatchState, UsageAction, UsageBatch, UsageCharge, UsageRecord, UsageState
from integrations.zuora.limits import Sightings
from integrations.zuora.push import usage as push
from subscriptions.models import Subscription
from tests.integrations.conftest import REST_URL
from tests.integrations.deaths import KilledError, dying
from tests.integrations.test_unknown_outcomes import LOST
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

UPLOAD, STATUS = "/v1/usage$", "/status$"
SENT, ASKED = "POST /v1/usage", "GET /v1/usage/{id}/status"
READ_BACK, BY_ACTIONS = "POST /v1/action/query", "POST /v1/action/create"
COUNT = 8


@pytest.fixture(autouse=True)
def _by_file(settings: Any) -> None:
    """Files from five records on."""
    settings.ZUORA_USAGE_FILE_DATES = "MM/DD/YYYY"
    settings.ZUORA_USAGE_FILE_LEAST = 5
    settings.ZUORA_USAGE_FILE_ALWAYS = True


def used(tenant: UsageWorld, hours: int = COUNT) -> Subscription:
    """Sell a subscription and use 1, 2, 3, ... in the last hours, the last hour most."""
    acme = tenant.sell()
    for hour in range(hours):
        tenant.use(acme, hour + 1, at=START - timedelta(hours=hours - hour))
    tenant.world.calls()
    return acme


def sorted_quantities(tenant: UsageWorld) -> list[int]:
    return sorted(int(one["Quantity"]) for one in tenant.world.rows("Usage"))


def calls(tenant: UsageWorld) -> dict[str, int]:
    """Return how often each endpoint was called, without the reading of the subscriptions' numbers."""
    numbers = ("GET /object-query", "GET /v1/subscriptions")
    return {name: n for name, n in tenant.world.calls().items() if not name.startswith(numbers)}


def once(tenant: UsageWorld, hours: int = COUNT) -> bool:
    """Whether every slice is there once, and known to be."""
    right = list(range(1, hours + 1))
    return sorted_quantities(tenant) == right and tenant.states() == [UsageState.CONFIRMED] * hours


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


def test_what_a_push_had_planned_when_it_died_goes_by_actions_a_minute_later(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> list[int]:
        raise KilledError

    used(tenant)
    calls(tenant)
    with monkeypatch.context() as patched:
        patched.setattr(usage_delivery, "_formed", dies)
        with pytest.raises(KilledError):
            tenant.push()
    states = tenant.states()
    assert set(states) == {UsageState.PLANNED}
    tenant.advance(seconds=59)
    tenant.sweep()
    assert (calls(tenant).get(BY_ACTIONS), tenant.states()) == (None, states)
    tenant.advance(seconds=2)
    tenant.sweep()
    assert calls(tenant) == {BY_ACTIONS: 1, READ_BACK: 1}
    assert once(tenant)


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


def test_a_file_that_is_refused_goes_by_actions(tenant: UsageWorld) -> None:
    used(tenant)
    tenant.control.add_fault("lock", method="POST", path=UPLOAD, times=1)
    tenant.quiet()
    assert calls(tenant) == {SENT: 1, BY_ACTIONS: 1, READ_BACK: 1}
    assert once(tenant)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("path", [UPLOAD, STATUS])
def test_whatever_becomes_of_an_answer_each_slice_has_one_record(tenant: UsageWorld, lost: str, path: str) -> None:
    fault, members = LOST[lost]
    used(tenant)
    method = "GET" if path == STATUS else "POST"
    tenant.control.add_fault(fault, method=method, path=path, times=2, **members)
    tenant.control.set_switches(job_seconds=40)
    tenant.quiet()
    assert once(tenant)


@pytest.mark.parametrize("fault", ["reset", "drop"])
def test_while_nobody_knows_the_same_key_and_bytes_go_out(tenant: UsageWorld, fault: str) -> None:
    used(tenant)
    tenant.control.add_fault(fault, method="POST", path=UPLOAD, times=1)
    tenant.control.set_switches(job_seconds=600)
    tenant.quiet()
    uploads = [(one.idempotency_key, one.raw_body) for one in tenant.control.requests("POST", "/v1/usage")]
    assert len(uploads) == 2
    assert uploads[0] == uploads[1]
    assert once(tenant)


@pytest.mark.parametrize("fault", ["reset", "drop"])
def test_a_file_nobody_can_ask_for_is_looked_up_when_its_import_must_have_ended(tenant: UsageWorld, fault: str) -> None:
    tenant.control.set_switches(job_seconds=3600)
    used(tenant)
    tenant.control.add_fault(fault, method="POST", path=UPLOAD, times=1)
    tenant.push()
    tenant.advance(hours=25)
    tenant.sweep()
    batch = UsageBatch.objects.get()
    assert (batch.state, batch.not_before - tenant.now) == (BatchState.LOOK_UP, timedelta(hours=6))
    tenant.world.calls()
    tenant.quiet()
    looked_up = {READ_BACK: 1} if fault == "drop" else {READ_BACK: 2, BY_ACTIONS: 1}
    assert calls(tenant) == looked_up
    assert once(tenant)


@pytest.mark.parametrize(("with_answer", "at"), [(False, at) for at in range(1, 15)] + [(True, at) for at in (1, 2, 3)])
def test_a_worker_that_dies_at_any_step_leaves_every_slice_once(tenant: UsageWorld, at: int, with_answer: bool) -> None:
    used(tenant)
    tenant.control.set_switches(job_seconds=20)
    with dying(at=at, with_answer=with_answer):
        tenant.push(worker="elsewhere:1:dead")
        tenant.advance(seconds=45)
        tenant.sweep(worker="elsewhere:1:dead")
    tenant.advance(minutes=20)
    tenant.quiet()
    assert once(tenant)


def test_an_imported_row_that_is_never_shown_goes_to_a_person_and_never_out_again(tenant: UsageWorld) -> None:
    acme = used(tenant)
    tenant.push()
    assert UsageBatch.objects.get().action == UsageAction.FILE
    store = tenant.world.app.tenant.store
    tenant.world.client.usage_import_status(UsageBatch.objects.get().import_id)
    [lost] = [one for one in tenant.world.rows("Usage") if one["Quantity"] == COUNT]
    store.delete("Usage", lost["Id"])
    tenant.quiet()
    record = UsageRecord.objects.get(state=UsageState.FAILED)
    assert (record.reason, record.cure) == (
        "Zuora imported the file with this usage and does not show it.",
        f"Look for {record.external_key} in Zuora's usage; when it is not there, retry to make it anew.",
    )
    tenant.use(acme, 100, at=START - timedelta(minutes=30))
    tenant.quiet()
    assert sorted_quantities(tenant) == [1, 2, 3, 4, 5, 6, 7]
    assert UsageRecord.objects.get(state=UsageState.FAILED) == record


def test_a_file_is_cut_where_zuora_takes_no_more(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.zuora.push.usage.files.LARGEST_FILE", 700)
    used(tenant)
    tenant.quiet()
    sizes = [len(one.raw_body) for one in tenant.control.requests("POST", "/v1/usage")]
    assert len(sizes) > 1
    assert once(tenant)
