"""A file of usage through real workers that die on its way: each record is in Zuora once, and billed as it was used."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from catalog.models import BillingModel, Price
from integrations.models import EntityKind, SyncRecord, UsageAction, UsageBatch
from integrations.tasks import usage_hourly
from subscriptions.models import Subscription
from tests.factories.catalog import PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory
from tests.processes.deployment import Deployment
from tests.processes.file_mishaps import MISHAPS, FileRoad
from tests.processes.running import Running
from tests.processes.sales import FORCED
from usage.models import Slice

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once")]

BY_FILE = {"ZUORA_USAGE_FILE_DATES": "MM/DD/YYYY", "ZUORA_USAGE_FILE_ALWAYS": "true", "ZUORA_USAGE_FILE_LEAST": "5"}
HOURS = 6
#: Those that a step of `tests/integrations/test_usage_files_mishaps.py` cannot stand for; the benchmark has all.
BROKEN = (
    "its answer lost twice",
    "killed while it uploads",
    "killed before it knows the import",
    "killed while Zuora imports",
    "its import failed",
)


def sell(ref_ids: list[str], *, now: datetime) -> list[Subscription]:
    plan = PlanFactory.create(ref_id="payg", metadata=FORCED)
    feature = MeteredFeatureFactory.create(ref_id="api-calls", units_plural="API calls")
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    return [
        SubscriptionFactory.create(
            ref_id=ref_id,
            customer=CustomerFactory.create(ref_id=ref_id, payment_method_id="", metadata=FORCED),
            plan=plan,
            start_date=now - timedelta(days=20),
            metadata=FORCED,
        )
        for ref_id in ref_ids
    ]


def slice_up(sold: list[Subscription], first: datetime) -> None:
    """Make what closing makes of some hours' usage, each of another quantity."""
    for number in range(HOURS):
        starts_at = first - timedelta(hours=number)
        Slice.objects.bulk_create(
            Slice(
                subscription=one,
                price=Price.objects.get(),
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=1),
                change=Decimal(number + place + 1),
                quantity=Decimal(number + place + 1),
                event_count=1,
                closed_at=starts_at + timedelta(hours=1),
            )
            for place, one in enumerate(sold)
        )


@pytest.mark.usefixtures("connection")
def test_a_file_is_billed_once_whatever_becomes_of_it_and_of_its_workers(deployment: Deployment) -> None:
    now = datetime.now(UTC)
    sold = sell(["acme", "birch"], now=now)

    def start() -> list[Running]:
        return [deployment.start_worker(f"worker-{datetime.now(UTC).timestamp():.3f}", threads=2, **BY_FILE)]

    road = FileRoad(deployment, start, seconds=60, hurries=True, workers=start())
    linked = SyncRecord.objects.filter(kind=EntityKind.SUBSCRIPTION).exclude(zuora_id="")
    road.until(lambda: linked.count() == len(sold), "both to be sold")
    hour = now.replace(minute=0, second=0, microsecond=0)
    for before, mishap in [MISHAPS[name] for name in BROKEN]:
        hour -= timedelta(hours=HOURS)
        slice_up(sold, hour)
        if before:
            before(road)
        usage_hourly.apply_async(queue="usage")
        if mishap:
            mishap(road)
        road.until_quiet()
    assert UsageBatch.objects.filter(action=UsageAction.FILE).count() == len(BROKEN)
    # From 1 to 6 of one and from 2 to 7 of the other, each time.
    bill = {"records": len(BROKEN) * HOURS * 2, "subscriptions": 2, "billed": Decimal(len(BROKEN) * (21 + 27))}
    assert road.bill() == bill
