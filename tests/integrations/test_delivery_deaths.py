"""A worker dies at each step of jobs that it delivers together: exactly one object of each exists, and is known."""

from itertools import count
from typing import Any

import pytest
from django.db.models import Q

from catalog.models import Plan
from integrations import delivery, outbox, reconcile, sweeping
from integrations.entities import ENTITIES
from integrations.models import AccountLock, JobState, SyncJob, SyncRecord, SyncStatus
from tests.factories.catalog import plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World
from tests.integrations.deaths import dying
from tests.processes.sales import FORCED

pytestmark = pytest.mark.django_db

TABLES = ["Account", "Subscription"]
DEAD = f"{outbox.HOST}:{2**22 + 1}:abcd"  # a process that cannot be


def delivered_by_one_that_dies(world: World, *, at: int) -> bool:
    """Deliver all that is due together, as a worker that dies at this step; return whether it lived that long."""
    world.advance(seconds=10)
    ids = list(SyncJob.objects.due(now=world.now).order_by("pk").values_list("pk", flat=True))
    lived = False
    with dying(at=at):
        delivery.deliver_in_turn(job_ids=ids, worker=DEAD, clock=world.clock, open_client=lambda _: world.client)
        lived = True
    return not lived


def sell(attempt: int) -> None:
    """Two customers who buy: the subscriptions are delivered by whoever delivers the customers."""
    for letter in "ab":
        ref, plan = f"{letter}-{attempt}", Plan.objects.get(ref_id="pro")
        customer = CustomerFactory.create(ref_id=ref, payment_method_id="", metadata=FORCED)
        SubscriptionFactory.create(ref_id=ref, plan=plan, customer=customer)


def test_each_arrives_once(world: World) -> None:
    plan_with_prices(ref_id="pro")
    world.settle()
    for attempt in count(1):
        sell(attempt)
        died = delivered_by_one_that_dies(world, at=attempt)
        sweeping.release_stuck(now=world.now)
        world.settle()
        assert [len(world.rows(table)) for table in TABLES] == [2 * attempt] * 2
        if not died:
            break
    assert attempt > 20  # so many steps there are
    assert AccountLock.objects.count() == 0
    assert set(SyncJob.objects.values_list("state", flat=True)) == {JobState.DONE}
    assert set(SyncRecord.objects.values_list("status", flat=True)) == {SyncStatus.SUCCESS}
    assert not SyncRecord.objects.filter(Q(digest="") | Q(pending_since__isnull=False)).exists()
    ids = {row["Id"] for table in TABLES for row in world.rows(table)}
    assert ids <= set(SyncRecord.objects.values_list("zuora_id", flat=True))
    wishes = [wish for entity in ENTITIES.values() for wish in entity.wishes()]
    far: dict[str, Any] = {"connection": world.connection, "client": world.client, "now": world.now}
    assert reconcile.differing(wishes=wishes, **far) == []
