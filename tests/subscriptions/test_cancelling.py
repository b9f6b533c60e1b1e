from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models.signals import post_save

from catalog.models import BillingPeriod, CancellationTime, Plan
from subscriptions.cancelling import cancel
from subscriptions.models import Subscription
from subscriptions.taking_effect import take_effect
from tests.factories.catalog import PlanFactory, plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 31, tzinfo=UTC)
NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)


def subscription(**fields: Any) -> Subscription:
    return SubscriptionFactory.create(**{"ref_id": "sub-1", "start_date": START, **fields})


def end_of(row: Subscription) -> tuple[str, str, datetime | None, datetime | None]:
    row.refresh_from_db()
    return (row.status, row.cancellation_time, row.cancellation_date, row.effective_end_date)


def test_cancelled_now_it_has_ended() -> None:
    row = subscription()
    cancel(subscription=row, time=CancellationTime.IMMEDIATE, now=NOW)
    assert end_of(row) == ("CANCELED", "IMMEDIATE", NOW, NOW)
    assert row.is_ended


@pytest.mark.parametrize(
    ("billing_period", "end"),
    [
        (BillingPeriod.MONTHLY, datetime(2026, 2, 28, tzinfo=UTC)),
        (BillingPeriod.ANNUALLY, datetime(2027, 1, 31, tzinfo=UTC)),
    ],
)
def test_cancelled_at_period_end_it_runs_until_then(billing_period: BillingPeriod, end: datetime) -> None:
    row = subscription(plan=plan_with_prices(periods=[billing_period]), billing_period=billing_period)
    cancel(subscription=row, time=CancellationTime.END_OF_BILLING_PERIOD, now=NOW)
    assert end_of(row) == ("ACTIVE", "END_OF_BILLING_PERIOD", end, None)


def test_after_a_trial_periods_are_counted_from_its_end() -> None:
    row = subscription(trial_end_date=datetime(2026, 2, 5, tzinfo=UTC))
    cancel(subscription=row, time=CancellationTime.END_OF_BILLING_PERIOD, now=NOW)
    assert row.cancellation_date == datetime(2026, 3, 5, tzinfo=UTC)


def test_cancelled_at_a_date_it_runs_until_then() -> None:
    row, date = subscription(), datetime(2026, 5, 1, tzinfo=UTC)
    cancel(subscription=row, time=CancellationTime.SPECIFIC_DATE, date=date, now=NOW)
    assert end_of(row) == ("ACTIVE", "SPECIFIC_DATE", date, None)


def test_a_later_cancellation_replaces_an_earlier_one() -> None:
    row = subscription()
    cancel(subscription=row, time=CancellationTime.SPECIFIC_DATE, date=datetime(2026, 5, 1, tzinfo=UTC), now=NOW)
    cancel(subscription=row, time=CancellationTime.IMMEDIATE, now=NOW)
    assert end_of(row) == ("CANCELED", "IMMEDIATE", NOW, NOW)


@pytest.mark.parametrize(
    ("fields", "how", "until"),
    [
        ({}, {"time": CancellationTime.IMMEDIATE}, datetime(2026, 2, 28, tzinfo=UTC)),
        (
            {},
            {"time": CancellationTime.SPECIFIC_DATE, "date": datetime(2026, 5, 10, tzinfo=UTC)},
            datetime(2026, 5, 31, tzinfo=UTC),
        ),
        ({}, {"time": CancellationTime.END_OF_BILLING_PERIOD}, None),
        ({"billed_from": datetime(2026, 2, 28, tzinfo=UTC)}, {"time": CancellationTime.IMMEDIATE}, None),
        ({"status": "PAYMENT_PENDING"}, {"time": CancellationTime.IMMEDIATE}, None),
        (
            {"status": "IN_TRIAL", "trial_end_date": datetime(2026, 6, 1, tzinfo=UTC)},
            {"time": CancellationTime.IMMEDIATE},
            None,
        ),
    ],
)
def test_without_proration_the_period_that_is_broken_off_is_billed_whole(
    fields: dict[str, Any], how: dict[str, Any], until: datetime | None
) -> None:
    row = subscription(**fields)
    cancel(subscription=row, **how, prorate=False, now=NOW)
    row.refresh_from_db()
    assert row.billed_until == until


def test_a_later_cancellation_with_proration_is_billed_by_the_day_again() -> None:
    row, may = subscription(), datetime(2026, 5, 10, tzinfo=UTC)
    cancel(subscription=row, time=CancellationTime.SPECIFIC_DATE, date=may, prorate=False, now=NOW)
    cancel(subscription=row, time=CancellationTime.IMMEDIATE, now=NOW)
    row.refresh_from_db()
    assert row.billed_until is None


def test_what_has_not_started_ends_at_its_start() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    row = subscription(status="NOT_STARTED", start_date=start)
    cancel(subscription=row, time=CancellationTime.IMMEDIATE, now=NOW)
    assert end_of(row) == ("CANCELED", "IMMEDIATE", start, start)


def test_a_trial_can_end_now() -> None:
    row = subscription(status="IN_TRIAL", trial_end_date=datetime(2026, 3, 1, tzinfo=UTC))
    cancel(subscription=row, time=CancellationTime.IMMEDIATE, now=NOW)
    assert end_of(row) == ("CANCELED", "IMMEDIATE", NOW, NOW)


@pytest.mark.parametrize(
    ("fields", "how", "sentence"),
    [
        ({"status": "CANCELED"}, {"time": "IMMEDIATE"}, "sub-1 has ended already."),
        ({"status": "EXPIRED"}, {"time": "END_OF_BILLING_PERIOD"}, "sub-1 has ended already."),
        (
            {"status": "IN_TRIAL", "trial_end_date": datetime(2026, 3, 1, tzinfo=UTC)},
            {"time": "END_OF_BILLING_PERIOD"},
            "sub-1 is in trial: cancel it now, or let the trial end.",
        ),
        (
            {"status": "IN_TRIAL", "trial_end_date": datetime(2026, 3, 1, tzinfo=UTC)},
            {"time": "SPECIFIC_DATE", "date": datetime(2026, 5, 1, tzinfo=UTC)},
            "sub-1 is in trial: cancel it now, or let the trial end.",
        ),
        (
            {"billing_period": ""},
            {"time": "END_OF_BILLING_PERIOD"},
            "sub-1 has no billing period that could end: cancel it now, or at a date.",
        ),
        ({}, {"time": "SPECIFIC_DATE"}, "Cancelling at a specific date needs the date: give it."),
        (
            {},
            {"time": "SPECIFIC_DATE", "date": datetime(2026, 2, 9, 8, 30, tzinfo=UTC)},
            "2026-02-09 08:30 UTC has passed: give a later date, or cancel sub-1 now.",
        ),
        (
            {"status": "NOT_STARTED", "start_date": datetime(2026, 6, 1, tzinfo=UTC)},
            {"time": "SPECIFIC_DATE", "date": datetime(2026, 5, 1, tzinfo=UTC)},
            "sub-1 starts on 2026-06-01: give a later date.",
        ),
        (
            {},
            {"time": "IMMEDIATE", "date": datetime(2026, 5, 1, tzinfo=UTC)},
            "A date goes only with a cancellation at a specific date: leave it out.",
        ),
    ],
)
def test_what_stigg_does_not_allow_is_refused(fields: dict[str, Any], how: dict[str, Any], sentence: str) -> None:
    row = subscription(**fields)
    before = end_of(row)
    with pytest.raises(ValidationError) as refusal:
        cancel(subscription=row, now=NOW, **how)
    assert refusal.value.messages == [sentence]
    assert end_of(row) == before


def test_a_custom_priced_plan_has_no_period_to_end() -> None:
    row = subscription(plan=PlanFactory.create(pricing_type="CUSTOM"))
    with pytest.raises(ValidationError, match="sub-1 has no billing period that could end"):
        cancel(subscription=row, time=CancellationTime.END_OF_BILLING_PERIOD, now=NOW)


def test_cancelling_is_a_save_that_listeners_hear() -> None:
    row, heard = subscription(), []

    def listen(instance: Subscription, **_: Any) -> None:
        heard.append(instance.status)

    post_save.connect(listen, sender=Subscription)
    try:
        cancel(subscription=row, time=CancellationTime.IMMEDIATE, now=NOW)
    finally:
        post_save.disconnect(listen, sender=Subscription)
    assert heard == ["CANCELED"]


@pytest.mark.parametrize(
    ("row", "after"),
    [
        ({}, ("ACTIVE", "END_OF_BILLING_PERIOD", datetime(2026, 2, 28, tzinfo=UTC), None)),
        (
            {"status": "IN_TRIAL", "trial_end_date": datetime(2026, 3, 1, tzinfo=UTC)},
            ("CANCELED", "IMMEDIATE", NOW, NOW),
        ),
        ({"billing_period": ""}, ("CANCELED", "IMMEDIATE", NOW, NOW)),
    ],
)
def test_without_a_time_it_ends_as_its_product_says_where_it_can(row: dict[str, Any], after: tuple[Any, ...]) -> None:
    plan = plan_with_prices(product__cancellation_time=CancellationTime.END_OF_BILLING_PERIOD)
    held = subscription(plan=plan, **row)
    cancel(subscription=held, now=NOW)
    assert end_of(held) == after


class TestFallingBack:
    @pytest.fixture
    def free(self) -> Plan:
        plan: Plan = PlanFactory.create(ref_id="free", pricing_type="FREE")
        plan.product.downgrade_plan = plan
        plan.product.full_clean()
        plan.product.save()
        return plan

    def held(self, free: Plan, **fields: Any) -> Subscription:
        return subscription(plan=plan_with_prices(ref_id="pro", product=free.product), resource_id="site", **fields)

    def left(self) -> list[tuple[str, str, str, str, datetime]]:
        rows = Subscription.objects.order_by("pk")
        return list(rows.values_list("ref_id", "plan__ref_id", "resource_id", "status", "start_date"))

    def test_who_cancels_keeps_the_free_plan(self, free: Plan) -> None:
        cancel(subscription=self.held(free), time=CancellationTime.IMMEDIATE, now=NOW)
        assert self.left() == [
            ("sub-1", "pro", "site", "CANCELED", START),
            ("sub-1-free", "free", "site", "ACTIVE", NOW),
        ]
        cancel(subscription=Subscription.objects.get(ref_id="sub-1-free"), time=CancellationTime.IMMEDIATE, now=NOW)
        assert [row[3] for row in self.left()] == ["CANCELED", "CANCELED"]

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"cancellation_time": "SPECIFIC_DATE", "cancellation_date": NOW}, "CANCELED"),
            (
                {"status": "IN_TRIAL", "trial_end_date": NOW, "trial_end_behavior": "CANCEL_SUBSCRIPTION"},
                "EXPIRED",
            ),
        ],
    )
    def test_the_clock_does_so_as_of_the_end(self, free: Plan, fields: dict[str, Any], status: str) -> None:
        self.held(free, **fields)
        take_effect(now=datetime(2026, 4, 1, tzinfo=UTC))
        assert [(row[3], row[4]) for row in self.left()] == [(status, START), ("ACTIVE", NOW)]

    @pytest.mark.parametrize("why", ["never started", "another runs", "not on sale"])
    def test_nobody_falls_back_who_has_another_or_never_had_it(self, free: Plan, why: str) -> None:
        free.product.multiple_subscriptions = True
        free.product.save()
        held = self.held(free, status="NOT_STARTED" if why == "never started" else "ACTIVE")
        if why == "another runs":
            subscription(ref_id="other", customer=held.customer, plan=held.plan, resource_id="site")
        Plan.objects.filter(ref_id="free").update(status="ARCHIVED" if why == "not on sale" else "PUBLISHED")
        cancel(subscription=held, time=CancellationTime.IMMEDIATE, now=NOW)
        assert not Subscription.objects.filter(plan__ref_id="free").exists()
