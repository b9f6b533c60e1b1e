"""Many saves of one thing become few pushes."""

import time

import pytest
from pytest_django import Settings

from catalog.models import Plan
from integrations.models import SyncJob
from tests.processes.deployment import Deployment
from tests.processes.sales import publish

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("connection")]


def test_plan_saved_two_hundred_times_is_pushed_once_per_settle_window(
    deployment: Deployment, settings: Settings
) -> None:
    settings.SYNC_SETTLE_SECONDS = 1.0
    worker = deployment.start_worker()
    publish(["pro"])
    deployment.wait_until(lambda: not SyncJob.objects.open().exists(), "the plan to arrive", alive=[worker])
    jobs = SyncJob.objects.count()
    plan = Plan.objects.get(ref_id="pro")

    start = time.monotonic()
    for number in range(1, 201):
        plan.display_name = f"Pro {number}"
        plan.save()
    seconds = time.monotonic() - start

    deployment.wait_until(lambda: not SyncJob.objects.open().exists(), "the saves to arrive", alive=[worker])
    # The next job can be made only when the one before was taken, which is a window after it was made.
    most = 1 + int(seconds / settings.SYNC_SETTLE_SECONDS)
    pushes = deployment.writes()["PUT /v1/object/product"]
    # One that is taken between two saves may send both: the job of the second has nothing left to send then.
    assert 1 <= pushes <= SyncJob.objects.count() - jobs <= most
    (product,) = deployment.rows("Product")
    assert product["Name"] == "Pro 200"
