from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from catalog.models import Plan, PricingType, Product, TrialEndBehavior
from customers.models import Customer
from subscriptions.scheduling import update
from subscriptions.taking_effect import take_effect
from subscriptions.trials import Trial
from subscriptions.wanted import Content
from tests.factories.catalog import PlanFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.subscriptions.lives import LATER, NOW, give, life

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("behavior", "after"),
    [
        (TrialEndBehavior.CONVERT_TO_PAID, ("ACTIVE", "", None)),
        (TrialEndBehavior.CANCEL_SUBSCRIPTION, ("EXPIRED", "TRIAL_ENDED", NOW + timedelta(days=14))),
    ],
)
def test_a_trial_ends_as_it_was_agreed(
    customer: Customer, basic: Plan, behavior: TrialEndBehavior, after: tuple[Any, ...]
) -> None:
    trial = give(customer, basic, "s1", trial=Trial(lasts=timedelta(days=14), behavior=behavior))
    assert (trial.status, trial.trial_end_date) == ("IN_TRIAL", NOW + timedelta(days=14))
    take_effect(now=NOW + timedelta(days=20))
    assert life() == [("s1", *after)]


def test_a_converted_trial_ends_what_was_paid_before(customer: Customer, basic: Plan, pro: Plan) -> None:
    give(customer, basic, "s1")
    give(customer, pro, "s2", trial=Trial(lasts=timedelta(days=14)))
    assert [row[1] for row in life()] == ["ACTIVE", "IN_TRIAL"]
    take_effect(now=NOW + timedelta(days=15))
    assert life() == [
        ("s1", "CANCELED", "UPGRADE_OR_DOWNGRADE", NOW + timedelta(days=14)),
        ("s2", "ACTIVE", "", None),
    ]


def test_what_is_bought_in_a_trial_is_paid_from_the_trials_end(customer: Customer, basic: Plan, pro: Plan) -> None:
    ends = NOW + timedelta(days=14)
    give(customer, basic, "s1", trial=Trial(ends=ends))
    bought = give(customer, pro, "s2")
    assert (bought.status, bought.start_date) == ("NOT_STARTED", ends)
    take_effect(now=ends)
    assert life() == [("s1", "CANCELED", "TRIAL_CONVERTED", ends), ("s2", "ACTIVE", "", None)]


def test_a_trial_that_starts_later_is_one_then(customer: Customer, basic: Plan) -> None:
    give(customer, basic, "s1", start=LATER, trial=Trial(lasts=timedelta(days=7)))
    assert [row[1] for row in life()] == ["NOT_STARTED"]
    take_effect(now=LATER)
    assert [row[1] for row in life()] == ["IN_TRIAL"]
    take_effect(now=LATER + timedelta(days=7))
    assert [row[1] for row in life()] == ["ACTIVE"]


@pytest.mark.parametrize("starts", [None, LATER])
def test_a_new_trial_takes_the_place_of_the_old_one_and_not_of_what_is_paid(
    customer: Customer, basic: Plan, pro: Plan, starts: datetime | None
) -> None:
    give(customer, basic, "paid")
    give(customer, basic, "s1", trial=Trial(lasts=timedelta(days=60)))
    give(customer, pro, "s2", start=starts, trial=Trial(lasts=timedelta(days=60)))
    take_effect(now=starts or NOW)
    assert life() == [
        ("paid", "ACTIVE", "", None),
        ("s1", "CANCELED", "UPGRADE_OR_DOWNGRADE", starts or NOW),
        ("s2", "IN_TRIAL", "", None),
    ]


class TestDefaultTrials:
    @pytest.fixture
    def tried(self, product: Product) -> Plan:
        """A plan that is tried out for a month, and ends when nobody buys it."""
        return plan_with_prices(
            ref_id="tried",
            display_name="Tried",
            product=product,
            trial_duration=1,
            trial_units="MONTH",
            trial_end_behavior="CANCEL_SUBSCRIPTION",
        )

    def test_who_buys_it_first_begins_in_trial_and_pays_from_its_end(self, customer: Customer, tried: Plan) -> None:
        tried.trial_end_behavior = TrialEndBehavior.CONVERT_TO_PAID
        tried.save()
        made = give(customer, tried, "s1", awaits_payment=True)
        assert (made.status, made.trial_end_date) == ("IN_TRIAL", datetime(2026, 4, 10, 12, 30, tzinfo=UTC))
        take_effect(now=datetime(2026, 4, 10, 12, 30, tzinfo=UTC))
        made.refresh_from_db()
        assert (made.status, made.billing_anchor) == ("ACTIVE", datetime(2026, 4, 10, 12, 30, tzinfo=UTC))

    def test_a_day_is_a_day(self, customer: Customer, tried: Plan) -> None:
        tried.trial_duration, tried.trial_units = 14, "DAY"
        assert give(customer, tried, "s1").trial_end_date == NOW + timedelta(days=14)

    def test_the_order_has_the_last_word(self, customer: Customer, tried: Plan) -> None:
        assert give(customer, tried, "none", no_trial=True).status == "ACTIVE"
        longer = give(customer, tried, "longer", trial=Trial(ends=LATER, behavior=TrialEndBehavior.CONVERT_TO_PAID))
        usual = give(CustomerFactory.create(), tried, "usual", trial=Trial())
        assert [(one.trial_end_date, one.trial_end_behavior) for one in (longer, usual)] == [
            (LATER, "CONVERT_TO_PAID"),
            (datetime(2026, 4, 10, 12, 30, tzinfo=UTC), "CANCEL_SUBSCRIPTION"),
        ]

    def test_it_is_had_once_and_what_is_bought_in_it_is_paid_from_its_end(
        self, customer: Customer, tried: Plan
    ) -> None:
        ends = give(customer, tried, "s1").trial_end_date
        bought = give(customer, tried, "s2")
        assert (bought.status, bought.start_date, bought.trial_end_date) == ("NOT_STARTED", ends, None)

    @pytest.mark.parametrize(
        ("before", "order", "status"),
        [
            ("basic", {}, "ACTIVE"),
            ("free", {}, "IN_TRIAL"),
            ("", {"billing_id": "A-S1"}, "ACTIVE"),
            ("", {"start": NOW - timedelta(days=90)}, "ACTIVE"),
            ("", {"start": NOW - timedelta(days=5)}, "IN_TRIAL"),
            ("", {"start": LATER}, "NOT_STARTED"),
        ],
    )
    @pytest.mark.usefixtures("basic")
    def test_who_has_bought_has_none_nor_what_is_billed_already(
        self, customer: Customer, tried: Plan, before: str, order: dict[str, Any], status: str
    ) -> None:
        PlanFactory.create(ref_id="free", product=tried.product, pricing_type=PricingType.FREE)
        for plan in Plan.objects.filter(ref_id=before):
            give(customer, plan, "before", start=NOW - timedelta(days=90))
        made = give(customer, tried, "s1", **order)
        in_trial = status == "IN_TRIAL" or made.start_date == LATER
        assert (made.status, made.trial_end_date is not None) == (status, in_trial)

    def test_one_that_no_calendar_holds_is_refused(self, customer: Customer, tried: Plan) -> None:
        with pytest.raises(ValidationError, match="beyond any calendar"):
            give(customer, tried, "s1", start=datetime(9999, 12, 31, tzinfo=UTC))


def test_after_a_long_silence_everything_happens_in_the_order_of_the_moments(
    customer: Customer, basic: Plan, pro: Plan
) -> None:
    """The trial would have been paid for a day, had it been looked at before what was bought in it."""
    ends = NOW + timedelta(days=14)
    trial = give(customer, basic, "s1", trial=Trial(ends=ends))
    give(customer, pro, "s2", start=ends - timedelta(days=1), trial=None)
    update(subscription=trial, content=Content(metadata={"a": "b"}), awaits_payment=False, now=NOW)
    take_effect(now=ends + timedelta(days=30))
    assert life() == [
        ("s1", "CANCELED", "TRIAL_CONVERTED", ends - timedelta(days=1)),
        ("s2", "ACTIVE", "", None),
    ]
