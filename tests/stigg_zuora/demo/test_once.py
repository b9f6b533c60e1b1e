"""`make demo ONCE=1` with all of its processes: right when Zuora is right, and wrong when Zuora is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from integrations.zuora.standin.app import create_app
from stigg_zuora.demo.surroundings import only_one

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.processes


def test_it_succeeds_only_while_zuora_holds_exactly_what_it_should(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    ports = {"PORT": str(free_port()), "ZUORA_STANDIN_PORT": str(free_port())}
    first = demo(tmp_path, "--once", **ports)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Zuora holds exactly what it should." in first.stdout

    tamper(tmp_path / "zuora.journal")
    second = demo(tmp_path, "--once", **ports)
    assert second.returncode == 1, second.stdout + second.stderr
    told = [line.partition(" | ")[2].split(": ", 1) for line in second.stdout.splitlines() if " > " in line]
    plan, monthly = "stigg--plan--layer5-team-designer", "rate plans > Monthly > User"
    assert [(place, what.split(" {")[0]) for place, what in told] == [
        ("accounts > SOMEBODY-ELSE", "nothing should be there, Zuora holds"),
        (f"products > {plan} > {monthly} > EUR", "expected '13.76', Zuora holds '13.77'"),
        (
            f"subscriptions > stigg--granite-yard-designer > rate plans > {plan}, Monthly > User > quantity",
            "expected '12', Zuora holds '13'",
        ),
    ]

    # A command beside it needs no more than the directory: neither the secrets nor the ports that were chosen.
    beside = demo(tmp_path, "reconcile_usage", "--subscription", "juniper-games-pro")
    assert beside.returncode == 2, beside.stdout + beside.stderr
    assert f"No connection to 127.0.0.1:{ports['ZUORA_STANDIN_PORT']}" in beside.stderr


def demo(directory: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "stigg_zuora.demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(directory), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def tamper(journal: Path) -> None:
    """Change a price, a quantity, and add an account, as somebody could in the tenant."""
    app = create_app(data=journal)
    tenant = app.tenant
    store = tenant.store
    with tenant.mutex, store.transaction():
        plan = store.find("ProductRatePlan", "ProductRatePlanNumber", "stigg--plan--layer5-team-designer--monthly")
        assert plan is not None
        charge = store.where("ProductRatePlanCharge", "ProductRatePlanId", plan["Id"])[0]
        tier = next(
            row
            for row in store.where("ProductRatePlanChargeTier", "ProductRatePlanChargeId", charge["Id"])
            if row["Currency"] == "EUR"
        )
        tenant.update("ProductRatePlanChargeTier", tier, Price=Decimal("13.77"))
        subscription = store.find("Subscription", "Latest", "stigg--granite-yard-designer")
        assert subscription is not None
        plans = [
            {**one, "Charges": [row | ({"Quantity": 13} if row.get("UOM") else {}) for row in one["Charges"]]}
            for one in subscription["RatePlans"]
        ]
        tenant.update("Subscription", subscription, RatePlans=plans)
        other = store.find("Account", "AccountNumber", "stigg--granite-yard")
        assert other is not None
        store.put("Account", tenant.created(**{**other, "AccountNumber": "SOMEBODY-ELSE", "Id": store.new_id()}))
    app.close()


def test_a_second_demo_in_the_same_directory_is_a_sentence(tmp_path: Path) -> None:
    with only_one(tmp_path):
        done = demo(tmp_path)

    us = os.getpid()
    assert done.returncode == 1
    assert done.stderr == (
        f"A demo is running here already (process {us}): end it with Ctrl-C where it runs, or `kill {us}`.\n"
    )


def test_a_command_for_a_demo_that_never_was_is_a_sentence(tmp_path: Path) -> None:
    done = demo(tmp_path, "reconcile_usage")

    assert done.returncode == 1
    assert done.stderr == f"There is no demo in {tmp_path}: start it with `make demo` first.\n"
