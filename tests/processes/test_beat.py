"""The beat dies, and is back after a week, twice and beside another: what was used meanwhile is in Zuora once."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import redis

from catalog.models import BillingModel
from integrations.models import EntityKind, SyncRecord
from tests.factories.catalog import PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory
from tests.processes.deployment import Deployment
from tests.processes.running import Running
from tests.processes.sales import FORCED
from usage.reporting import UsageReport, report_usage

SWEEPS_USAGE = True
pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once")]

#: `celery beat` with a clock that is so many seconds ahead: it is never the minute of the hourly run, whenever it runs.
BEAT = """
import sys
from datetime import timedelta
from stigg_zuora.celery import app
now = type(app).now
type(app).now = lambda self: now(self) + timedelta(seconds=float(sys.argv[1]))
app.start(["beat", "--pidfile=", "-s", sys.argv[2]])
"""
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def start_beat(deployment: Deployment, name: str, schedule: Path, *, ago: timedelta = timedelta(0)) -> Running:
    now = datetime.now(UTC)
    ahead = (now.replace(minute=30, second=0) - now) % HOUR
    return deployment.start(name, ["-c", BEAT, (ahead - ago).total_seconds(), schedule])


def rung(deployment: Deployment, queue: str) -> list[str]:
    """Return what lies in a queue, by the names of the tasks."""
    with redis.Redis.from_url(deployment.redis_url) as client:
        return [json.loads(one)["headers"]["task"] for one in client.lrange(queue, 0, -1)]


def hourly(deployment: Deployment) -> int:
    return rung(deployment, "usage").count("integrations.usage_hourly")


def wait_for_sweeps(deployment: Deployment, beat: Running) -> None:
    """Wait until it has rung a few times: what was due when it started, it has rung by then."""
    enough = len(rung(deployment, "click")) + 4
    deployment.wait_until(lambda: len(rung(deployment, "click")) >= enough, "sweeps", alive=[beat])


@pytest.mark.usefixtures("connection")
def test_the_hours_in_which_no_beat_lived_are_caught_up_once(deployment: Deployment) -> None:
    deployment.beat.kill()
    feature = MeteredFeatureFactory.create(ref_id="api-calls", units_plural="API calls")
    plan = PlanFactory.create(ref_id="payg", metadata=FORCED)
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    customer = CustomerFactory.create(ref_id="acme", payment_method_id="", metadata=FORCED)
    now = datetime.now(UTC)
    worker = deployment.start_worker()
    SubscriptionFactory.create(customer=customer, plan=plan, start_date=now - timedelta(days=10), metadata=FORCED)
    sold = SyncRecord.objects.filter(kind=EntityKind.SUBSCRIPTION).exclude(zuora_id="")
    deployment.wait_until(sold.exists, "the subscription", alive=[worker])
    worker.kill()
    moments = [now - WEEK, now - 3 * HOUR, now - HOUR]
    for quantity, moment in enumerate(moments, start=1):
        key = f"event-{quantity}"
        told = UsageReport(customer="acme", feature="api-calls", value=Decimal(quantity), key=key, at=moment)
        report_usage(reports={0: told}, now=now)

    schedule = deployment.directory / "schedule"
    last_week = start_beat(deployment, "beat-of-last-week", schedule, ago=WEEK)
    wait_for_sweeps(deployment, last_week)
    last_week.kill()
    assert hourly(deployment) == 0
    another = deployment.directory / "another"
    for path in deployment.directory.glob("schedule*"):
        shutil.copy(path, another.with_suffix(path.suffix))
    back = start_beat(deployment, "beat-back", schedule)
    wait_for_sweeps(deployment, back)
    assert hourly(deployment) == 1
    back.kill()
    beats = [start_beat(deployment, "beat-again", schedule), start_beat(deployment, "beat-beside", another)]
    for beat in beats:
        wait_for_sweeps(deployment, beat)
    assert hourly(deployment) >= 2

    worker = deployment.start_worker()
    deployment.wait_until(lambda: not hourly(deployment), "the hourly runs to be taken", alive=[worker, *beats])
    deployment.wait_until(lambda: len(deployment.rows("Usage")) == len(moments), "the usage", alive=[worker, *beats])
    assert worker.terminate() == 0
    assert sorted(Decimal(one["Quantity"]) for one in deployment.rows("Usage")) == [1, 2, 3]
