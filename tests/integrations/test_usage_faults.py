"""Answers that are lost, late, wrong or partly wrong: every slice has one record in the tenant, and it is right."""

from datetime import timedelta
from typing import Any

import pytest

from integrations.models import BatchState, UsageBatch, UsageRecord, UsageState
from integrations.zuora.push import usage as push
from tests.integrations.test_unknown_outcomes import LOST
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db

CREATE, UPDATE, QUERY = "/v1/action/create$", "/v1/action/update$", "/v1/action/query$"


def used(tenant: UsageWorld, hours: int = 3) -> Any:
    """Sell a subscription and use 1, 2, 3, ... in the last hours, the last hour most."""
    acme = tenant.sell()
    for hour in range(hours):
        tenant.use(acme, hour + 1, at=START - timedelta(hours=hours - hour))
    return acme


def sent_bodies(tenant: UsageWorld) -> list[tuple[str, bytes]]:
    return [
        (one.idempotency_key, one.raw_body) for one in tenant.control.requests("POST") if one.path.endswith("create")
    ]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("times", [1, 3])
def test_whatever_becomes_of_the_answer_each_slice_has_one_record(tenant: UsageWorld, lost: str, times: int) -> None:
    fault, members = LOST[lost]
    used(tenant)
    tenant.control.add_fault(fault, method="POST", path=CREATE, times=times, **members)
    tenant.quiet()
    assert tenant.quantities() == [1, 2, 3]
    assert tenant.states() == [UsageState.CONFIRMED] * 3


@pytest.mark.parametrize("lost", LOST)
def test_whatever_becomes_of_an_update_the_record_is_right(tenant: UsageWorld, lost: str) -> None:
    fault, members = LOST[lost]
    acme = used(tenant)
    tenant.quiet()
    tenant.use(acme, 10, at=START - timedelta(minutes=90))
    tenant.control.add_fault(fault, method="POST", path=UPDATE, times=1, **members)
    tenant.quiet()
    assert tenant.quantities() == [1, 12, 3]
    assert tenant.states() == [UsageState.CONFIRMED] * 3


@pytest.mark.parametrize("lost", LOST)
def test_whatever_becomes_of_the_read_back_it_is_read_again(tenant: UsageWorld, lost: str) -> None:
    fault, members = LOST[lost]
    used(tenant)
    tenant.control.add_fault(fault, method="POST", path=QUERY, times=2, **members)
    tenant.quiet()
    assert tenant.quantities() == [1, 2, 3]
    assert tenant.states() == [UsageState.CONFIRMED] * 3


@pytest.mark.parametrize("fault", ["reset", "drop"])
def test_while_nobody_knows_the_same_key_and_bytes_go_out(tenant: UsageWorld, fault: str) -> None:
    acme = used(tenant)
    tenant.control.add_fault(fault, method="POST", path=CREATE, times=1)
    tenant.push()
    assert tenant.states() == [UsageState.UNKNOWN] * 3
    tenant.use(acme, 100, at=START - timedelta(minutes=30))  # comes while nobody knows, and must wait
    tenant.quiet()
    first, second = sent_bodies(tenant)
    assert first == second
    assert tenant.quantities() == [1, 2, 103]


@pytest.mark.parametrize("fault", ["reset", "drop"])
def test_a_day_later_it_is_looked_up_before_anything_is_sent(tenant: UsageWorld, fault: str) -> None:
    used(tenant)
    tenant.control.add_fault(fault, method="POST", path=CREATE, times=1)
    tenant.push()
    tenant.advance(hours=25)
    tenant.control.clear_log()
    tenant.quiet()
    assert tenant.quantities() == [1, 2, 3]
    calls = [one.path.rpartition("/")[2] for one in tenant.control.requests("POST") if one.path != "/oauth/token"]
    assert calls == (["query", "create", "query"] if fault == "reset" else ["query", "query"])


def test_a_replayed_failure_is_looked_up_and_goes_again_under_a_new_key(tenant: UsageWorld) -> None:
    used(tenant)
    tenant.control.add_fault("drop", method="POST", path=CREATE, times=1)
    tenant.control.add_fault("status", method="POST", path=CREATE, status=500, times=1)
    tenant.quiet()
    keys = [key for key, _ in sent_bodies(tenant)]
    assert keys[0] == keys[1] != keys[2]
    assert tenant.quantities() == [1, 2, 3]


def test_only_the_refused_ones_of_a_call_go_again(tenant: UsageWorld) -> None:
    used(tenant)
    other = tenant.sell("s2")
    tenant.use(other, 50, at=START - timedelta(hours=1))
    tenant.control.add_fault("limit", method="POST", path=CREATE, seconds=1, times=1)
    tenant.push()  # numbers are read, records planned
    UsageRecord.objects.filter(wanted=50).update(charge_number="C-99999999")
    tenant.advance(seconds=90)
    batches = push.form(connection=tenant.world.connection, now=tenant.now)
    assert [len(one.record_ids) for one in UsageBatch.objects.filter(pk__in=batches)] == [4]
    tenant.control.clear_log()
    tenant.quiet()
    assert tenant.quantities() == [1, 2, 3, 50]
    assert [len(one.body["objects"]) for one in tenant.control.requests("POST", "/v1/action/create")] == [4, 1]


def test_a_refusal_for_good_is_told_to_a_person_and_holds_up_nobody(tenant: UsageWorld) -> None:
    used(tenant)
    store = tenant.world.app.tenant.store
    unit = store.find("UnitOfMeasure", "UomName", "API calls")
    assert unit is not None
    store.change("UnitOfMeasure", unit, Active=False)
    tenant.quiet()
    assert tenant.quantities() == []
    failed = UsageRecord.objects.filter(state=UsageState.FAILED)
    assert {(one.reason, one.cure) for one in failed} == {
        (
            "Zuora refuses it: The unit of measure 'API calls' does not exist or is not active. (INVALID_VALUE)",
            "Create or activate the unit in Zuora at Billing Settings > Units of Measure, then retry.",
        )
    }


def test_a_deleted_record_is_told_to_a_person(tenant: UsageWorld) -> None:
    acme = used(tenant)
    tenant.quiet()
    row = tenant.world.rows("Usage")[0]
    tenant.world.app.tenant.store.delete("Usage", row["Id"])
    tenant.use(acme, 10, at=START - timedelta(hours=3))
    tenant.quiet()
    record = UsageRecord.objects.get(state=UsageState.FAILED)
    assert (record.reason, record.zuora_id) == (f"The usage record {row['Id']} is no longer in Zuora.", "")


def test_two_records_with_one_key_are_told_to_a_person(tenant: UsageWorld) -> None:
    used(tenant, hours=1)
    tenant.control.add_fault("drop", method="POST", path=CREATE, times=1)
    tenant.push()
    store = tenant.world.app.tenant.store
    [row] = tenant.world.rows("Usage")
    store.put("Usage", {**row, "Id": "f" * 32})
    tenant.advance(hours=25)
    tenant.quiet()
    assert UsageRecord.objects.get().reason == (
        f"Zuora holds several usage records with the key stigg--s1--plan--payg--api-calls--20260310t110000z: "
        f"{row['Id']}, {'f' * 32}."
    )


def test_a_worker_that_dies_leaves_a_batch_that_is_found_out(tenant: UsageWorld, monkeypatch: Any) -> None:
    used(tenant)
    tenant.control.add_fault("drop", method="POST", path=CREATE, times=1)
    with monkeypatch.context() as patch:
        sending = "integrations.zuora.push.usage.sending"
        patch.setattr(f"{sending}.put_off", _die)
        patch.setattr(f"{sending}.leave", lambda *_args, **_named: None)  # the dead write nothing
        with pytest.raises(_KilledError):
            tenant.push(worker="elsewhere:1:dead")
    tenant.sweep()
    assert UsageBatch.objects.get().state == BatchState.SENDING
    tenant.advance(minutes=20)
    tenant.quiet()
    assert tenant.quantities() == [1, 2, 3]
    assert tenant.states() == [UsageState.CONFIRMED] * 3


class _KilledError(BaseException):
    """The process ends here."""


def _die(*_args: Any, **_named: Any) -> None:
    raise _KilledError


def test_somebody_elses_change_in_the_tenant_is_set_right(tenant: UsageWorld) -> None:
    used(tenant)
    tenant.push()
    store = tenant.world.app.tenant.store
    row = tenant.world.rows("Usage")[0]
    store.change("Usage", row, Quantity=99)
    tenant.quiet()
    assert tenant.quantities() == [1, 2, 3]


def test_a_tenant_that_is_down_gets_one_probe_and_then_everything(tenant: UsageWorld) -> None:
    used(tenant, hours=120)
    tenant.control.add_fault("status", method="POST", path=CREATE, status=503, times=2)
    tenant.control.add_fault("html", method="POST", path=CREATE, status=503, times=2)
    tenant.control.clear_log()
    tenant.push()
    tenant.push()
    assert len(tenant.control.requests("POST", "/v1/action/create")) <= 3
    tenant.quiet()
    assert len(tenant.quantities()) == 120
