from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from catalog.models import Addon, BillingModel, BillingPeriod, CancellationTime
from catalog.publishing import archive, publish, start_draft
from subscriptions.cancelling import cancel, keep
from subscriptions.models import PastTerms, ScheduledChange, ScheduleStatus, Subscription
from subscriptions.scheduling import Strategy, call_off, mark_paid, update
from subscriptions.taking_effect import take_effect
from subscriptions.tenure import stretches
from subscriptions.wanted import Content, Override
from tests.factories.catalog import FeatureFactory, addon_with_prices, plan_with_prices, price
from tests.factories.subscriptions import SubscriptionFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 31, tzinfo=UTC)
NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
PERIOD_END = datetime(2026, 3, 31, tzinfo=UTC)


@pytest.fixture
def subscription() -> Subscription:
    plan = plan_with_prices(ref_id="pro", periods=BillingPeriod)
    return SubscriptionFactory.create(ref_id="s1", plan=plan, start_date=START)


def addons(subscription: Subscription) -> dict[str, int]:
    return dict(subscription.addons.values_list("addon__ref_id", "quantity"))


def schedules() -> list[tuple[str, str, datetime]]:
    return list(ScheduledChange.objects.values_list("change_type", "status", "effective_at").order_by("pk"))


def both(**fields: Any) -> None:
    for ref_id in ("support", "backup"):
        addon_with_prices(ref_id=ref_id, periods=BillingPeriod, **fields)


def test_the_list_of_add_ons_is_replaced_as_a_whole(subscription: Subscription) -> None:
    both()
    update(subscription=subscription, content=Content(addons={"support": 1}), now=NOW)
    update(subscription=subscription, content=Content(addons={"backup": 2}), now=NOW + timedelta(hours=1))
    assert addons(subscription) == {"backup": 2}
    update(subscription=subscription, content=Content(metadata={"a": "b"}), now=NOW)
    assert addons(subscription) == {"backup": 2}
    assert Subscription.objects.get().effective_from == NOW + timedelta(hours=1)


def test_a_scheduled_change_takes_effect_at_its_moment_and_once(subscription: Subscription) -> None:
    both()
    update(
        subscription=subscription,
        content=Content(addons={"support": 1}, metadata={"a": "b"}, billing_period="ANNUALLY"),
        strategy=Strategy.END_OF_BILLING_PERIOD,
        now=NOW,
    )
    assert (addons(subscription), subscription.metadata) == ({}, {})
    assert schedules() == [
        ("BILLING_PERIOD", "SCHEDULED", PERIOD_END),
        ("ADDON", "SCHEDULED", PERIOD_END),
        ("ADDITIONAL_META_DATA", "SCHEDULED", PERIOD_END),
    ]
    assert take_effect(now=PERIOD_END - timedelta(microseconds=1)) == 0
    assert take_effect(now=PERIOD_END + timedelta(days=9)) == 1
    assert take_effect(now=PERIOD_END + timedelta(days=9)) == 0
    row = Subscription.objects.get()
    assert (addons(row), row.metadata, row.billing_period, row.effective_from) == (
        {"support": 1},
        {"a": "b"},
        "ANNUALLY",
        PERIOD_END,
    )
    assert {status for _, status, _ in schedules()} == {"DONE"}
    assert [(one.terms.billing_period, len(one.terms.addons), one.start, one.end) for one in stretches(row)] == [
        ("MONTHLY", 0, START, PERIOD_END),
        ("ANNUALLY", 1, PERIOD_END, None),
    ]


def test_the_end_of_the_month_is_counted_from_the_anchor_of_an_annual_one(subscription: Subscription) -> None:
    Subscription.objects.update(billing_period="ANNUALLY")
    subscription.refresh_from_db()
    for strategy in (Strategy.END_OF_BILLING_MONTH, Strategy.END_OF_BILLING_PERIOD):
        update(subscription=subscription, content=Content(metadata={"at": strategy}), strategy=strategy, now=NOW)
    assert schedules() == [
        ("ADDITIONAL_META_DATA", "CANCELED", PERIOD_END),
        ("ADDITIONAL_META_DATA", "SCHEDULED", datetime(2027, 1, 31, tzinfo=UTC)),
    ]


def test_a_change_of_the_same_kind_replaces_what_was_scheduled(subscription: Subscription) -> None:
    both()
    update(
        subscription=subscription,
        content=Content(addons={"support": 1}),
        strategy=Strategy.END_OF_BILLING_PERIOD,
        now=NOW,
    )
    update(subscription=subscription, content=Content(addons={"backup": 1}), now=NOW)
    take_effect(now=PERIOD_END)
    assert addons(subscription) == {"backup": 1}
    assert schedules() == [("ADDON", "CANCELED", PERIOD_END)]


def test_what_is_called_off_does_not_take_effect(subscription: Subscription) -> None:
    both()
    content = Content(addons={"support": 1})
    update(subscription=subscription, content=content, strategy=Strategy.END_OF_BILLING_PERIOD, now=NOW)
    assert call_off(subscription=subscription, statuses=[ScheduleStatus.PENDING_PAYMENT], now=NOW) == 0
    assert call_off(subscription=subscription, statuses=[ScheduleStatus.SCHEDULED], now=NOW) == 1
    assert take_effect(now=PERIOD_END) == 0
    assert addons(subscription) == {}


def test_what_could_not_be_made_now_is_refused_now(subscription: Subscription) -> None:
    addon_with_prices(ref_id="monthly", display_name="Monthly")
    content = Content(addons={"monthly": 1}, billing_period="ANNUALLY")
    with pytest.raises(ValidationError, match="Monthly, version 1, has no ANNUALLY price"):
        update(subscription=subscription, content=content, strategy=Strategy.END_OF_BILLING_PERIOD, now=NOW)
    assert schedules() == []


def test_a_scheduled_change_that_has_become_impossible_fails_with_its_reason(subscription: Subscription) -> None:
    both()
    content = Content(addons={"support": 1, "backup": 1})
    update(subscription=subscription, content=content, strategy=Strategy.END_OF_BILLING_PERIOD, now=NOW)
    archive(package=Addon.objects.get(ref_id="support"))
    take_effect(now=PERIOD_END)
    row = ScheduledChange.objects.get()
    assert (row.status, row.settled_at) == ("FAILED", PERIOD_END)
    assert "is not on sale" in row.problem
    assert addons(subscription) == {}


def test_a_cancellation_ends_it_at_its_date_and_nothing_changes_any_more(subscription: Subscription) -> None:
    both()
    content = Content(addons={"support": 1})
    update(subscription=subscription, content=content, strategy=Strategy.END_OF_BILLING_PERIOD, now=NOW)
    cancel(subscription=subscription, time=CancellationTime.END_OF_BILLING_PERIOD, now=NOW)
    take_effect(now=PERIOD_END + timedelta(days=2))
    row = Subscription.objects.get()
    assert (row.status, row.cancel_reason, row.effective_end_date, row.cancellation_date) == (
        "CANCELED",
        "ScheduledCancellation",
        PERIOD_END,
        PERIOD_END,
    )
    assert (addons(row), schedules()) == ({}, [("ADDON", "CANCELED", PERIOD_END)])


def test_a_cancellation_is_taken_back(subscription: Subscription) -> None:
    cancel(subscription=subscription, time=CancellationTime.END_OF_BILLING_PERIOD, now=NOW)
    keep(subscription=subscription)
    assert take_effect(now=PERIOD_END) == 0
    assert Subscription.objects.get().status == "ACTIVE"
    cancel(subscription=subscription, time=CancellationTime.IMMEDIATE, now=NOW)
    with pytest.raises(ValidationError, match="s1 has ended already"):
        keep(subscription=subscription)
    with pytest.raises(ValidationError, match="s1 has ended: provision a new subscription"):
        update(subscription=subscription, content=Content(), now=NOW)


def test_what_awaits_its_payment_is_changed_when_that_came(subscription: Subscription) -> None:
    both()
    update(subscription=subscription, content=Content(addons={"support": 1}), awaits_payment=True, now=NOW)
    assert schedules() == [("ADDON", "PENDING_PAYMENT", NOW)]
    assert take_effect(now=PERIOD_END) == 0
    paid = NOW + timedelta(days=2)
    mark_paid(subscription=subscription, now=paid)
    assert addons(subscription) == {"support": 1}
    assert Subscription.objects.get().effective_from == paid


def test_it_moves_to_the_version_on_sale_with_the_prices_of_its_own(subscription: Subscription) -> None:
    both()
    content = Content(addons={"support": 1}, price_overrides=[Override(amount=Decimal(3))])
    update(subscription=subscription, content=content, now=NOW)
    for package in (subscription.plan, subscription.addons.get().addon):
        start_draft(package=package)
        publish(package=package)
    update(subscription=subscription, content=Content(latest=True), strategy=Strategy.END_OF_BILLING_PERIOD, now=NOW)
    assert schedules() == [("MIGRATE_TO_LATEST", "SCHEDULED", PERIOD_END)]
    take_effect(now=PERIOD_END)
    row = Subscription.objects.get()
    assert (row.plan_version_number, row.addons.get().addon_version_number) == (2, 2)
    assert [(one.price.version_number, one.amount) for one in row.price_overrides.all()] == [(2, Decimal(3))]
    assert list(PastTerms.objects.values_list("plan_version_number", "ends_at")) == [(1, NOW), (1, PERIOD_END)]


def test_prices_of_another_period_say_nothing_about_the_new_one(subscription: Subscription) -> None:
    update(subscription=subscription, content=Content(price_overrides=[Override(amount=Decimal(3))]), now=NOW)
    with pytest.raises(ValidationError, match="s1 has prices of its own for MONTHLY: give those for ANNUALLY along"):
        update(subscription=subscription, content=Content(billing_period="ANNUALLY"), now=NOW)
    content = Content(billing_period="ANNUALLY", price_overrides=[Override(amount=Decimal(30))])
    update(subscription=subscription, content=content, now=NOW)
    row = Subscription.objects.get()
    assert [(one.price.billing_period, one.amount) for one in row.price_overrides.all()] == [("ANNUALLY", Decimal(30))]


def test_a_quantity_goes_with_the_add_on_that_was_sold_by_it() -> None:
    seats = FeatureFactory.create(ref_id="seats")
    addon = addon_with_prices(ref_id="team")
    price(addon, billing_model=BillingModel.PER_UNIT, feature=seats)
    subscription = SubscriptionFactory.create(ref_id="s1", start_date=START)
    update(subscription=subscription, content=Content(addons={"team": 1}, quantities={"seats": 4}), now=NOW)
    assert dict(subscription.quantities.values_list("feature__ref_id", "quantity")) == {"seats": 4}
    update(subscription=subscription, content=Content(addons={}), now=NOW)
    assert dict(subscription.quantities.values_list("feature__ref_id", "quantity")) == {}


def test_one_that_fails_unforeseen_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        SubscriptionFactory.create(status="NOT_STARTED", start_date=NOW + timedelta(minutes=number))
        for number in range(2)
    ]
    real = take_effect.__globals__["replace_others"]

    def broken(*, subscription: Subscription, at: datetime, now: datetime) -> None:
        if subscription == rows[0]:
            raise RuntimeError
        real(subscription=subscription, at=at, now=now)

    monkeypatch.setattr("subscriptions.taking_effect.replace_others", broken)
    assert take_effect(now=NOW + timedelta(hours=1)) == 1
    assert [row.status for row in Subscription.objects.order_by("pk")] == ["NOT_STARTED", "ACTIVE"]
