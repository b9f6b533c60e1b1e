"""Which jobs one worker does in a row."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from customers.models import Customer
from integrations import delivery
from integrations.models import AccountLock, Delivery, DeliveryOutcome, JobState, SyncJob, SyncStatus
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.client import Client, new_session
from tests.factories.catalog import plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import REST_URL, SECRET, World
from tests.standin_transport import WSGIAdapter

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
    assert set(woken.jobs) == {jobs["subscription:acme-1"], jobs["customer:hooli"]}
    assert world.calls() == {"POST /v1/accounts": 1}
    handed_back = SyncJob.objects.get(pk=jobs["customer:hooli"])
    assert (handed_back.state, handed_back.attempts, handed_back.rung_at) == (JobState.WAITING, 0, None)
    assert Delivery.objects.filter(job=handed_back).count() == 0
    assert AccountLock.objects.count() == 0


def test_one_that_fails_keeps_none_of_the_others_from_arriving(world: World) -> None:
    plans = [plan_with_prices(ref_id=f"plan-{number}", per_unit=1) for number in range(3)]
    plans[1].display_name = "x" * 101  # more than Zuora holds
    plans[1].save()
    plans[2].delete()
    deliver_in_turn(world, *(f"plan:{plan.ref_id}" for plan in plans))
    assert world.statuses() == {"plan:plan-0": SyncStatus.SUCCESS, "plan:plan-1": SyncStatus.ERROR}
    assert dict(Delivery.objects.values_list("job__key", "outcome")) == {
        "plan:plan-0": DeliveryOutcome.SENT,
        "plan:plan-1": DeliveryOutcome.FAILED,
        "plan:plan-2": DeliveryOutcome.UNCHANGED,
    }


def test_when_the_tenant_turns_out_to_be_down_the_rest_is_handed_back(world: World) -> None:
    for number in range(3):
        plan_with_prices(ref_id=f"plan-{number}", per_unit=1)
    world.app.control.add_fault("html", path="/v1/", status=503, times=1)
    deliver_in_turn(world, *(f"plan:plan-{number}" for number in range(3)))
    assert list(Delivery.objects.values_list("job__key", "outcome")) == [("plan:plan-0", DeliveryOutcome.RETRY)]
    assert set(SyncJob.objects.values_list("state", "attempts")) == {(JobState.WAITING, 0)}
    world.settle()
    assert set(world.statuses().values()) == {SyncStatus.SUCCESS}


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


def reasons() -> dict[str, str]:
    return dict(SyncJob.objects.waiting().values_list("key", "reason"))


def test_whoever_waits_is_told_when_what_they_wait_for_is_refused(world: World) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    SubscriptionFactory.create(ref_id="s1", plan=plan, customer__ref_id="acme", customer__billing_currency="")
    jobs = dict(SyncJob.objects.waiting().values_list("key", "pk"))
    world.advance(seconds=10)
    world.deliver(jobs["subscription:s1"])
    assert reasons()["subscription:s1"] == "Waits for customer acme, which is not in Zuora yet."
    world.deliver(jobs["customer:acme"])
    will_not = reasons()["subscription:s1"]
    assert will_not.startswith("Waits for customer acme, which will not be synced: Billing information is missing")
    Customer.objects.filter(ref_id="acme").update(billing_currency="USD")
    plan.display_name = "x" * 101  # more than Zuora holds
    plan.save()
    Customer.objects.get(ref_id="acme").save()
    world.advance(seconds=10)
    jobs = dict(SyncJob.objects.waiting().values_list("key", "pk"))
    for key in ("customer:acme", "subscription:s1", "plan:pro"):
        world.deliver(jobs[key])
    assert reasons()["subscription:s1"].startswith("Waits for plan pro, which failed: The display name of plan pro")


class Meanwhile(WSGIAdapter):
    """Lets something happen while each request is under way."""

    happens: Callable[[], None]

    def send(self, *args: Any, **named: Any) -> Any:
        answer = super().send(*args, **named)
        self.happens()
        return answer


@pytest.mark.parametrize("refused", [True, False])
def test_what_is_saved_while_it_is_sent_is_pending_whatever_becomes_of_what_was_sent(
    world: World, *, refused: bool
) -> None:
    plan = plan_with_prices(ref_id="pro", per_unit=1)
    world.settle()
    method = {"customer__payment_method_id": "f" * 32} if refused else {}  # Zuora has none of that id
    customer = SubscriptionFactory.create(ref_id="s1", plan=plan, customer__ref_id="acme", **method).customer
    other = SubscriptionFactory.create(ref_id="s2", plan=plan, customer__ref_id="hooli").customer
    adapter = Meanwhile(world.app)
    adapter.happens = customer.save
    session = new_session()
    session.mount("https://", adapter)
    credentials = Credentials(REST_URL, "demo-client", SECRET)
    world.client = Client(credentials, tokens=MemoryTokenStore(), session=session)
    world.advance(seconds=10)
    jobs = dict(SyncJob.objects.waiting().values_list("key", "pk"))
    world.deliver(jobs["customer:acme"], jobs["customer:hooli"])
    statuses = {key: status for key, status in world.statuses().items() if key.startswith("customer:")}
    assert statuses == {"customer:acme": SyncStatus.PENDING, f"customer:{other.ref_id}": SyncStatus.SUCCESS}
    waiting = SyncJob.objects.waiting().get(key="customer:acme")
    acme = world.record("customer:acme")
    assert (acme.error, acme.cure, acme.status_since) == ("", "", waiting.created_at)
    adapter.happens = lambda: None
    world.settle()
    assert world.statuses()["customer:acme"] == (SyncStatus.ERROR if refused else SyncStatus.SUCCESS)
