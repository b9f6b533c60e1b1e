"""What an import makes of changes that Stigg has scheduled: what it tells is scheduled here, the rest is asked."""

from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.models import Operation
from subscriptions.models import ScheduledChange, Subscription
from subscriptions.taking_effect import take_effect
from tests.integrations.stigg.cloud import Cloud
from tests.integrations.stigg.imports import lines, run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("account")]

JULY = datetime(2026, 7, 1, tzinfo=UTC)


def update(kind: str, *, target: str = "", **fields: Any) -> dict[str, Any]:
    """Return a scheduled update as Stigg's API tells it."""
    return {
        "subscriptionScheduleType": kind,
        "scheduleStatus": "SCHEDULED",
        "scheduledExecutionTime": "2026-07-01T00:00:00Z",
        "targetPackage": {"id": target} if target else None,
        **fields,
    }


def scheduled() -> list[tuple[Any, ...]]:
    names = ("subscription__ref_id", "change_type", "status", "effective_at", "content", "successor__ref_id")
    return list(ScheduledChange.objects.order_by("pk").values_list(*names))


def unchanged(operation: Operation) -> bool:
    return all(name.endswith(("unchanged", "to check")) for name in operation.tally)


def test_what_can_only_mean_one_thing_is_scheduled_here(cloud: Cloud) -> None:
    cloud.charge("pro", 490, billingPeriod="ANNUALLY")
    cloud.add("subscriptions", "s1", futureUpdates=[update("BILLING_PERIOD"), update("ADDON", scheduleStatus="DONE")])
    cloud.add("subscriptions", "s2", resourceId="b", futureUpdates=[update("MIGRATE_TO_LATEST")])
    assert lines(run()) == []
    assert scheduled() == [
        ("s1", "BILLING_PERIOD", "SCHEDULED", JULY, {"billing_period": "ANNUALLY"}, None),
        ("s2", "MIGRATE_TO_LATEST", "SCHEDULED", JULY, {"latest": True}, None),
    ]
    assert unchanged(run())
    cloud.rows["subscriptions"][0]["futureUpdates"] = []
    cloud.rows["subscriptions"][1]["futureUpdates"][0]["scheduledExecutionTime"] = "2026-08-01T00:00:00Z"
    operation = run()
    assert operation.tally["subscriptions updated"] == 2
    assert [row[1:4] for row in scheduled()] == [
        ("BILLING_PERIOD", "CANCELED", JULY),
        ("MIGRATE_TO_LATEST", "SCHEDULED", datetime(2026, 8, 1, tzinfo=UTC)),
    ]


def test_what_stigg_does_not_tell_is_asked_and_not_guessed(cloud: Cloud) -> None:
    cloud.add("subscriptions", "s1", futureUpdates=[update("ADDON"), update("PLAN", target="scale")])
    operation = run()
    assert [(key, outcome, text.partition("While")[0]) for key, outcome, text in lines(operation)] == [
        (
            "subscription:s1",
            "to check",
            "Stigg has scheduled a change for 2026-07-01 00:00 UTC (Add-ons), and does not tell to what. ",
        ),
        (
            "subscription:s1",
            "to check",
            (
                "Stigg has scheduled the plan scale for 2026-07-01 00:00 UTC, and does not tell its billing period and "
                "quantities. "
            ),
        ),
    ]
    assert (operation.failed, operation.tally["subscriptions created"], scheduled()) == (0, 1, [])
    subscription = Subscription.objects.get()
    subscription.scheduled_changes.create(change_type="ADDON", effective_at=JULY, content={"addons": {}})
    run()  # a person has answered
    assert [row[:3] for row in scheduled()] == [("s1", "ADDON", "SCHEDULED")]


def test_another_deployment_tells_all_of_it(cloud: Cloud) -> None:
    cloud.add("plans", "scale")
    cloud.charge("scale", 99)
    cloud.add("addons", "support")
    cloud.charge("support", 10)
    told = [
        update("ADDON", content={"addons": {"support": 2}}),
        update("PLAN", target="scale", content={"subscription": "s2"}),
    ]
    cloud.add("subscriptions", "s1", futureUpdates=told)
    cloud.add("subscriptions", "s2", planId="scale", status="NOT_STARTED", startDate="2026-08-01T00:00:00Z")
    assert lines(run()) == []
    assert scheduled() == [
        ("s1", "ADDON", "SCHEDULED", JULY, {"addons": {"support": 2}}, None),
        ("s1", "PLAN", "SCHEDULED", datetime(2026, 8, 1, tzinfo=UTC), {}, "s2"),
    ]
    assert unchanged(run())
    take_effect(now=datetime(2026, 8, 2, tzinfo=UTC))
    rows = Subscription.objects.values_list("ref_id", "status", "addons__addon__ref_id", "addons__quantity")
    assert list(rows) == [("s1", "CANCELED", "support", 2), ("s2", "ACTIVE", None, None)]
    told[0]["content"] = {"coupon": "launch"}
    assert [text for _, _, text in lines(run())][:1] == [
        "One of its scheduled changes is not of the type that it is said to be."
    ]


def test_periods_that_stigg_counts_from_another_day_are_named(cloud: Cloud) -> None:
    cloud.add("subscriptions", "s1", resourceId="a", billingCycleAnchor="2026-02-01T00:00:00Z")
    cloud.add("subscriptions", "s2", resourceId="b", billingCycleAnchor="2026-03-15T00:00:00Z")
    assert [(key, text.partition(":")[0]) for key, _, text in lines(run())] == [
        (
            "subscription:s2",
            "Stigg counts its billing periods from 2026-03-15, and here they are counted from 2026-03-01",
        )
    ]


def test_a_price_of_an_older_version_is_not_guessed(cloud: Cloud) -> None:
    cloud.rows["plans"][0]["versionNumber"] = 2
    cloud.add("subscriptions", "unknown", resourceId="a")
    cloud.add("subscriptions", "told", resourceId="b", prices=[{"baseCharge": True, "amount": 39, "currency": "eur"}])
    cloud.add("subscriptions", "linked", resourceId="c", billingId="A-S00000001")
    assert [(key, outcome, text.partition(".")[0]) for key, outcome, text in lines(run())] == [
        (
            "subscription:unknown",
            "skipped",
            (
                "It may have been sold an older version of Pro than version 2, and Stigg tells neither which nor what "
                "it pays"
            ),
        )
    ]
    rows = Subscription.objects.values_list("ref_id", "plan_version_number", "price_overrides__amount")
    assert list(rows) == [("linked", 2, None), ("told", 2, 39)]
    cloud.rows["subscriptions"] = []
    cloud.add("subscriptions", "later", resourceId="d", createdAt="2199-01-01T00:00:00Z")  # version 2 was here by then
    assert lines(run()) == []
