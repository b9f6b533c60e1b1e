"""A worker is killed between claim and record: afterwards exactly one object exists, and the record knows it."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Q

from integrations import reconcile
from integrations.collecting import collecting
from integrations.entities import ENTITIES
from integrations.models import Connection, JobState, SyncJob, SyncRecord, SyncStatus
from integrations.zuora.auth import Credentials
from integrations.zuora.client import Client
from tests.processes.deployment import CLIENT_ID, CLIENT_SECRET, Deployment
from tests.processes.mortal_worker import DEATHS, PID, STEPS, death_of
from tests.processes.running import Running
from tests.processes.sales import add_seats, change_prices, look_again, move, publish, sign_up, subscribe

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("at_once", "connection")]

#: Enough for every step of an order.
CUSTOMERS = ["lives", *(f"dies-{number:02d}" for number in range(1, 21))]
TABLES = ["Product", "ProductRatePlan", "ProductRatePlanCharge", "UnitOfMeasure", "Account", "Subscription"]


@dataclass
class Deaths:
    """Tells the mortal worker where to die, and knows where it did."""

    deployment: Deployment
    directory: Path
    worker: Running

    def at_every_step(self, kind: str, act: Callable[[list[str]], None]) -> list[str]:
        """Let `act` change entities of these references: one lives, and for each step of it another one dies there.

        Return the steps; afterwards everything is settled.
        """
        (self.directory / DEATHS).write_text("")
        steps = self._steps_of_one_that_lives(kind, act)
        refs = [f"dies-{number:02d}" for number in range(1, len(steps) + 1)]
        for number, ref in enumerate(refs, start=1):
            death_of(self.directory, f"{kind}:{ref}").write_text(str(number))
        act(refs)
        self.settle()
        assert self._lines(DEATHS) == [[f"{kind}:{ref}", step] for ref, step in zip(refs, steps, strict=True)]
        return steps

    def _steps_of_one_that_lives(self, kind: str, act: Callable[[list[str]], None]) -> list[str]:
        (self.directory / STEPS).write_text("")
        act(["lives"])

        def steps() -> list[str]:
            found: list[str] = dict(self._lines(STEPS)).get(f"{kind}:lives", [])
            return found

        return self.deployment.wait_until(steps, "the first delivery", alive=[self.worker])

    def settle(self) -> None:
        """Wait until nothing is left to do."""
        self.deployment.wait_until(
            lambda: not SyncJob.objects.open().exists(), "every job to settle", seconds=90, alive=[self.worker]
        )

    def kill_now(self) -> None:
        """Kill the worker in whatever it does; the next one starts by itself."""
        os.kill(int((self.directory / PID).read_text()), signal.SIGKILL)

    def _lines(self, name: str) -> list[list[Any]]:
        file = self.directory / name
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def deaths(deployment: Deployment) -> Deaths:
    directory = deployment.directory / "deaths"
    directory.mkdir()
    worker = deployment.start("mortal", ["-m", "tests.processes.mortal_worker", directory])
    return Deaths(deployment, directory, worker)


def assert_in_order(deployment: Deployment) -> None:
    """Every job ended well, every record knows an object that is there, and there is nothing more to send."""
    assert dict(SyncJob.objects.exclude(state=JobState.DONE).values_list("key", "reason")) == {}
    assert set(SyncRecord.objects.values_list("status", flat=True)) == {SyncStatus.SUCCESS}
    assert not SyncRecord.objects.filter(Q(digest="") | Q(pending_since__isnull=False)).exists()
    there = {row["Id"] for table in TABLES for row in deployment.rows(table) if row.get("IsLatestVersion", True)}
    assert sorted(SyncRecord.objects.values_list("zuora_id", flat=True)) == sorted(there)
    client = Client(Credentials(deployment.rest_url, CLIENT_ID, CLIENT_SECRET))
    wishes = [wish for entity in ENTITIES.values() for wish in entity.wishes()]
    tenant = Connection.objects.get()
    assert reconcile.differing(connection=tenant, wishes=wishes, client=client, now=datetime.now(UTC)) == []


def requests_of(steps: list[str]) -> list[str]:
    return [step for step in steps if step.startswith(("POST ", "PUT ", "GET "))]


def test_plan(deployment: Deployment, deaths: Deaths) -> None:
    steps = deaths.at_every_step("plan", publish)
    assert requests_of(steps) == [
        "POST /v1/object/product",
        "POST /v1/object/product-rate-plan",
        "POST /settings/units-of-measure",
        "POST /v1/object/product-rate-plan-charge",
    ]
    assert_in_order(deployment)
    changed = deaths.at_every_step("plan", change_prices)
    assert requests_of(changed) == ["PUT /v1/object/product-rate-plan-charge"]
    assert_in_order(deployment)
    prices = Counter(row["Price"] for row in deployment.rows("ProductRatePlanChargeTier"))
    assert prices == {12.5: len(changed) + 1, 10: len(steps) - len(changed)}


def test_customer(deployment: Deployment, deaths: Deaths) -> None:
    steps = deaths.at_every_step("customer", sign_up)
    assert requests_of(steps) == ["POST /v1/accounts"]
    assert_in_order(deployment)
    changed = deaths.at_every_step("customer", move)
    assert requests_of(changed) == ["PUT /v1/accounts"]
    assert_in_order(deployment)
    cities = Counter(row["City"] for row in deployment.rows("Contact"))
    assert cities == {"Bremen": len(changed) + 1, "Berlin": len(steps) - len(changed)}


def test_subscription(deployment: Deployment, deaths: Deaths) -> None:
    publish(["pro"])
    sign_up(CUSTOMERS)
    deaths.settle()
    steps = deaths.at_every_step("subscription", subscribe)
    assert requests_of(steps) == ["POST /v1/orders"]
    assert deployment.row_counts()["Order"] == len(steps) + 1
    subscribe(more := CUSTOMERS[len(steps) + 1 :])  # a change may have more steps than a create
    look_again()  # whoever died has been looked at once more than the one that lived, and kept other reasons
    deaths.settle()
    changed = deaths.at_every_step("subscription", add_seats)
    assert requests_of(changed) == ["POST /v1/orders"]
    assert deployment.row_counts()["Order"] == len(steps) + 1 + len(more) + len(changed) + 1
    assert_in_order(deployment)


def test_request_that_was_carried_out_and_not_answered(deployment: Deployment, deaths: Deaths) -> None:
    """Zuora has done the work and the answer is on its way when the worker dies."""

    publish(["pro"])
    sign_up(["created", "changed"])
    subscribe(["changed"])
    deaths.settle()
    for act, ref, path, table in (
        (publish, "team", "/object/product$", "Product"),
        (publish, "business", "/object/product-rate-plan$", "ProductRatePlan"),
        (publish, "large", "/units-of-measure$", "UnitOfMeasure"),
        (publish, "largest", "/object/product-rate-plan-charge$", "ProductRatePlanCharge"),
        (sign_up, "customer", "/accounts$", "Account"),
        (subscribe, "created", "/orders$", "Order"),
        (add_seats, "changed", "/orders$", "Order"),
    ):
        rows = deployment.row_counts()[table]
        deployment.fault("delay", method="POST", path=path, seconds=300, after=True, times=1)
        act([ref])
        deployment.wait_until(
            lambda: not deployment.faults_left() and deployment.row_counts()[table] == rows + 1,  # noqa: B023 - used at once
            f"a POST to {path} to be carried out",
            alive=[deaths.worker],
        )
        deaths.kill_now()
        deaths.settle()
    # The second of three that are delivered together: one is answered and not stored yet, one has not left.
    deployment.fault("delay", method="POST", path="/accounts$", seconds=300, after=True, skip=1, times=1)
    with transaction.atomic(), collecting(now=datetime.now(UTC)):
        sign_up(["first", "second", "third"])
    deployment.wait_until(
        lambda: not deployment.faults_left() and deployment.row_counts()["Account"] == 5,
        "two of three accounts to be made",
        alive=[deaths.worker],
    )
    assert SyncJob.objects.filter(state=JobState.SENDING).count() == 3
    assert SyncRecord.objects.filter(kind="customer").exclude(zuora_id="").count() == 3
    deaths.kill_now()
    deaths.settle()
    assert_in_order(deployment)
    counts = deployment.row_counts()
    assert {table: counts[table] for table in [*TABLES, "Order"]} == {
        "Product": 5,
        "ProductRatePlan": 5,
        "ProductRatePlanCharge": 5,
        "UnitOfMeasure": 5,
        "Account": 6,
        "Subscription": 3,  # one of them in two versions
        "Order": 3,
    }
