"""Whoever tampers with usage in the tenant, or with the ledger, is found out, and what differs is named."""

import csv
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from catalog.models import PricingType
from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from integrations.usage_nobodys import HEADER
from integrations.usage_sync import retry
from tests.factories.catalog import PlanFactory
from tests.integrations import usage_reconciling
from tests.integrations.usage_reconciling import reconciled
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage.models import Slice, UsageEvent

__all__ = ["reconciled", "tenant"]
pytestmark = pytest.mark.django_db

KEY = "stigg--s1--plan--payg--api-calls--20260310t100000z"


@pytest.fixture(autouse=True)
def _told(reconciled: UsageWorld) -> None:
    """Three hours of usage are in the tenant."""
    acme = reconciled.sell()
    for hour in (1, 2, 3):
        reconciled.use(acme, hour, at=START - timedelta(hours=hour))
    reconciled.quiet()


def compare(**options: Any) -> list[str]:
    """Run the command; return what it says but for its first line."""
    return [line for line in usage_reconciling.compare(**options) if not line.startswith("What was used up to ")]


def row_of(tenant: UsageWorld) -> dict[str, Any]:
    return next(row for row in tenant.world.rows("Usage") if row["Description"] == KEY)


def change(tenant: UsageWorld, **values: Any) -> None:
    tenant.world.app.tenant.store.change("Usage", row_of(tenant), **values)


def test_what_is_equal_is_said_to_be(tenant: UsageWorld) -> None:
    tenant.next_hour()
    assert compare()[-1] == "2 compared, all equal."


TAMPERED: dict[str, tuple[Callable[[UsageWorld], None], list[str]]] = {
    "missing": (
        lambda tenant: tenant.world.app.tenant.store.delete("Usage", row_of(tenant)["Id"]),
        [
            f"Zuora has no {KEY}, 2 (confirmed). Somebody deleted it there: “Set right in Zuora” at ",
            "Slices say 6, moved 0, but Zuora says 4.",
        ],
    ),
    "doubled": (
        lambda tenant: _put(tenant, Id="f" * 32),
        [f"Zuora holds {KEY} 2 times: delete {'f' * 32} there, and keep ", "Slices say 6, moved 0, but Zuora says 8."],
    ),
    "extra": (
        lambda tenant: _put(tenant, Id="f" * 32, Description="by hand", Quantity=Decimal(9)),
        [f"Zuora holds 9 in usage record {'f' * 32}, by hand: not ours.", "Slices say 6, moved 0, but Zuora says 15."],
    ),
    "extra, for every charge": (
        lambda tenant: _put(tenant, Id="f" * 32, Description=None, ChargeNumber=None, Quantity=Decimal(9)),
        [
            f"Zuora holds 9 in usage record {'f' * 32}, without a description: not ours.",
            "Slices say 6, moved 0, but Zuora says 15.",
        ],
    ),
    "extra, for every charge of the account with that unit": (
        lambda tenant: _put(tenant, Id="f" * 32, SubscriptionNumber=None, ChargeNumber=None, Description="by hand"),
        [
            f"Zuora holds 2 in usage record {'f' * 32}, by hand, filed under the account alone: not ours.",
            "Slices say 6, moved 0, but Zuora says 8.",
        ],
    ),
    "another quantity": (
        lambda tenant: change(tenant, Quantity=Decimal("2.5")),
        [
            f"Zuora holds 2.5 of {KEY}, 2 is right. Somebody changed it there: “Set right in Zuora” at ",
            "Slices say 6, moved 0, but Zuora says 6.5.",
        ],
    ),
    "another time": (
        lambda tenant: change(tenant, StartDateTime="2026-03-12T10:00:00.000+00:00"),
        [f"Zuora has {KEY} at 2026-03-12T10:00:00.000+00:00, not 2026-03-10T10:00:00+00:00."],
    ),
    "a time long before": (
        lambda tenant: change(tenant, StartDateTime="2025-01-01T00:00:00.000+00:00"),
        [f"Zuora has no {KEY}, 2 (confirmed).", "Slices say 6, moved 0, but Zuora says 4."],
    ),
    "another charge": (
        lambda tenant: change(tenant, ChargeNumber="C-00000099"),
        [f"Zuora has {KEY} under C-00000099, not C-00000001. Delete it there, then “Set right in Zuora” at "],
    ),
    "a slice": (
        lambda _: _set(Slice.objects.filter(quantity=2), quantity=3),
        ["Events say 6, carried 0, but slices say 7."],
    ),
    "an event": (
        lambda _: _set(UsageEvent.objects.filter(value=2), value=3),
        ["Events say 7, carried 0, but slices say 6."],
    ),
    "what was billed too much": (
        lambda _: _set(UsageCharge.objects.all(), unabsorbed=5),
        [
            (
                "5 were billed too much: as long as the charge runs under the same number, the next usage makes up for "
                "it; once that has ended, credit it in Zuora."
            )
        ],
    ),
}


def _set(rows: QuerySet[Any], **values: int) -> None:
    rows.update(**values)


def _put(tenant: UsageWorld, **values: Any) -> None:
    row = {name: value for name, value in {**row_of(tenant), **values}.items() if value is not None}
    tenant.world.app.tenant.store.put("Usage", row)


@pytest.mark.parametrize("how", TAMPERED)
def test_every_difference_is_named(tenant: UsageWorld, how: str) -> None:
    tamper, sentences = TAMPERED[how]
    tamper(tenant)
    tenant.next_hour()
    said = compare()
    assert said[-2:] == ["1 of 2 differ.", "exit 1"]
    found = [line for line in said[:-2] if not line.startswith("s1 ")]
    assert len(found) == len(sentences), found
    for line, sentence in zip(found, sentences, strict=True):
        assert line.startswith(sentence)


@pytest.mark.parametrize("without", [{"ChargeNumber": None}, {"ChargeNumber": None, "SubscriptionNumber": None}])
def test_what_is_counted_in_another_unit_lands_on_another_charge(tenant: UsageWorld, without: dict[str, None]) -> None:
    _put(tenant, Id="f" * 32, Description="by hand", UOM="lorries", **without)
    tenant.next_hour()
    assert compare()[-1] == "2 compared, all equal."


@pytest.mark.parametrize("how", ["missing", "another quantity", "another time", "a time long before"])
def test_what_was_changed_in_zuora_is_set_right_when_somebody_says_so(tenant: UsageWorld, how: str) -> None:
    TAMPERED[how][0](tenant)
    tenant.next_hour()
    assert (
        "1 records are read again within minutes and set right where Zuora holds something else; what Zuora no longer "
        "shows fails then, and is made anew when you retry it." in compare(mend=True)
    )
    tenant.quiet()
    gone = UsageRecord.objects.filter(state=UsageState.FAILED)
    assert gone.count() == (how == "missing")
    retry(records=list(gone.values_list("pk", flat=True)), actor=None, now=tenant.now)
    tenant.quiet()
    assert compare()[-1] == "2 compared, all equal."
    assert tenant.bill(date(2026, 4, 1)) == {"stigg--s1": Decimal(6)}
    tenant.quiet()
    assert compare()[-1] == "2 compared, all equal."


def test_what_sending_cannot_mend_is_left_to_a_person(tenant: UsageWorld) -> None:
    TAMPERED["extra"][0](tenant)
    tenant.bill(date(2026, 4, 10))
    UsageRecord.objects.update(is_billed=True)
    change(tenant, Quantity=Decimal(5))
    tenant.next_hour()
    said = compare(mend=True)
    billed = f"Zuora holds 5 of {KEY}, 2 is right. It is billed: credit or charge the difference in Zuora."
    foreign = f"Zuora holds 9 in usage record {'f' * 32}, by hand: not ours. "
    assert {billed, f"{foreign}Delete it there, unless it is to be billed as well."} < set(said)
    assert said[-3:] == ["Nothing can be mended by sending: do what is said above.", "1 of 2 differ.", "exit 1"]
    assert tenant.states() == [UsageState.CONFIRMED] * 3


def test_a_period_without_usage_is_no_proof() -> None:
    assert compare(period="2019-03-10") == [
        "Nothing was compared: no subscription that is synced has usage in the billing period around 2019-03-10.",
        "exit 2",
    ]


def test_why_there_is_nothing_to_compare_of_a_subscription_is_said(tenant: UsageWorld) -> None:
    tenant.sell("unused")
    tenant.sell("free", plan=PlanFactory.create(pricing_type=PricingType.FREE), billing_period="")
    said = {name: compare(subscription=name) for name in ("unused", "free")}
    assert said == {
        "unused": ["Nothing was compared: unused has no usage up to the last full hour.", "exit 2"],
        "free": ["Nothing was compared: free is not synced, so Zuora is to hold nothing of it.", "exit 2"],
    }
    assert compare(subscription="s1", period="2019-03-10") == [
        "Nothing was compared: s1 has no usage in the billing period around 2019-03-10.",
        "exit 2",
    ]


def test_without_a_connection_nothing_is_proven(tenant: UsageWorld) -> None:
    Connection.objects.update(removed_at=tenant.now)
    assert compare() == ["Zuora is not connected: connect it at Settings > Integrations > Apps > Zuora.", "exit 2"]


def test_usage_that_no_hour_was_ever_closed_of_is_a_difference(tenant: UsageWorld) -> None:
    hooli = tenant.sell("s2")
    tenant.use(hooli, 5, at=START - timedelta(hours=3))
    tenant.use(hooli, 5)
    tenant.next_hour()
    assert compare(subscription="s2", period="2026-03-10") == [
        (
            "s2 plan:payg/MONTHLY/RECURRING/USAGE_BASED/api-calls, 2026-02-28 to 2026-03-29: "
            "events 10, carried 0, slices 0, moved 0, zuora 0"
        ),
        "Events of 2026-03-10 09:00 are not in slices yet: the next hourly run closes them.",
        "Events of 2026-03-10 12:00 are not in slices yet: the next hourly run closes them.",
        "Events say 10, carried 0, but slices say 0.",
        "1 of 1 differ.",
        "exit 1",
    ]
    assert compare()[-2:] == ["1 of 4 differ.", "exit 1"]
    tenant.quiet()
    assert compare()[-1] == "4 compared, all equal."


def test_reports_hold_every_line(tenant: UsageWorld, tmp_path: Path) -> None:
    change(tenant, Quantity=Decimal(5))
    tenant.next_hour()
    compare(period="2026-03-10", json=tmp_path / "r.json", csv=tmp_path / "r.csv")
    [line] = json.loads((tmp_path / "r.json").read_text())
    assert [line[name] for name in ("subscription", "number", "events", "slices", "zuora")] == [
        *("s1", "C-00000001", "6", "6", "9")
    ]
    with (tmp_path / "r.csv").open() as file:
        [row] = csv.DictReader(file)
    assert row == dict.fromkeys(HEADER, "") | line | {"differences": "; ".join(line["differences"])}


def test_a_full_disk_is_told(tenant: UsageWorld) -> None:
    tenant.next_hour()
    assert compare(json=Path("/dev/full"))[-2:] == [
        "The report cannot be written to /dev/full: No space left on device.",
        "exit 2",
    ]


def test_where_nothing_differs_there_is_nothing_to_mend(tenant: UsageWorld) -> None:
    tenant.next_hour()
    assert compare(mend=True)[2:] == ["2 compared, all equal."]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"period": "March"}, "March is no period: give a day in it, such as 2026-03-10, or all."),
        ({"period": "9999-12-31"}, "9999-12-31 is no period: give a day in it, such as 2026-03-10, or all."),
        ({"csv": Path("/")}, "The report cannot be written to /: Is a directory."),
        (
            {"json": Path("/dev/null"), "csv": Path("/dev/../dev/null")},
            "JSON and CSV cannot go into one file: give each its own.",
        ),
        ({"subscription": "nobody"}, "There is no subscription nobody."),
        (
            {"json": Path("/nowhere/r.json")},
            "The report cannot be written to /nowhere/r.json: No such file or directory.",
        ),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_read(
    tenant: UsageWorld, options: dict[str, Any], sentence: str
) -> None:
    tenant.world.calls()
    with pytest.raises(CommandError) as refusal:
        call_command("reconcile_usage", **options)
    assert (str(refusal.value), refusal.value.returncode) == (sentence, 2)
    assert tenant.world.calls() == {}


def test_a_tenant_that_cannot_be_read_proves_nothing(tenant: UsageWorld) -> None:
    tenant.control.add_fault("reset", method="POST", path="/v1/action/query$")
    with pytest.raises(CommandError, match="Zuora could not be read, so nothing is proven"):
        call_command("reconcile_usage")
