"""When the tenant is down, or refuses us."""

from datetime import timedelta
from typing import Any

import pytest

from catalog.models import PricingType
from integrations import sweeping, usage_delivery
from integrations.breaker import PROBE, may_send
from integrations.models import AccountLock, Connection, Delivery, DeliveryOutcome, JobState, SyncJob, SyncStatus
from tests.factories.catalog import PlanFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = pytest.mark.django_db


def _plans(count: int) -> None:
    for number in range(count):
        PlanFactory.create(ref_id=f"p{number}", pricing_type=PricingType.FREE)


def test_one_probe_goes_out_and_not_a_hundred(world: World) -> None:
    _plans(100)
    world.app.control.add_fault("html", path="/v1/", status=503)
    world.advance(seconds=1)
    world.deliver_due()
    assert world.calls() == {"POST /v1/object/product": 1}
    connection = Connection.objects.get()
    assert connection.is_down
    assert connection.pause_reason == "Zuora cannot do it at the moment: HTTP 503. It is sent again by itself."
    for _ in range(3):  # three probes later
        connection.refresh_from_db()
        assert connection.paused_until is not None
        world.now = connection.paused_until
        world.deliver_due()
        assert sum(world.calls().values()) == 1
    assert SyncJob.objects.waiting().count() == 100
    assert Delivery.objects.filter(outcome=DeliveryOutcome.RETRY).count() == 4


def test_the_pause_grows_and_has_a_limit(world: World) -> None:
    _plans(1)
    world.app.control.add_fault("html", path="/v1/", status=503)
    pauses = []
    for _ in range(40):
        world.advance(seconds=1)
        connection = Connection.objects.get()
        world.now = max(world.now, connection.paused_until or world.now)
        job = SyncJob.objects.get()
        job.not_before = world.now
        job.save()
        world.deliver_due()
        connection.refresh_from_db()
        assert connection.paused_until is not None
        pauses.append((connection.paused_until - world.now).total_seconds())
    assert pauses[0] == 2
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60


def test_everything_resumes_by_itself(world: World) -> None:
    _plans(20)
    world.app.control.add_fault("html", path="/v1/", status=503, times=3)
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}
    assert not Connection.objects.get().is_down
    assert len(world.rows("Product")) == 20


def test_an_illness_of_the_tenant_uses_up_no_attempts(world: World) -> None:
    _plans(1)
    world.app.control.add_fault("html", path="/v1/", status=503, times=30)
    world.settle()
    job = SyncJob.objects.get()
    assert (job.state, job.attempts) == (JobState.DONE, 1)


def test_a_deactivated_user_is_one_banner_and_the_work_waits(world: World) -> None:
    _plans(5)
    world.app.control.set_switches(user_active=False)
    world.app.control.revoke_tokens()
    world.advance(seconds=1)
    world.deliver_due()
    connection = Connection.objects.get()
    assert connection.is_down
    assert connection.pause_reason.endswith(
        "Check the client ID and secret at Settings > Integrations > Apps > Zuora, and that the API user is active."
    )
    assert SyncJob.objects.waiting().count() == 5
    world.app.control.set_switches(user_active=True)
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_a_revoked_token_is_renewed_in_the_same_delivery(world: World) -> None:
    plan_with_prices(ref_id="one")
    world.settle()
    world.app.control.revoke_tokens()
    plan_with_prices(ref_id="two")
    world.settle()
    assert set(Delivery.objects.values_list("outcome", flat=True)) == {DeliveryOutcome.SENT}


def test_silence_of_many_entities_is_an_illness_of_the_tenant(world: World) -> None:
    _plans(30)
    world.app.control.add_fault("reset", path="/v1/")
    world.advance(seconds=1)
    world.deliver_due()
    assert Connection.objects.get().is_down
    assert sum(world.calls().values()) == 5


def test_a_pause_that_is_over_lets_one_of_many_workers_through(connection: Connection) -> None:
    now = connection.connected_at
    connection.mark_down(reason="down", until=now, now=now)
    seen_by_each = [Connection.objects.get() for _ in range(8)]
    assert [may_send(one, now=now) for one in seen_by_each] == [True] + [False] * 7
    assert not may_send(Connection.objects.get(), now=now)
    later = now + PROBE
    assert may_send(Connection.objects.get(), now=later), "a probe that never came back makes room for the next"


def _down(world: World) -> None:
    world.connection.mark_down(reason="down", until=world.now, now=world.now)


def test_a_probe_that_asks_zuora_nothing_makes_room_for_the_next_at_once(world: World) -> None:
    SubscriptionFactory.create()  # waits for its plan and its account: nothing to ask
    _plans(1)
    _down(world)
    waits, plan = SyncJob.objects.get(kind="subscription"), SyncJob.objects.get(key="plan:p0")
    world.advance(seconds=1)
    assert world.deliver(waits.pk).sweep
    assert Delivery.objects.get().outcome == DeliveryOutcome.WAITS
    assert world.deliver(plan.pk).sweep
    assert not Connection.objects.get().is_down


def test_a_late_message_is_no_probe(world: World) -> None:
    _plans(2)
    _down(world)
    later, due = SyncJob.objects.order_by("pk")
    SyncJob.objects.filter(pk=later.pk).update(not_before=world.now + PROBE)
    world.advance(seconds=1)
    world.deliver(later.pk)
    assert world.deliver(due.pk).sweep
    assert not Connection.objects.get().is_down


def test_a_job_whose_account_is_busy_is_no_probe(world: World) -> None:
    customer = CustomerFactory.create(metadata={"ZUORA__Segment": "made-up"})
    _plans(1)
    _down(world)
    busy, free = SyncJob.objects.get(kind="customer"), SyncJob.objects.get(kind="plan")
    AccountLock.objects.create(connection=world.connection, account=f"customer:{customer.pk}", job=free)
    world.advance(seconds=1)
    assert not world.deliver(busy.pk).sweep
    assert world.deliver(free.pk).sweep
    assert not Connection.objects.get().is_down


def test_who_was_rung_while_it_was_down_is_rung_again_when_it_is_back(world: World) -> None:
    _plans(2)
    _down(world)
    sent_away, probe = SyncJob.objects.order_by("pk")
    world.advance(seconds=5)
    assert [pk for pk, _ in sweeping.ring_due(now=world.now, most=1)] == [sent_away.pk]
    Connection.objects.update(paused_until=world.now + PROBE)
    world.deliver(sent_away.pk)
    Connection.objects.update(paused_until=world.now)
    assert world.deliver(probe.pk).sweep
    assert [pk for pk, _ in sweeping.ring_due(now=world.now, most=9)] == [sent_away.pk]


def test_usage_that_has_nothing_to_ask_leaves_the_probe_to_others(world: World) -> None:
    """Else a sweep of usage each minute could keep every job from finding out that the tenant is back."""
    past = world.now - timedelta(seconds=1)
    world.connection.mark_down(reason="made up", until=past, now=past)
    common: dict[str, Any] = {
        "connection": world.connection,
        "worker": "worker",
        "clock": world.clock,
        "open_client": lambda _: world.client,
    }
    usage_delivery.sweep_usage(**common)
    world.connection.refresh_from_db()
    assert world.connection.paused_until == past
    usage_delivery.push_usage(subscription_ids=[], **common)
    world.connection.refresh_from_db()
    assert world.connection.paused_until == world.now
    assert may_send(world.connection, now=world.now)
