"""Which jobs one worker does in a row."""

from datetime import datetime, timedelta

import pytest

from integrations import delivery
from integrations.models import SyncJob, SyncStatus
from tests.factories.catalog import plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def deliver_in_turn(world: World, *keys: str, step: timedelta = timedelta()) -> delivery.Woken:
    """Deliver the waiting jobs of these entities; with `step`, so much time passes whenever somebody looks."""

    def clock() -> datetime:
        world.now += step
        return world.now

    world.advance(seconds=10)
    jobs = dict(SyncJob.objects.waiting().values_list("key", "pk"))
    return delivery.deliver_in_turn(
        job_ids=[jobs[key] for key in keys], worker="worker", clock=clock, open_client=lambda _: world.client
    )


def test_who_delivers_a_customer_goes_on_with_its_subscription(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    world.settle()
    for name in ("acme", "hooli"):
        SubscriptionFactory.create(ref_id=f"{name}-1", plan=plan, customer__ref_id=name)
    world.calls()
    assert deliver_in_turn(world, "customer:acme", "customer:hooli") == delivery.Woken()
    assert world.calls() == {"POST /v1/accounts": 2, "POST /v1/orders": 2}
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


def test_what_is_not_begun_in_time_is_handed_back(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    world.settle()
    for name in ("acme", "hooli"):
        SubscriptionFactory.create(ref_id=f"{name}-1", plan=plan, customer__ref_id=name)
    jobs = dict(SyncJob.objects.waiting().values_list("key", "pk"))
    world.calls()
    woken = deliver_in_turn(world, "customer:acme", "customer:hooli", step=timedelta(seconds=1))
    assert woken.jobs == (jobs["subscription:acme-1"], jobs["customer:hooli"])
    assert world.calls() == {"POST /v1/accounts": 1}


def test_of_many_woken_children_one_is_gone_on_with_and_the_others_are_for_others(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    for name in ("acme", "hooli", "pied-piper"):
        SubscriptionFactory.create(ref_id=f"{name}-1", plan=plan, customer__ref_id=name)
    world.advance(seconds=10)
    for job in SyncJob.objects.waiting().exclude(kind="plan").order_by("pk"):
        world.deliver(job.pk)
    waiting = dict(SyncJob.objects.waiting().exclude(waiting_for="").values_list("key", "pk"))
    assert len(waiting) == 3
    woken = deliver_in_turn(world, "plan:pro")
    done = set(SyncJob.objects.filter(state="DONE", kind="subscription").values_list("pk", flat=True))
    assert len(done) == 1
    assert set(woken.jobs) == set(waiting.values()) - done
