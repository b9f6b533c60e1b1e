"""Usage through real processes: workers die by SIGKILL in the middle, and the bill is what was used, to the unit."""

import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.models import BillingModel, Plan
from integrations.models import BatchState, UsageBatch, UsageRecord, UsageState
from integrations.tasks import usage_hourly
from tests.factories.catalog import PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory
from tests.integrations.usage_replay import Told
from tests.processes.deployment import ROOT, Deployment
from tests.processes.mortal_worker import DEATHS, USAGE, death_of
from tests.processes.running import Running
from tests.processes.sales import FORCED
from usage.models import DirtyHour, Slice, UpdateBehavior
from usage.reporting import UsageReport, report_usage

SWEEPS_USAGE = True
pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once")]

SEEDS = range(3)
ROUNDS = 3
FAULTS = ("drop", "reset", "lock", "unsuccessful", "empty")


class Run:
    """One seed: what is told, where workers die, and what goes wrong at the far side."""

    def __init__(self, seed: int, plan: Plan, deployment: Deployment, worker: Running, directory: Path) -> None:
        self.chance = random.Random(seed)
        self.deployment, self.worker, self.directory = deployment, worker, directory
        self.hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        customer = CustomerFactory.create(ref_id=f"acme-{seed}", payment_method_id="", metadata=FORCED)
        start = self.hour - timedelta(days=self.chance.randint(4, 20))
        sold = SubscriptionFactory.create(
            ref_id=f"s{seed}", customer=customer, plan=plan, start_date=start, metadata=FORCED
        )
        self.told = Told(sold, sold.customer.ref_id)

    def round(self) -> None:
        for _ in range(self.chance.randint(2, 6)):
            self._tell()
        death_of(self.directory, USAGE).write_text(str(self.chance.randint(1, 25)))
        path = f"/v1/action/{self.chance.choice(['create', 'create', 'update', 'query'])}$"
        self.deployment.fault(self.chance.choice(FAULTS), method="POST", path=path, times=1)
        self._beat_until(lambda: not death_of(self.directory, USAGE).exists() or self.is_quiet(), "a death")

    def _tell(self) -> None:
        moment = self.hour - timedelta(minutes=self.chance.randint(1, 3 * 24 * 60 - 1))
        how = self.chance.choice(["DELTA", "DELTA", "SET"])
        report = UsageReport(
            customer=self.told.subscription.customer.ref_id,
            feature="api-calls",
            value=Decimal(self.chance.randint(0 if how == "SET" else -5, 30)),
            behavior=UpdateBehavior(how),
            key=f"{self.told.subscription.ref_id}-{len(self.told.reports)}",
            at=moment,
        )
        self.told.reports.append(report)
        report_usage(reports={0: report}, now=datetime.now(UTC))

    @staticmethod
    def is_quiet() -> bool:
        """Whether everything that was told is in the tenant, and was read back."""
        done = [UsageState.CONFIRMED, UsageState.VOID, UsageState.FAILED]
        return not (
            DirtyHour.objects.exists()
            or Slice.objects.untaken().exists()
            or UsageRecord.objects.exclude(state__in=done).exists()
            or UsageBatch.objects.exclude(state=BatchState.DONE).exists()
        )

    def end(self) -> None:
        death_of(self.directory, USAGE).unlink(missing_ok=True)
        self.deployment.control("DELETE", "faults")
        self._beat_until(self.is_quiet, "everything to be confirmed")

    def _beat_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait, and do meanwhile what the beat does once an hour."""

        def reached() -> bool:
            usage_hourly.apply_async(queue="usage", expires=5)
            return condition()

        self.deployment.wait_until(reached, what, seconds=120, poll=0.5, alive=[self.worker])


@pytest.fixture
def plan() -> Plan:
    sold: Plan = PlanFactory.create(ref_id="payg", metadata=FORCED)
    feature = MeteredFeatureFactory.create(ref_id="api-calls", units_plural="API calls")
    price(sold, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    return sold


@pytest.mark.usefixtures("connection")
def test_what_is_billed_is_what_was_used_whoever_dies(deployment: Deployment, plan: Plan) -> None:
    directory = deployment.directory / "deaths"
    directory.mkdir()
    worker = deployment.start(
        "mortal",
        ["-m", "tests.processes.mortal_worker", directory],
        SYNC_MAX_ATTEMPTS="50",
        SYNC_CLAIM_SECONDS="10",  # who dies reading back keeps the others from its records for so long
    )
    runs = [Run(seed, plan, deployment, worker, directory) for seed in SEEDS]
    for _ in range(ROUNDS):
        for run in runs:
            run.round()
    for run in runs:
        run.end()
    deaths = (directory / DEATHS).read_text().splitlines()
    assert len(deaths) >= len(SEEDS)
    assert not UsageRecord.objects.filter(state=UsageState.FAILED).exists()
    compared = subprocess.run(
        [sys.executable, "manage.py", "reconcile_usage", "--period", "all"],
        cwd=ROOT,
        env=deployment.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (compared.returncode, compared.stderr) == (0, "")
    deployment.control("POST", "bill-run", {"date": (datetime.now(UTC) + timedelta(days=62)).date().isoformat()})
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for item in deployment.rows("InvoiceItem"):
        if item.get("Usage"):
            billed[item["SubscriptionNumber"]] += Decimal(str(item["Quantity"]))
    assert billed == {f"stigg--s{seed}": sum(run.told.must_be_billed("UTC").values()) for seed, run in enumerate(runs)}
