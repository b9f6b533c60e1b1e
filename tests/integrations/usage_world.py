"""A tenant that bills by usage, a clock that stands still unless told, and the hands of the beat."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction

from catalog.models import BillingModel, Feature, Plan
from integrations import usage_delivery
from integrations.models import BatchState, Connection, UsageBatch, UsageRecord, UsageState
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.budget import Budget
from integrations.zuora.client import Client, new_session
from integrations.zuora.leases import MemoryLeases
from subscriptions.models import Subscription
from tests.factories.catalog import AddonFactory, PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory, MeterFactory
from tests.integrations.conftest import REST_URL, World
from tests.standin_transport import WSGIAdapter
from usage.closing import Closed
from usage.models import Aggregation, UpdateBehavior
from usage.reporting import UsageReport, report_usage

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: Their own time tells when they go on; what is in a call waits for the call.
_NEXT = [UsageState.PLANNED, UsageState.ACCEPTED]


@dataclass
class UsageWorld:
    """The world of the engine's tests, where somebody pays by usage."""

    world: World
    traveller: time_machine.Traveller
    feature: Feature
    plan: Plan
    told: int = field(default=0)

    @property
    def now(self) -> datetime:
        return self.world.now

    @property
    def control(self) -> Any:
        return self.world.app.control

    def at(self, moment: datetime) -> None:
        """Let it be then; time does not go back."""
        self.world.now = max(moment, self.world.now)
        self.traveller.move_to(self.world.now)

    def advance(self, **span: float) -> None:
        self.at(self.now + timedelta(**span))

    def settle(self) -> None:
        """Deliver catalog, customers and subscriptions."""
        self.world.settle()
        self.at(self.now)

    def sell(self, ref_id: str = "s1", *, sync: bool = True, **fields: Any) -> Subscription:
        made: Subscription = SubscriptionFactory.create(
            **{"ref_id": ref_id, "plan": self.plan, "start_date": START - timedelta(days=40), **fields}
        )
        if sync:
            self.settle()
        return made

    def use(
        self, subscription: Subscription, value: int | str | Decimal, *, at: datetime | None = None, how: str = "DELTA"
    ) -> None:
        self.told += 1
        report = UsageReport(
            customer=subscription.customer.ref_id,
            feature=self.feature.ref_id,
            value=Decimal(value),
            behavior=UpdateBehavior(how),
            key=f"event-{self.told}",
            at=at or self.now,
            resource=subscription.resource_id,
        )
        report_usage(reports={0: report}, now=max(self.now, at or self.now))

    def close(self) -> Closed:
        return usage_delivery.close_hours(now=self.now)

    def push(self, worker: str = "worker") -> None:
        """What the hourly task and its tasks do."""
        connection = self.world.connection
        connection.refresh_from_db()

        def ring(subscription_ids: list[int]) -> None:
            usage_delivery.push_usage(
                connection=connection,
                subscription_ids=subscription_ids,
                worker=worker,
                clock=self.world.clock,
                open_client=lambda _: self.world.client,
            )

        usage_delivery.run_hour(now=self.now, ring=ring)

    def sweep(self, worker: str = "worker") -> None:
        connection = self.world.connection
        connection.refresh_from_db()
        usage_delivery.sweep_usage(
            connection=connection, worker=worker, clock=self.world.clock, open_client=lambda _: self.world.client
        )

    def quiet(self, rounds: int = 200) -> None:
        """Sweep until nothing is on its way; time passes as far as the next attempt wants it to."""
        for _ in range(rounds):
            self.push()
            self.sweep()
            waits = [
                *UsageRecord.objects.filter(state__in=_NEXT).values_list("not_before", flat=True),
                *UsageBatch.objects.exclude(state=BatchState.DONE).values_list("not_before", flat=True),
            ]
            if not waits:
                return
            self.world.connection.refresh_from_db()
            paused = self.world.connection.paused_until or self.now
            self.at(max(paused, min(waits), self.now + timedelta(milliseconds=1)))
        raise AssertionError([(one.external_key, one.state, one.reason) for one in UsageRecord.objects.pending()])

    def next_hour(self) -> None:
        """Go to a few minutes past the next hour, when the beat rings."""
        self.at(self.now.replace(minute=0, second=0, microsecond=0) + HOUR + timedelta(minutes=4))

    def rows(self) -> list[tuple[str, Decimal, str]]:
        """Return key, quantity and time of every usage record of the tenant, without what all keys begin with."""
        return [
            (one["Description"].removeprefix("stigg--"), one["Quantity"], one["StartDateTime"])
            for one in sorted(self.world.rows("Usage"), key=lambda row: str(row["Description"]))
        ]

    def quantities(self) -> list[int]:
        """Return the quantities in Zuora, by time and key."""
        rows = sorted(self.world.rows("Usage"), key=lambda row: (row["StartDateTime"], row["Description"]))
        return [int(one["Quantity"]) for one in rows]

    def bill(self, day: date) -> dict[str, Decimal]:
        """Bill all that is due by a day; return what has been billed so far, by subscription number."""
        self.control.bill_run(day)
        billed: dict[str, Decimal] = {}
        for item in self.world.rows("InvoiceItem"):
            if item.get("Usage"):
                number = item["SubscriptionNumber"]
                billed[number] = billed.get(number, Decimal(0)) + item["Quantity"]
        return billed

    def states(self) -> list[str]:
        return list(UsageRecord.objects.order_by("external_key").values_list("state", flat=True))


@contextmanager
def from_the_beginning(tenant: UsageWorld) -> Iterator[UsageWorld]:
    """Give the tenant as it was made, and undo what happens inside: much cheaper than to make another."""
    tenant.control.snapshot("beginning")
    CustomerFactory.reset_sequence(0)  # type: ignore[no-untyped-call]  # the tenant holds payment methods for some
    with transaction.atomic():
        tenant.told, tenant.world.now = 0, START
        tenant.at(START)
        tenant.world.connection = Connection.objects.get()
        tenant.plan, tenant.world.client = Plan.objects.get(), _client(tenant)
        yield tenant
        transaction.set_rollback(True)
    tenant.control.clear_faults()
    tenant.control.clear_log()
    tenant.control.restore("beginning")


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> Iterator[UsageWorld]:
    """A tenant that is connected on 10 March 2026 at noon, and a plan whose API calls are paid as they are used."""
    with time_machine.travel(START, tick=False) as traveller:
        world = request.getfixturevalue("world")
        feature = MeteredFeatureFactory.create(ref_id="api-calls", units_plural="API calls")
        plan = PlanFactory.create(ref_id="payg")
        price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
        made = UsageWorld(world, traveller, feature, plan)
        world.client = _client(made)
        made.settle()
        yield made


def sell_an_addon(tenant: UsageWorld) -> None:
    """Have an add-on on sale that charges the same usage once more, at seven; events add to it, too."""
    MeterFactory.create(feature=tenant.feature, aggregation=Aggregation.SUM, field="n")
    addon = AddonFactory.create(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 7})
    tenant.settle()


def _client(tenant: UsageWorld) -> Client:
    """A client that waits for its budget in the time of the test."""
    session = new_session()
    session.mount("https://", WSGIAdapter(tenant.world.app))
    budget = Budget(MemoryLeases(), sleep=lambda seconds: tenant.advance(seconds=seconds))
    credentials = Credentials(REST_URL, "demo-client", "demo-secret")
    return Client(credentials, tokens=MemoryTokenStore(), session=session, budget=budget)
