"""Every slice is in Zuora once, whatever happens to its file on the way."""

from datetime import timedelta
from typing import Any

import pytest

from integrations import usage_delivery
from integrations.models import BatchState, UsageAction, UsageBatch, UsageRecord, UsageState
from tests.integrations.deaths import KilledError, dying
from tests.integrations.test_unknown_outcomes import LOST
from tests.integrations.usage_by_file import (
    BY_ACTIONS,
    COUNT,
    READ_BACK,
    SENT,
    STATUS,
    UPLOAD,
    by_file,
    calls,
    once,
    sorted_quantities,
    used,
)
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["by_file", "tenant"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("by_file")]


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
