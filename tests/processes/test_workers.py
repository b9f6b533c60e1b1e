"""Several deliveries at once: who waits for whom, and what becomes of them when a worker is stopped."""

import pytest
import redis
from django.db import transaction
from django.utils import timezone

from customers.models import Customer
from integrations import tasks
from integrations.collecting import collecting
from integrations.models import Delivery, DeliveryOutcome, JobState, SyncJob, SyncRecord, SyncStatus
from tests.processes.deployment import Deployment
from tests.processes.sales import add_seats, publish, sell, sign_up, subscribe

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once", "connection")]


def arrived() -> bool:
    return not SyncJob.objects.open().exists()


def rung() -> int:
    """Return how many waiting jobs have a message on its way."""
    return SyncJob.objects.waiting().filter(rung_at__isnull=False).count()


def test_subscription_is_not_sold_before_the_last_charge_of_its_plan_is_there(deployment: Deployment) -> None:
    worker = deployment.start_worker()
    sign_up(["customer"])
    deployment.wait_until(lambda: deployment.row_counts()["Account"] == 1, "the account", alive=[worker])
    deployment.fault("delay", method="POST", path="charge$", seconds=2)
    publish(["pro"])
    deployment.wait_until(lambda: deployment.row_counts()["ProductRatePlan"] == 1, "the rate plan", alive=[worker])
    subscribe(["customer"])
    deployment.wait_until(lambda: deployment.row_counts()["Order"] == 1, "the order", alive=[worker])
    made = [one["path"] for one in deployment.requests() if one["method"] == "POST"]
    assert made == [
        "/v1/accounts",
        "/v1/object/product",
        "/v1/object/product-rate-plan",
        "/settings/units-of-measure",
        "/v1/object/product-rate-plan-charge",
        "/v1/orders",
    ]


def test_two_workers_never_write_to_one_account_at_once(deployment: Deployment) -> None:
    customers = [f"customer-{letter}" for letter in "abcd"]
    publish(["pro"])
    sign_up(customers)
    payer = Customer.objects.get(ref_id="customer-a")
    subscriptions = []
    for customer in Customer.objects.order_by("ref_id"):
        for number in range(8):
            # Every fourth one is paid for by another customer: then two accounts are written to.
            paid_for = payer if number % 4 == 3 and customer != payer else None
            subscriptions.append(
                sell(f"{customer.ref_id}-{number}", customer=customer, plan="pro", payer=paid_for).ref_id
            )
    # Long enough that two writes to one account would meet, if they were allowed to.
    deployment.fault("delay", path="^/v1/(orders|accounts)", seconds=0.05)

    workers = [deployment.start_worker(name, threads=4) for name in ("one", "two")]
    deployment.wait_until(arrived, "the backlog to be empty", seconds=60, alive=workers)
    add_seats(subscriptions)
    deployment.wait_until(arrived, "the changes to arrive", seconds=60, alive=workers)

    assert set(SyncRecord.objects.values_list("status", flat=True)) == {SyncStatus.SUCCESS}
    assert Delivery.objects.values("worker").distinct().count() == 2
    counts = deployment.row_counts()
    assert (counts["Account"], counts["Order"], counts["Subscription"]) == (4, 64, 64)
    # Zuora refused nothing, so no write met the lock of another, and none was sent again.
    assert set(deployment.control("GET", "counts")["statuses"]) == {"200"}
    assert not Delivery.objects.filter(outcome=DeliveryOutcome.RETRY).exists()
    assert deployment.writes()["POST /v1/orders"] == 64


def test_worker_that_is_stopped_in_mid_delivery_finishes_it_and_leaves_the_rest(deployment: Deployment) -> None:
    deployment.fault("delay", method="POST", path="/object/product$", seconds=2, times=1)
    worker = deployment.start_worker(threads=1)
    plans = [f"plan-{number}" for number in range(5)]
    publish(plans)
    deployment.wait_until(lambda: deployment.faults_left() == 0, "the first request", alive=[worker])

    assert worker.terminate() == 0
    assert Delivery.objects.values_list("outcome", flat=True).get() == DeliveryOutcome.SENT
    assert SyncJob.objects.filter(state=JobState.WAITING).count() == 4
    assert not SyncJob.objects.filter(state=JobState.SENDING).exists()

    after = deployment.start_worker("after")
    deployment.wait_until(arrived, "the rest to arrive", alive=[after])
    assert deployment.writes()["POST /v1/object/product"] == 5
    assert deployment.row_counts()["Product"] == 5


def test_sweep_puts_no_more_jobs_into_the_queues_than_a_few(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.beat.kill()
    with redis.Redis.from_url(deployment.redis_url) as broker:
        broker.flushdb()
        monkeypatch.setattr(tasks, "_QUEUE_ROOM", 10)
        with transaction.atomic(), collecting(now=timezone.now()):
            publish(f"plan-{number}" for number in range(30))
        tasks.ring_sweep()
        assert (broker.llen("changes"), broker.llen("backfill")) == (1, 0)  # one bell, for a sweep
        tasks.sweep()
        assert (rung(), broker.llen("backfill")) == (9, 2)  # several jobs in a message
        tasks.sweep()
        assert (rung(), broker.llen("backfill")) == (9, 2)
    worker = deployment.start_worker()
    deployment.start_beat()
    deployment.wait_until(arrived, "all of them to arrive", alive=[worker])
    assert deployment.row_counts()["Product"] == 30


def test_long_backlog_is_worked_off_without_a_beat(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is filled again by whoever has emptied half of it: no worker stands idle until the next sweep."""
    deployment.beat.kill()
    monkeypatch.setattr(tasks, "_QUEUE_ROOM", 10)  # of the first sweep, which this process makes
    with transaction.atomic(), collecting(now=timezone.now()):
        publish(f"plan-{number}" for number in range(40))
    with redis.Redis.from_url(deployment.redis_url) as broker:
        broker.flushdb()  # the bell
    tasks.sweep()
    assert rung() == 10
    worker = deployment.start_worker()
    deployment.wait_until(arrived, "all of them to arrive", alive=[worker])
    assert deployment.row_counts()["Product"] == 40
