"""The broker is away: saves do not notice, and nothing that was saved is lost or sent twice."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from integrations import tasks
from integrations.models import JobState, SyncJob, SyncRecord, SyncStatus
from tests.processes.deployment import Deployment
from tests.processes.sales import publish

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("connection")]

PLANS = [f"plan-{number:03d}" for number in range(100)]


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that this process tried to ring for, while no time passes for its bell."""
    tried: list[int] = []
    send = tasks.deliver.apply_async

    def noted(args: tuple[int], *more: Any, **options: Any) -> object:
        tried.append(*args)
        return send(args, *more, **options)

    monkeypatch.setattr(tasks.deliver, "apply_async", noted)
    monkeypatch.setattr(tasks, "time", SimpleNamespace(monotonic=lambda: 1_000_000.0))
    monkeypatch.setattr(tasks, "_quiet_until", 0.0)
    return tried


def test_hundred_plans_saved_while_it_is_dead_arrive_once_when_it_is_back(
    deployment: Deployment, attempts: list[int]
) -> None:
    worker = deployment.start_worker()
    publish(["before"])
    deployment.wait_until(lambda: not SyncJob.objects.open().exists(), "a first plan to arrive", alive=[worker])
    attempts.clear()

    deployment.kill_broker()
    publish(PLANS)

    assert SyncJob.objects.filter(state=JobState.WAITING).count() == 100
    assert len(attempts) == 1  # one save met the dead broker; the others did not try
    deployment.start_broker()
    deployment.wait_until(
        lambda: not SyncJob.objects.open().exists(), "all plans to arrive", seconds=60, alive=[worker]
    )
    statuses = SyncRecord.objects.filter(kind="plan").values_list("status", flat=True)
    assert list(statuses) == [SyncStatus.SUCCESS] * 101
    assert deployment.writes() == {
        "POST /v1/object/product": 101,
        "POST /v1/object/product-rate-plan": 101,
        "POST /settings/units-of-measure": 101,
        "POST /v1/object/product-rate-plan-charge": 101,
    }


@pytest.fixture
def frozen_broker(deployment: Deployment) -> Iterator[None]:
    """The broker takes connections, and answers nothing."""
    with redis.Redis.from_url(deployment.redis_url) as client:
        pid = int(client.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("frozen_broker")
def test_plans_are_saved_while_it_hangs(attempts: list[int]) -> None:
    publish(PLANS[:5])
    assert SyncJob.objects.filter(state=JobState.WAITING).count() == 5
    assert len(attempts) == 1
