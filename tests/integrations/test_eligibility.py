from dataclasses import replace
from typing import Any

import pytest

from integrations.eligibility import CustomerFacts, SubscriptionFacts, judge_customer, judge_subscription

PAID = SubscriptionFacts(pricing_type="PAID", is_trial=False, is_ended=False, in_zuora=False, sync_on=True)
FREE = replace(PAID, pricing_type="FREE")
CUSTOM = replace(PAID, pricing_type="CUSTOM")
TRIAL = replace(PAID, is_trial=True)
CUSTOMER = CustomerFacts(
    subscriptions=(PAID,), billing_currency="EUR", billing_country="DE", has_payment_method=True, sync_on=True
)


def _failed(rules: Any) -> dict[str, str]:
    return {rule.rule: rule.saw for rule in rules if not rule.passed}


@pytest.mark.parametrize(
    ("facts", "failed"),
    [
        (PAID, {}),
        (FREE, {"not_a_free_plan": "a free plan"}),
        (CUSTOM, {"not_a_custom_price": "a custom plan"}),
        (TRIAL, {"not_a_trial": "in trial"}),
        (replace(PAID, sync_on=False), {"subscription_sync_is_on": "off"}),
        (replace(PAID, is_collected=False), {"payment_is_collected": "NONE"}),
        (replace(PAID, is_ended=True), {"not_ended": "ended, not in Zuora"}),
        (replace(PAID, is_ended=True, in_zuora=True), {}),
        (replace(PAID, is_ended=True, is_missed=True), {}),
        (
            replace(TRIAL, pricing_type="FREE", sync_on=False),
            {"not_a_free_plan": "a free plan", "not_a_trial": "in trial", "subscription_sync_is_on": "off"},
        ),
    ],
)
def test_which_rules_keep_a_subscription_out(facts: SubscriptionFacts, failed: dict[str, str]) -> None:
    verdict = judge_subscription(facts)
    assert _failed(verdict.rules) == failed
    assert verdict.syncs == (not failed)
    assert [rule.rule for rule in verdict.rules] == [
        "not_a_free_plan",
        "not_a_custom_price",
        "not_a_trial",
        "payment_is_collected",
        "not_ended",
        "subscription_sync_is_on",
    ]


@pytest.mark.parametrize(
    ("facts", "saw"),
    [
        (PAID, "not ended"),
        (replace(PAID, in_zuora=True), "not ended"),
        (replace(PAID, is_ended=True, in_zuora=True), "ended, in Zuora"),
        (replace(PAID, is_ended=True, is_missed=True), "ended, on its way to Zuora"),
    ],
)
def test_a_subscription_that_runs_is_not_said_to_be_absent_from_zuora(facts: SubscriptionFacts, saw: str) -> None:
    assert {rule.rule: rule.saw for rule in judge_subscription(facts).rules}["not_ended"] == saw


@pytest.mark.parametrize(
    ("facts", "failed"),
    [
        (CUSTOMER, {}),
        (replace(CUSTOMER, subscriptions=()), {"has_a_subscription": "0 subscriptions"}),
        (replace(CUSTOMER, subscriptions=(FREE,)), {"more_than_free_plans": "1 of 1 subscription free"}),
        (replace(CUSTOMER, subscriptions=(TRIAL, TRIAL)), {"more_than_trials": "2 of 2 subscriptions in trial"}),
        (replace(CUSTOMER, subscriptions=(CUSTOM,)), {"more_than_custom_prices": "1 of 1 subscription custom-priced"}),
        (
            replace(CUSTOMER, subscriptions=(FREE, TRIAL)),
            {"more_than_free_plans": "1 of 2 subscriptions free", "more_than_trials": "1 of 2 subscriptions in trial"},
        ),
        (
            replace(CUSTOMER, subscriptions=(replace(PAID, is_collected=False),)),
            {"more_than_uncollected": "1 of 1 subscription not paid for"},
        ),
        (replace(CUSTOMER, subscriptions=(FREE, TRIAL, CUSTOM, PAID)), {}),
        (replace(CUSTOMER, billing_currency=""), {"has_billing_information": "no currency"}),
        (
            replace(CUSTOMER, billing_currency="", billing_country=""),
            {"has_billing_information": "no currency and no country"},
        ),
        (replace(CUSTOMER, has_payment_method=False), {"has_a_payment_method": "none"}),
        (replace(CUSTOMER, sync_on=False), {"customer_sync_is_on": "off"}),
    ],
)
def test_which_rules_keep_a_customer_out(facts: CustomerFacts, failed: dict[str, str]) -> None:
    verdict = judge_customer(facts)
    assert _failed(verdict.rules) == failed
    assert verdict.syncs == (not failed)
    assert [rule.rule for rule in verdict.rules] == [
        "has_a_subscription",
        "more_than_free_plans",
        "more_than_trials",
        "more_than_custom_prices",
        "more_than_uncollected",
        "has_billing_information",
        "has_a_payment_method",
        "customer_sync_is_on",
    ]


@pytest.mark.parametrize(
    ("changes", "forced"),
    [
        ({"billing_id": "C-00000012"}, "billing ID C-00000012"),
        (
            {"metadata": {"ZUORA__TermType": "TERMED", "ZUORA__A": "1", "other": "x"}},
            "metadata ZUORA__A, ZUORA__TermType",
        ),
    ],
)
def test_a_billing_id_or_zuora_metadata_forces_the_sync_and_the_rules_are_still_told(
    changes: dict[str, Any], forced: str
) -> None:
    for verdict in (
        judge_subscription(replace(FREE, **changes)),
        judge_customer(replace(CUSTOMER, subscriptions=(), **changes)),
    ):
        assert verdict.forced == forced
        assert verdict.syncs
        assert len(_failed(verdict.rules)) == 1
        assert verdict.trace[0] == {"rule": "forced", "passed": True, "saw": forced, "text": "The sync is forced."}


def test_other_metadata_forces_nothing() -> None:
    assert not judge_subscription(replace(FREE, metadata={"zuora__x": "1", "team": "ZUORA__"})).syncs
