"""Our own Redis does not work: nobody blames Zuora for it, and what did not leave is known not to have left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import redis.exceptions
from django.utils import timezone

from catalog.models import PricingType
from integrations import connecting, usage_delivery, usage_sync
from integrations.models import (
    AuditEntry,
    BatchState,
    Connection,
    Delivery,
    DeliveryOutcome,
    JobState,
    SyncJob,
    SyncRecord,
    UsageBatch,
    UsageState,
)
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.budget import Budget
from integrations.zuora.client import Client, new_session
from integrations.zuora.doctor import Outcome, examine
from integrations.zuora.leases import MemoryLeases
from tests.factories.catalog import PlanFactory
from tests.integrations.conftest import REST_URL, SECRET, World
from tests.integrations.usage_world import HOUR, START, UsageWorld, from_the_beginning, tenant
from tests.standin_transport import WSGIAdapter

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

WHAT = "The Redis of this installation does not work for us, so Zuora was not asked (Timeout reading from socket)."
CURE = "Whoever runs this installation starts it again or corrects REDIS_URL: /readyz says what is wrong with it."


@dataclass
class Leases(MemoryLeases):
    """Those of a Redis that answers so many questions more, or any number, and then is silent."""

    answers: int | None = None
    asked_in_vain: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def take(self, *args: Any, **options: Any) -> float | None:
        if self.answers == 0:
            self.asked_in_vain += 1
            raise redis.exceptions.TimeoutError("Timeout reading from socket")
        if self.answers is not None:
            self.answers -= 1
        return super().take(*args, **options)


@contextmanager
def away(world: World, *, after: int = 0) -> Iterator[Leases]:
    """Let Redis be silent meanwhile, from the first call to Zuora on, or after some."""
    client, leases = world.client, Leases(answers=after)
    session = new_session()
    session.mount("https://", WSGIAdapter(world.app))
    world.client = Client(
        Credentials(REST_URL, "demo-client", SECRET),
        tokens=MemoryTokenStore(), session=session, budget=Budget(leases, patience=1.0),
    )  # fmt: skip
    try:
        yield leases
    finally:
        world.client = client


def test_wherever_a_click_loses_redis_it_says_so_and_nothing_is_lost_or_sent_twice(tenant: UsageWorld) -> None:
    calls, has_ended = 0, False
    while not has_ended:
        with from_the_beginning(tenant):
            acme = tenant.sell()
            tenant.use(acme, 4, at=START - HOUR)
            with away(tenant.world, after=calls) as leases:
                sent = usage_sync.sync_now(
                    subscription=acme, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client
                )
            has_ended = not leases.asked_in_vain
            assert sent.problem == (
                "" if has_ended else f"{WHAT.rstrip('.')}. {CURE} What waits is sent by itself then."
            )
            assert not Connection.objects.get().is_down
            # What did not leave needs no finding out.
            assert set(tenant.states()) <= {UsageState.PLANNED, UsageState.ACCEPTED, UsageState.CONFIRMED}
            assert not UsageBatch.objects.exclude(state=BatchState.DONE).exists()
            tenant.quiet()
            assert (calls, tenant.quantities()) == (calls, [4])
            assert tenant.world.calls()["POST /v1/action/create"] == 1
            calls += 1
    assert calls > 3


def test_a_call_whose_answer_was_lost_stays_unknown(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - HOUR)
    tenant.control.add_fault("drop", method="POST", path="/v1/action/create$", times=1)
    tenant.push()
    tenant.advance(minutes=5)
    with away(tenant.world):
        tenant.sweep()
    assert tenant.states() == [UsageState.UNKNOWN]
    assert UsageBatch.objects.get().reason == WHAT
    tenant.quiet()
    assert tenant.quantities() == [4]


def deliver_five_plans_without_redis(world: World) -> None:
    for number in range(5):
        PlanFactory.create(ref_id=f"p{number}", pricing_type=PricingType.FREE)
    world.advance(seconds=1)
    with away(world):
        world.deliver_due()


def test_jobs_wait_for_redis_and_the_breaker_stays_closed(world: World) -> None:
    deliver_five_plans_without_redis(world)
    assert set(SyncJob.objects.values_list("state", "attempts", "reason")) == {(JobState.WAITING, 0, WHAT)}
    assert not SyncRecord.objects.exclude(pending_since=None).exists()
    assert not Connection.objects.get().is_down
    world.settle()
    assert len(world.rows("Product")) == 5


def test_a_silence_of_redis_is_not_counted_as_one_of_zuora(world: World) -> None:
    deliver_five_plans_without_redis(world)
    world.advance(minutes=1)
    world.app.control.add_fault("reset", path="/v1/", times=1)
    world.deliver_due()
    assert Delivery.objects.filter(outcome=DeliveryOutcome.RETRY).count() == 6
    assert not Connection.objects.get().is_down


def test_a_removal_waits_for_a_silent_redis_twice_and_not_for_every_subscription(
    tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_delivery, "CHUNK", 1)
    for number in range(5):
        tenant.use(tenant.sell(f"s{number}"), 4, at=START - HOUR)
    with away(tenant.world) as leases:
        connecting.remove(
            connection=tenant.world.connection, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client
        )
    assert leases.asked_in_vain <= 2
    assert AuditEntry.objects.get(action="remove").detail["usage_not_sent"] == 5


def test_a_connection_test_sends_nobody_to_zuoras_support_for_it(world: World) -> None:
    with away(world):
        seen = examine(client=world.client, now=timezone.now())
    tried = [one for one in seen.steps if WHAT in one.saw]
    assert [(one.name, one.outcome) for one in tried if one.outcome is Outcome.FAILED] == [
        ("Reading", Outcome.FAILED), ("Object Query", Outcome.FAILED),
    ]  # fmt: skip
    assert [one.cure for one in tried if "Zuora's support" in one.cure] == []
    assert tried[0].cure == CURE
