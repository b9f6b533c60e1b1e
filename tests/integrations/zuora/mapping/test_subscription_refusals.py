import pytest

from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.mapping.subscription import rate_plan_keys
from tests.integrations.zuora.mapping import build
from tests.integrations.zuora.mapping.contracts import FEE, SEATS, USAGE, refusal


def test_a_subscription_without_a_billing_period_is_refused() -> None:
    plan = build.plan()
    subscription = build.subscription(plan=plan, billing_period="")
    sentence = "Subscription sub-1 has no billing period: choose monthly or annually."
    assert refusal(subscription, prices={}) == (sentence,)
    with pytest.raises(Refused, match=sentence):
        rate_plan_keys(subscription, coupon=None)


def test_a_charge_without_the_payers_currency_is_refused() -> None:
    plan = build.plan()
    assert refusal(
        build.subscription(plan=plan, customer=build.customer(billing_currency="JPY")),
        prices={"plan:basic": [build.price(plan, {"EUR": "9"})]},
        placed=[build.placed("plan:basic", FEE)],
    ) == (
        (
            "The monthly flat fee of plan basic has no price in JPY, the currency of customer acme: add one, or "
            "override it in the subscription."
        ),
    )


def test_a_version_that_zuora_no_longer_sells_is_refused() -> None:
    plan = build.plan(version_number=2)
    assert refusal(
        build.subscription(plan=plan),
        prices={"plan:basic": [build.price(plan, {"EUR": "9"}, version_number=1)]},
        placed=[build.placed("plan:basic", FEE, SEATS, generation=2)],
    ) == (
        (
            "Subscription sub-1 was sold version 1 of plan basic, whose monthly charges are not those that Zuora holds "
            "for it: move the subscription to version 2."
        ),
    )


def test_a_period_that_is_not_on_sale_is_refused() -> None:
    plan = build.plan()
    assert refusal(
        build.subscription(plan=plan, billing_period="ANNUALLY"),
        prices={"plan:basic": [build.price(plan, {"EUR": "9"})]},
        placed=[build.placed("plan:basic", FEE)],
    ) == (
        (
            "Zuora holds no annual rate plan of plan basic: give it a price for that period and publish it, or choose "
            "another billing period."
        ),
    )


def test_usage_taken_several_times_is_refused() -> None:
    addon = build.addon()
    usage = build.price(addon, {"EUR": "1"}, billing_model="USAGE_BASED", feature=build.feature())
    assert refusal(
        build.subscription(plan=build.plan(pricing_type="FREE"), addons=[(addon, 2)]),
        prices={"addon:support": [usage]},
        placed=[build.placed("addon:support", USAGE)],
    ) == (
        (
            "The monthly charge for seats of add-on support is by usage, and the add-on is taken 2 times: usage is "
            "billed once, so set the add-on's quantity to 1."
        ),
    )


def test_a_coupon_without_the_payers_currency_is_refused() -> None:
    plan = build.plan()
    assert refusal(
        build.subscription(plan=plan),
        prices={"plan:basic": [build.price(plan, {"EUR": "9"})]},
        placed=[build.placed("plan:basic", FEE), build.placed("coupon:launch", "FIXED")],
        coupon=build.coupon(amounts={"USD": "5"}),
    ) == (
        (
            "Coupon launch takes nothing off in EUR, the currency of customer acme: add an amount in that currency, or "
            "use another coupon."
        ),
    )


def test_everything_that_is_wrong_is_said_at_once() -> None:
    plan = build.plan()
    assert len(
        refusal(
            build.subscription(plan=plan, metadata={"ZUORA__TermType": "x"}),
            prices={"plan:basic": [build.price(plan, {"USD": "9"})]},
            placed=[build.placed("plan:basic", FEE)],
            coupon=build.coupon(),
        )
    ) == 3  # fmt: skip
