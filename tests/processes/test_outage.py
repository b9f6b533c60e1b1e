"""The tenant is down, or turns us away: one probe goes out, not a thousand, and work goes on by itself."""

from itertools import pairwise

import pytest

from integrations.models import Connection, Delivery, DeliveryOutcome, JobState, SyncJob, SyncRecord, SyncStatus
from tests.processes.deployment import Deployment
from tests.processes.sales import publish

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once")]

PLANS = [f"plan-{number:02d}" for number in range(50)]
THREADS = 4


def backlog() -> int:
    return SyncJob.objects.filter(state=JobState.WAITING).count()


def arrived() -> bool:
    return not SyncJob.objects.open().exists()


def assert_all_arrived_once(deployment: Deployment, plans: int) -> None:
    assert list(SyncRecord.objects.filter(kind="plan").values_list("status", flat=True)) == [SyncStatus.SUCCESS] * plans
    counts = deployment.row_counts()
    assert (counts["Product"], counts["ProductRatePlan"], counts["ProductRatePlanCharge"]) == (plans, plans, plans)
    assert deployment.writes()["POST /v1/object/product"] == plans
    connection = Connection.objects.get()
    assert (connection.pause_reason, connection.paused_until, connection.down_since) == ("", None, None)


def test_fifty_saves_while_it_is_down_arrive_by_themselves(deployment: Deployment, connection: Connection) -> None:
    worker = deployment.start_worker(threads=THREADS)
    deployment.standin.kill()

    publish(PLANS)
    probes = Delivery.objects.filter(outcome=DeliveryOutcome.RETRY)
    deployment.wait_until(lambda: probes.count() >= THREADS + 2, "some probes", alive=[worker])
    connection.refresh_from_db()
    assert connection.pause_reason.startswith(f"No connection to 127.0.0.1:{deployment.port}")
    assert backlog() + SyncJob.objects.filter(state=JobState.SENDING).count() == 50

    deployment.start_standin()
    deployment.wait_until(arrived, "all plans to arrive", seconds=60, alive=[worker])
    assert_all_arrived_once(deployment, 50)
    assert_one_at_a_time(list(probes.order_by("started_at")))
    assert set(SyncJob.objects.values_list("attempts", flat=True)) == {1}  # no probe used one up


def assert_one_at_a_time(tries: list[Delivery]) -> None:
    """Those that were under way when it went down ran side by side; every later one began when the last had ended."""
    first_end = min(one.finished_at for one in tries if one.finished_at)
    later = [one for one in tries if one.started_at > first_end]
    assert len(tries) - len(later) <= THREADS
    for one, after in pairwise(later):
        assert one.finished_at is not None
        assert one.finished_at < after.started_at


def test_work_waits_while_zuora_refuses_the_credentials_and_goes_on_by_itself(
    deployment: Deployment, connection: Connection
) -> None:
    worker = deployment.start_worker(threads=THREADS)
    publish(["before"])
    deployment.wait_until(arrived, "a first plan to arrive", alive=[worker])
    deployment.control("PUT", "switches", {"user_active": False})  # tokens die, and there are no new ones

    publish(PLANS)
    refused = Delivery.objects.filter(outcome=DeliveryOutcome.RETRY)
    deployment.wait_until(lambda: refused.count() >= THREADS + 2, "some probes", alive=[worker])
    connection.refresh_from_db()
    assert connection.pause_reason.startswith(f"{deployment.rest_url} refuses this client ID and secret (HTTP 401).")
    assert "Settings > Integrations > Apps > Zuora" in connection.pause_reason
    assert not SyncRecord.objects.filter(status=SyncStatus.ERROR).exists()
    assert set(SyncJob.objects.filter(state=JobState.WAITING).values_list("attempts", flat=True)) == {0}

    deployment.control("PUT", "switches", {"user_active": True})
    deployment.wait_until(arrived, "all plans to arrive", seconds=60, alive=[worker])
    assert_all_arrived_once(deployment, 51)
    assert_one_at_a_time(list(refused.order_by("started_at")))
