"""What is kept of a comparison, and that a person has one made at a time."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from kombu.exceptions import OperationalError

from integrations import operating, operations, tasks, usage_comparing, usage_reconcile
from integrations.bulk import KINDS, mending
from integrations.models import AuditEntry, Connection, Operation, UsageDifference, UsageReconciliation, UsageRecord
from tests.browser.scene import people
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int]]:
    """Return the arguments of the tasks that were rung for; none runs."""
    calls: list[tuple[int]] = []
    monkeypatch.setattr(tasks.usage_compare, "apply_async", lambda args, **_: calls.append(args))
    return calls


def compare(tenant: UsageWorld, kept: UsageReconciliation) -> UsageReconciliation:
    usage_reconcile.carry_out(kept, clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    return kept


def use_and_lose(tenant: UsageWorld) -> None:
    """Let Zuora hold less than was used."""
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - timedelta(hours=1))
    tenant.quiet()
    [row] = tenant.world.rows("Usage")
    store = tenant.world.app.tenant.store
    store.put("Usage", {**row, "Quantity": 3})


def test_the_night_keeps_what_differs(tenant: UsageWorld) -> None:
    use_and_lose(tenant)
    kept = usage_reconcile.reconcile_and_keep(clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    assert kept is not None
    assert (kept.compared, kept.differing, kept.error, kept.asked_by) == (2, 1, "", "")
    assert (kept.finished_at, kept.proves) == (tenant.now, False)
    key = UsageRecord.objects.get().external_key
    assert [one.line["differences"] for one in kept.differences.all()] == [
        [
            (
                f"Zuora holds 3 of {key}, 4 is right. Somebody changed it there: “Set right in Zuora” at Usage > "
                "Comparisons, or reconcile_usage --mend, sets it right."
            ),
            "Slices say 4, moved 0, but Zuora says 3.",
        ]
    ]


def test_a_tenant_that_does_not_answer_proves_nothing(tenant: UsageWorld) -> None:
    use_and_lose(tenant)
    tenant.control.add_fault("reset", path="/v1/action/query")
    kept = usage_reconcile.reconcile_and_keep(clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    assert kept is not None
    assert "rest.test.zuora.com" in kept.error
    assert (kept.finished_at, kept.differing, kept.proves) == (tenant.now, 0, False)


def test_a_click_is_carried_out_by_a_worker_once(tenant: UsageWorld, rung: list[tuple[int]]) -> None:
    use_and_lose(tenant)
    asked = usage_comparing.compare_now(actor=people()["Operator"], now=tenant.now)
    assert rung == [(asked.pk,)]
    assert (asked.asked_by, asked.is_running(now=tenant.now)) == ("operator", True)
    compare(tenant, asked)
    compare(tenant, asked)  # the message came twice
    assert UsageDifference.objects.count() == 1
    assert AuditEntry.objects.get(action="compare usage").actor_name == "operator"


def test_what_broke_off_is_carried_out_from_the_beginning(tenant: UsageWorld) -> None:
    use_and_lose(tenant)
    broken = UsageReconciliation.objects.create(at=tenant.now, seen_at=tenant.now)
    UsageDifference.objects.create(reconciliation=broken, line={})
    broken.mark_seen(compared=200, differing=1, now=tenant.now)
    compare(tenant, broken)
    assert (broken.finished_at, broken.compared) == (None, 200)  # somebody is at it
    tenant.advance(minutes=5)
    assert not broken.is_running(now=tenant.now)
    compare(tenant, broken)
    assert (broken.compared, broken.differing, broken.differences.count()) == (2, 1, 1)


def test_only_one_comparison_is_under_way(tenant: UsageWorld, rung: list[tuple[int]]) -> None:
    actor = people()["Operator"]
    usage_comparing.compare_now(actor=actor, now=tenant.now)
    with pytest.raises(operating.Impossible, match="under way already"):
        usage_comparing.compare_now(actor=actor, now=tenant.now)
    assert len(rung) == 1
    usage_comparing.compare_now(actor=actor, now=tenant.now + timedelta(minutes=5))  # the first one died
    assert len(rung) == 2


def test_without_a_tenant_or_a_broker_it_says_so(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = people()["Operator"]

    def away(*_args: Any, **_options: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.usage_compare, "apply_async", away)
    with pytest.raises(operating.Impossible, match="broker does not answer"):
        usage_comparing.compare_now(actor=actor, now=tenant.now)
    kept = UsageReconciliation.objects.get()
    assert (kept.finished_at, kept.proves) == (tenant.now, False)
    Connection.objects.update(removed_at=tenant.now)
    with pytest.raises(operating.Impossible, match="not connected"), transaction.atomic():
        usage_comparing.compare_now(actor=actor, now=tenant.now)


def _mended(tenant: UsageWorld) -> Operation:
    """Compare, and have set right what somebody changed, by worker and sweep; return the work that did it."""
    kept = usage_reconcile.reconcile_and_keep(clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    assert kept is not None
    operation = usage_comparing.mend(report=kept, actor=people()["Operator"], now=tenant.now)
    for _ in range(3):
        operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=tenant.world.clock, seconds=0)
        tenant.quiet()
        tenant.advance(minutes=1)
    operation.refresh_from_db()
    return operation


def test_what_somebody_changed_in_zuora_is_set_right_and_told(tenant: UsageWorld) -> None:
    use_and_lose(tenant)
    done = _mended(tenant)
    record = UsageRecord.objects.get()
    assert (done.title, done.state, done.total, done.done, done.failed, done.tally) == (
        "Set 1 usage record right in Zuora", "DONE", 1, 1, 0, {mending.RIGHT: 1},
    )  # fmt: skip
    [line] = done.lines.all()
    assert (line.key, line.detail) == (record.external_key, {"usage_record": record.pk})
    assert [row["Quantity"] for row in tenant.world.rows("Usage")] == [4]
    assert AuditEntry.objects.get(action="mend usage").actor_name == "operator"


def test_what_somebody_deleted_in_zuora_fails_with_what_to_do(tenant: UsageWorld) -> None:
    use_and_lose(tenant)
    [row] = tenant.world.rows("Usage")
    tenant.world.app.tenant.store.delete("Usage", row["Id"])
    done = _mended(tenant)
    [line] = done.lines.all()
    assert (done.state, done.failed, line.outcome) == ("DONE", 1, mending.FAILED)
    assert line.text == (
        f"Zuora took the usage record {row['Id']} and does not show it. "
        "Look for it in Zuora; when it is not there, retry to make it anew."
    )


def test_what_was_billed_meanwhile_is_left_as_it_is(tenant: UsageWorld) -> None:
    use_and_lose(tenant)
    kept = usage_reconcile.reconcile_and_keep(clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    assert kept is not None
    operation = usage_comparing.mend(report=kept, actor=people()["Operator"], now=tenant.now)
    with pytest.raises(operating.Impossible, match="is not finished yet"):
        usage_comparing.mend(report=kept, actor=User.objects.get(username="operator"), now=tenant.now)
    UsageRecord.objects.update(is_billed=True)
    operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=tenant.world.clock)
    operation.refresh_from_db()
    assert (operation.state, operation.tally, UsageRecord.objects.get().state) == (
        "DONE", {mending.LEFT: 1}, "CONFIRMED",
    )  # fmt: skip


def test_a_comparison_that_found_nothing_to_send_mends_nothing(tenant: UsageWorld) -> None:
    kept = UsageReconciliation.objects.create(at=tenant.now, seen_at=tenant.now, differing=1)
    with pytest.raises(operating.Impossible, match="nothing that sending sets right"):
        usage_comparing.mend(report=kept, actor=people()["Operator"], now=tenant.now)


@pytest.fixture
def night(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str]]:
    """Return the arguments with which the night's comparison is asked for again; the tasks ask the tenant."""
    calls: list[tuple[str]] = []
    monkeypatch.setattr(tasks, "client_for", lambda _: tenant.world.client)
    monkeypatch.setattr(tasks.usage_reconcile_nightly, "apply_async", lambda args, **_: calls.append(args))
    return calls


def test_the_night_waits_for_hours_that_are_being_caught_up_with(tenant: UsageWorld, night: list[tuple[str]]) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - timedelta(hours=7))
    tenant.advance(minutes=29)
    asked = (tenant.now.isoformat(),)
    tasks.usage_reconcile_nightly()  # told, and in no slice
    tenant.close()
    tasks.usage_reconcile_nightly(*asked)  # closed, and not planned
    tenant.control.add_fault("lock", path="/v1/action/create", times=1)
    tenant.push()
    tasks.usage_reconcile_nightly(*asked)  # planned, and not in Zuora
    assert (night, UsageReconciliation.objects.count()) == ([asked] * 3, 0)
    tenant.quiet()
    tenant.use(acme, 1, at=START - timedelta(hours=5))  # told since: not waited for
    tasks.usage_reconcile_nightly(*asked)
    assert (len(night), UsageReconciliation.objects.get().differing) == (3, 1)


def test_after_two_hours_the_night_names_what_is_on_its_way(tenant: UsageWorld, night: list[tuple[str]]) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - timedelta(hours=7))
    tasks.usage_reconcile_nightly()
    tenant.advance(hours=2)
    tasks.usage_reconcile_nightly(*night[0])
    kept = UsageReconciliation.objects.get()
    assert (len(night), kept.differing) == (1, 1)
    assert kept.differences.get().line["differences"][0] == (
        "Events of 2026-03-10 05:00 are not in slices yet: the next hourly run closes them."
    )


def test_without_a_broker_the_night_compares_at_once(
    tenant: UsageWorld, night: list[tuple[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_options: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.usage_reconcile_nightly, "apply_async", away)
    tenant.use(tenant.sell(), 4, at=START - timedelta(hours=7))
    tasks.usage_reconcile_nightly()
    assert (night, UsageReconciliation.objects.get().differing) == ([], 1)
