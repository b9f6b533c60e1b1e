from typing import Any

from catalog.models import Plan
from integrations.zuora.mapping.contract import Contract
from tests.integrations.zuora.mapping import build
from tests.integrations.zuora.mapping.contracts import FEE, SEATS, per_seat, sold, state


def test_the_countrys_price_counts_before_the_one_for_everybody() -> None:
    amounts = {"EUR": "9", "EUR/DE": "8", "EUR/FR": "7"}
    german = sold(build.price(build.plan(), amounts), FEE)
    italian = sold(build.price(build.plan(), amounts), FEE, customer=build.customer(billing_country="IT"))
    assert (german["price"], italian["price"]) == ("8", "9")


def test_an_override_is_the_price_and_not_the_list_price() -> None:
    plan = build.plan()
    fee = build.price(plan, {"EUR": "9"})
    only = sold(fee, FEE, overrides=[(fee, "4.25")])
    assert (only["price"], only["listed"]) == ("4.25", False)


def test_an_override_may_have_tiers() -> None:
    price = per_seat(build.plan(), {"EUR": [(None, "9", None)]}, tiers_mode="VOLUME")
    only = sold(price, SEATS, overrides=[(price, [(5, "3", None), (None, "2", None)])])
    assert only["tiers"] == [
        {"start": "0", "end": "5", "price": "3", "format": "PerUnit"},
        {"start": "6", "price": "2", "format": "PerUnit"},
    ]
    assert only["listed"] is False


def test_an_override_stays_with_its_charge_from_version_to_version() -> None:
    plan = build.plan(version_number=2)
    old, new = build.price(plan, {"EUR": "9"}, version_number=1), build.price(plan, {"EUR": "10"})
    only = sold(new, FEE, overrides=[(old, "4")], plan_version_number=2)
    assert only["price"] == "4"
    both = sold(new, FEE, overrides=[(old, "4"), (new, "5")], plan_version_number=2)
    assert both["price"] == "5"


def test_an_override_of_an_addon_is_taken_as_often_as_the_addon() -> None:
    addon = build.addon()
    fee = build.price(addon, {"EUR": "20"})
    wanted = state(
        build.subscription(plan=build.plan(pricing_type="FREE"), addons=[(addon, 4)], overrides=[(fee, "2.5")]),
        prices={"addon:support": [fee]},
        placed=[build.placed("addon:support", FEE)],
    )
    assert wanted["ratePlans"][0]["charges"][0]["price"] == "10"


def test_an_older_version_is_sold_at_its_own_price_not_at_todays_list_price() -> None:
    plan = build.plan(version_number=2)
    only = sold(build.price(plan, {"EUR": "9"}, version_number=1), FEE)
    assert (only["price"], only["listed"]) == ("9", False)


def _running(plan: Plan, amount: str, **values: Any) -> Contract:
    return state(
        build.subscription(plan=plan, **values),
        prices={"plan:basic": [build.price(plan, {"EUR": amount})]},
        placed=[build.placed("plan:basic", FEE)],
    )


def test_a_running_subscription_keeps_its_rate_plan_when_a_successor_is_on_sale() -> None:
    plan = build.plan()
    before = _running(plan, "9")
    setup = build.price(plan, {"EUR": "50"}, billing_cadence="ONE_OFF")
    now = state(
        build.subscription(plan=plan),
        prices={"plan:basic": [build.price(plan, {"EUR": "9"}), setup]},
        placed=[build.placed("plan:basic", FEE, "ONE_OFF/FLAT_FEE", generation=2)],
        sent=before,
    )
    assert now == before


def test_a_running_subscription_keeps_the_price_it_was_sold_at() -> None:
    plan = build.plan()
    before = _running(plan, "9")
    now = state(
        build.subscription(plan=plan),
        prices={"plan:basic": [build.price(plan, {"EUR": "11"})]},
        placed=[build.placed("plan:basic", FEE)],
        sent=before,
    )
    assert now == before


def test_a_running_subscription_keeps_its_price_when_a_new_version_is_published() -> None:
    before = _running(build.plan(), "9")
    plan = build.plan(version_number=2)
    now = state(
        build.subscription(plan=plan),
        prices={"plan:basic": [build.price(plan, {"EUR": "9"}, version_number=1)]},
        placed=[build.placed("plan:basic", FEE)],
        sent=before,
    )
    assert now["ratePlans"][0]["charges"][0]["price"] == "9"


def test_a_running_subscription_keeps_a_charge_that_its_version_lost() -> None:
    plan = build.plan()
    before = _running(plan, "9")
    now = state(build.subscription(plan=plan), prices={"plan:basic": []}, sent=before)
    assert now == before


def test_a_subscription_that_moves_to_the_version_on_sale_moves_to_its_rate_plan_and_price() -> None:
    before = _running(build.plan(), "9")
    plan = build.plan(version_number=2)
    now = state(
        build.subscription(plan=plan, plan_version_number=2),
        prices={"plan:basic": [build.price(plan, {"EUR": "11"})]},
        placed=[build.placed("plan:basic", FEE, generation=2)],
        sent=before,
    )
    (moved,) = now["ratePlans"]
    assert (moved["id"], moved["version"], moved["charges"][0]["price"], moved["charges"][0]["listed"]) == (
        "plan:basic/MONTHLY#2",
        2,
        "11",
        True,
    )
