"""What Zuora cannot hold of a plan or add-on, and the sentence that says so."""

from collections.abc import Mapping
from typing import Any

import pytest

from catalog.models import Addon, Plan, Price
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.mapping.tenant import Tenant
from tests.integrations.zuora.mapping import build
from tests.integrations.zuora.mapping.test_package import rate_plans_of, tree


def refusal(*prices: Price, package: Plan | Addon | None = None) -> tuple[str, ...]:
    owner = package or prices[0].plan or prices[0].addon
    assert owner is not None
    with pytest.raises(Refused) as caught:
        tree(owner, prices)
    return caught.value.sentences


@pytest.mark.parametrize(
    ("amounts", "values", "sentence"),
    [
        (
            {"EUR": "5"},
            {"billing_model": "CREDIT_BASED"},
            (
                "The monthly credit charge of plan basic has no counterpart in Zuora: bill it by a flat fee, by a "
                "price per unit or by usage."
            ),
        ),
        (
            {"EUR": "5"},
            {"billing_model": "MINIMUM_SPEND"},
            (
                "The monthly minimum spend of plan basic has no counterpart in Zuora: bill it by a flat fee, by a "
                "price per unit or by usage."
            ),
        ),
        (
            {"EUR": "5"},
            {"billing_model": "USAGE_BASED", "feature": build.feature(), "block_size": 1000},
            (
                "The monthly charge for seats of plan basic is sold in packages of 1000, and Zuora counts single "
                "units: price one unit, or use tiers."
            ),
        ),
        (
            {"EUR": [(None, "5", "10")]},
            {"billing_model": "PER_UNIT", "feature": build.feature(), "tiers_mode": "GRADUATED"},
            (
                "The tier from 0 of the monthly charge for seats of plan basic in EUR has both a price per unit and a "
                "flat price, and Zuora holds one of them: keep one, or move the flat price to a flat fee."
            ),
        ),
        (
            {"EUR": "5"},
            {"billing_model": "PER_UNIT", "feature": build.feature(units_plural="")},
            "Feature seats has no unit, and Zuora needs one to count in: fill in its unit (for example seats).",
        ),
        (
            {"EUR": "5"},
            {"billing_model": "PER_UNIT", "feature": build.feature(units_plural="thousand processed events")},
            "",
        ),
        (
            {"EUR": "5"},
            {"billing_model": "PER_UNIT", "feature": build.feature(units_plural="thousands processed events")},
            "The unit of feature seats has 26 characters and Zuora holds 25: shorten it.",
        ),
        (
            {"EUR": "5"},
            {"billing_model": "PER_UNIT", "feature": build.feature(units_plural="\N{ROCKET}")},
            (
                "The unit of feature seats holds '\N{ROCKET}', an emoji or another character that Zuora cannot store: "
                "take it out."
            ),
        ),
        (
            {"EUR": "5"},
            {"billing_model": "PER_UNIT", "feature": build.feature(display_name="x" * 101)},
            (
                "The monthly charge for seats of plan basic is called after its feature, whose display name has 101 "
                "characters and Zuora holds 100: shorten it."
            ),
        ),
        (
            {"EUR": "5", "EUR/FR": "6"},
            {},
            (
                "The monthly flat fee of plan basic in EUR costs different amounts in different countries, and "
                "Zuora holds one price per currency: give it one amount in that currency."
            ),
        ),
        (
            {"EUR": [(10, "5", None), (None, "4", None)], "USD": [(20, "5", None), (None, "4", None)]},
            {"billing_model": "PER_UNIT", "feature": build.feature(), "tiers_mode": "GRADUATED"},
            (
                "The monthly charge for seats of plan basic has tiers that end at different units in different "
                "currencies: end them at the same units."
            ),
        ),
        (
            {"EUR": [(10, "5", None)]},
            {"billing_model": "PER_UNIT", "feature": build.feature(), "tiers_mode": "GRADUATED"},
            (
                "The monthly charge for seats of plan basic in EUR ends at 10, so more has no price: leave the last "
                "tier's end empty."
            ),
        ),
        (
            {"EUR": "0.0000000001"},
            {},
            (
                "The monthly flat fee of plan basic in EUR is 0.0000000001, and Zuora holds 13 digits before the "
                "point and 9 after it: round it."
            ),
        ),
        (
            {"EUR": "12345678901234"},
            {},
            (
                "The monthly flat fee of plan basic in EUR is 12345678901234, and Zuora holds 13 digits before the "
                "point and 9 after it: round it."
            ),
        ),
        ({"EUR": "1234567890123.123456789"}, {}, ""),
        ({}, {}, "The monthly flat fee of plan basic has no amount in any currency: add one."),
        (
            {"EUR": None},
            {},
            "The monthly flat fee of plan basic in EUR has no amount: fill it in, or take it out.",
        ),
        (
            {"EUR": "5"},
            {"billing_model": "PER_UNIT", "feature": build.feature(), "tiers_mode": "VOLUME"},
            "The monthly charge for seats of plan basic in EUR has no tiers, and its charge is volume: add them.",
        ),
        (
            {"EUR": [(None, "5", None)]},
            {"billing_model": "PER_UNIT", "feature": build.feature()},
            (
                "The monthly charge for seats of plan basic in EUR has tiers, and its charge does not say how they "
                "count: set its tiers mode."
            ),
        ),
        (dict.fromkeys(("AUD", "CAD", "EUR", "GBP", "USD"), "5"), {}, ""),
        (
            dict.fromkeys(("AUD", "CAD", "CHF", "EUR", "GBP", "USD"), "5"),
            {},
            (
                "plan:basic/MONTHLY has prices in 6 currencies (AUD, CAD, CHF, EUR, GBP, USD), and a rate plan of "
                "Zuora's holds 5: keep 5 of them."
            ),
        ),
    ],
)
def test_what_zuora_cannot_hold_is_refused_with_the_charge_and_the_cure(
    amounts: Mapping[str, str | build.Steps | None], values: dict[str, Any], sentence: str
) -> None:
    price = build.price(build.plan(), amounts, **values)
    if sentence:
        assert refusal(price) == (sentence,)
    else:
        assert len(rate_plans_of(price)) == 1


def test_everything_that_is_wrong_with_a_plan_is_said_at_once() -> None:
    plan = build.plan(display_name="Basic \N{ROCKET}", description="x" * 501)
    prices = [
        build.price(plan, {"EUR": "5"}, billing_model="MINIMUM_SPEND"),
        build.price(plan, {}, billing_period="ANNUALLY"),
    ]
    assert refusal(*prices, package=plan) == (
        (
            "The monthly minimum spend of plan basic has no counterpart in Zuora: bill it by a flat fee, by a price "
            "per unit or by usage."
        ),
        "The annual flat fee of plan basic has no amount in any currency: add one.",
        (
            "The display name of plan basic holds '\N{ROCKET}', an emoji or another character that Zuora cannot store: "
            "take it out."
        ),
        "The description of plan basic has 501 characters and Zuora holds 500: shorten it.",
    )


def test_a_name_of_exactly_the_limit_is_held() -> None:
    assert tree(build.plan(display_name="x" * 100), []).body["Name"] == "x" * 100


@pytest.mark.parametrize("prefix", ["", "A1", "acme", "Stigg", "stigg--eu", "stigg_eu", "1stigg", "s" * 21])
def test_a_prefix_that_cannot_lead_zuoras_numbers_is_refused(prefix: str) -> None:
    with pytest.raises(Refused, match="begin with a letter other than a"):
        Tenant(key_prefix=prefix, public_url="https://console.example")
