from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from catalog.models import Addon, Plan, Price
from integrations.zuora.mapping.nodes import Body, ProductNode, RatePlanNode, TierNode, UnitNode
from integrations.zuora.mapping.package import package_tree
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.mapping.tenant import Tenant
from tests.integrations.zuora.mapping import build
from tests.sdk_contract import check_body

ID = "8ad08ccf0000000000000000000000aa"


def tree(
    package: Plan | Addon,
    prices: Sequence[Price],
    *,
    generations: Mapping[str, int] | None = None,
    tenant: Tenant = build.TENANT,
    expired_on: date | None = None,
) -> ProductNode:
    node = package_tree(
        package,
        prices=prices,
        tenant=tenant,
        today=build.TODAY,
        generations=generations or {},
        expired_on=expired_on,
    )
    assert violations(node) == []
    return node


def violations(node: ProductNode) -> list[str]:
    """Hold every body of a tree against Zuora's own client."""
    found = check_body("POST", "/v1/object/product", node.body)
    found += check_body("PUT", f"/v1/object/product/{ID}", node.update)
    for rate_plan in node.rate_plans:
        found += check_body("POST", "/v1/object/product-rate-plan", {**rate_plan.body, "ProductId": ID})
        found += check_body("PUT", f"/v1/object/product-rate-plan/{ID}", rate_plan.update)
        for charge in rate_plan.charges:
            path = "/v1/object/product-rate-plan-charge"
            found += check_body("POST", path, {**charge.body, "ProductRatePlanId": ID})
            found += check_body("PUT", f"{path}/{ID}", {**charge.update, "ProductRatePlanId": ID})
            if charge.unit:
                found += check_body("POST", "/settings/units-of-measure", charge.unit.body)
    return found


def rate_plans_of(price: Price) -> tuple[RatePlanNode, ...]:
    owner = price.plan or price.addon
    assert owner is not None
    return tree(owner, [price]).rate_plans


def charge_of(price: Price) -> Body:
    """Return the body of the only charge of a plan with this price."""
    ((charge,),) = [rate_plan.charges for rate_plan in rate_plans_of(price)]
    return charge.body


def refusal(*prices: Price, package: Plan | Addon | None = None) -> tuple[str, ...]:
    owner = package or prices[0].plan or prices[0].addon
    assert owner is not None
    with pytest.raises(Refused) as caught:
        tree(owner, prices)
    return caught.value.sentences


def test_a_plan_is_a_product_with_a_rate_plan_per_period_and_a_charge_per_price() -> None:
    plan = build.plan(display_name="Basic", description="For beginners.")
    seats = build.feature("seats", display_name="Seats", units_plural="seats")
    prices = [
        build.price(plan, {"USD": "49.000000000", "EUR": "45.5"}),
        build.price(plan, {"EUR": "450"}, billing_period="ANNUALLY"),
        build.price(plan, {"EUR": "9"}, billing_model="PER_UNIT", feature=seats, min_unit_quantity=3),
    ]
    node = tree(plan, prices, tenant=build.FIELDS)
    assert (node.key, node.sku) == ("plan:basic", "stigg--plan--basic")
    assert node.body == {
        "Name": "Basic",
        "SKU": "stigg--plan--basic",
        "Category": "Base Products",
        "Description": "For beginners.",
        "EffectiveStartDate": "2020-01-01",
        "EffectiveEndDate": "2099-12-31",
        "stiggEntityUrl__c": "https://console.example/plans/basic/",
    }
    assert node.update == {
        "Name": "Basic",
        "Description": "For beginners.",
        "EffectiveEndDate": "2099-12-31",
        "stiggEntityUrl__c": "https://console.example/plans/basic/",
    }
    monthly, annual = node.rate_plans
    assert (monthly.key, monthly.number) == ("plan:basic/MONTHLY", "stigg--plan--basic--monthly")
    assert monthly.body == {
        "Name": "Monthly",
        "ProductRatePlanNumber": "stigg--plan--basic--monthly",
        "ActiveCurrencies": ["EUR", "USD"],
        "EffectiveStartDate": "2020-01-01",
        "EffectiveEndDate": "2099-12-31",
    }
    assert monthly.update == {"Name": "Monthly", "EffectiveEndDate": "2099-12-31"}
    assert annual.body["Name"] == "Annual"
    assert [charge.body["BillingPeriod"] for charge in annual.charges] == ["Annual"]
    fee, per_seat = monthly.charges
    assert fee.key == "plan:basic/MONTHLY/RECURRING/FLAT_FEE"
    assert fee.body == {
        "Name": "Flat fee",
        "ProductRatePlanChargeNumber": "stigg--plan--basic--monthly--recurring--flat_fee",
        "ChargeModel": "Flat Fee Pricing",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "TriggerEvent": "ContractEffective",
        "BillingPeriod": "Month",
        "ListPriceBase": "Per Billing Period",
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {
            "ProductRatePlanChargeTier": [
                {"Currency": "EUR", "Price": Decimal("45.5")},
                {"Currency": "USD", "Price": Decimal(49)},
            ]
        },
    }
    assert fee.tiers == (
        TierNode("EUR", None, "Price", Decimal("45.5")),
        TierNode("USD", None, "Price", Decimal(49)),
    )
    assert (fee.unit, fee.texts) == (None, {"Name": "Flat fee"})
    assert per_seat.body == {
        "Name": "Seats",
        "ProductRatePlanChargeNumber": "stigg--plan--basic--monthly--recurring--per_unit--seats",
        "ChargeModel": "Per Unit Pricing",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "TriggerEvent": "ContractEffective",
        "BillingPeriod": "Month",
        "UOM": "seats",
        "ListPriceBase": "Per Billing Period",
        "DefaultQuantity": Decimal(3),
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [{"Currency": "EUR", "Price": Decimal(9)}]},
    }
    assert per_seat.texts == {"Name": "Seats", "DefaultQuantity": Decimal(3)}
    assert per_seat.unit == UnitNode(
        name="seats",
        body={
            "name": "seats",
            "displayAs": "seats",
            "precision": 8,
            "roundingMode": "Up",
            "active": True,
            "usageLogFileLabel": "seats",
        },
    )


def test_an_addon_is_a_product_of_the_other_category_and_namespace() -> None:
    addon = build.addon("basic")
    node = tree(addon, [build.price(addon, {"EUR": "5"})], tenant=build.FIELDS)
    assert (node.key, node.sku, node.body["Category"], node.body["stiggEntityUrl__c"]) == (
        "addon:basic",
        "stigg--addon--basic",
        "Add On Services",
        "https://console.example/addons/basic/",
    )


@pytest.mark.parametrize("pricing_type", ["FREE", "CUSTOM"])
def test_a_free_or_custom_priced_plan_has_no_rate_plans(pricing_type: str) -> None:
    plan = build.plan(pricing_type=pricing_type)
    assert tree(plan, [build.price(plan, {"EUR": "5"})]).rate_plans == ()


def test_no_description_is_left_out_at_first_and_emptied_later() -> None:
    node = tree(build.plan(), [])
    assert "Description" not in node.body
    assert node.update["Description"] == ""


def test_an_archived_plan_ends_today_and_its_rate_plans_with_it() -> None:
    plan = build.plan(status="ARCHIVED")
    node = tree(plan, [build.price(plan, {"EUR": "5"})])
    ends = [node.update["EffectiveEndDate"], *(rate_plan.update["EffectiveEndDate"] for rate_plan in node.rate_plans)]
    assert ends == ["2026-03-15", "2026-03-15"]


def test_an_archived_plan_keeps_the_day_on_which_it_ended() -> None:
    plan = build.plan(status="ARCHIVED")
    node = tree(plan, [build.price(plan, {"EUR": "5"})], expired_on=date(2026, 2, 1))
    ends = [node.update["EffectiveEndDate"], *(rate_plan.update["EffectiveEndDate"] for rate_plan in node.rate_plans)]
    assert ends == ["2026-02-01", "2026-02-01"]


def test_a_successor_has_its_own_numbers_and_name_and_the_same_keys() -> None:
    plan = build.plan()
    prices = [build.price(plan, {"EUR": "5"}), build.price(plan, {"EUR": "50"}, billing_period="ANNUALLY")]
    monthly, annual = tree(plan, prices, generations={"plan:basic/MONTHLY": 2}).rate_plans
    assert (monthly.key, monthly.number, monthly.body["Name"], monthly.update["Name"]) == (
        "plan:basic/MONTHLY",
        "stigg--plan--basic--monthly__g2",
        "Monthly (2)",
        "Monthly (2)",
    )
    assert [(charge.key, charge.number) for charge in monthly.charges] == [
        ("plan:basic/MONTHLY/RECURRING/FLAT_FEE", "stigg--plan--basic--monthly--recurring--flat_fee__g2")
    ]
    assert (annual.number, annual.body["Name"]) == ("stigg--plan--basic--annually", "Annual")


TIERS = [(10, "9", None), (100, "8.5", None), (None, "7", None)]
LADDER = [
    {
        "Currency": "EUR",
        "Price": Decimal(9),
        "StartingUnit": Decimal(0),
        "EndingUnit": Decimal(10),
        "PriceFormat": "Per Unit",
    },
    {
        "Currency": "EUR",
        "Price": Decimal("8.5"),
        "StartingUnit": Decimal(11),
        "EndingUnit": Decimal(100),
        "PriceFormat": "Per Unit",
    },
    {"Currency": "EUR", "Price": Decimal(7), "StartingUnit": Decimal(101), "PriceFormat": "Per Unit"},
]
STAIRS = [(10, None, "100"), (None, None, "250")]
STAIR_ROWS = [
    {
        "Currency": "EUR",
        "Price": Decimal(100),
        "StartingUnit": Decimal(0),
        "EndingUnit": Decimal(10),
        "PriceFormat": "Flat Fee",
    },
    {"Currency": "EUR", "Price": Decimal(250), "StartingUnit": Decimal(11), "PriceFormat": "Flat Fee"},
]


@pytest.mark.parametrize(
    ("values", "amounts", "expected", "absent"),
    [
        (
            {"billing_model": "PER_UNIT", "tiers_mode": "GRADUATED", "feature": build.feature()},
            TIERS,
            {"ChargeModel": "Tiered Pricing", "ChargeType": "Recurring", "DefaultQuantity": Decimal(1), "rows": LADDER},
            set(),
        ),
        (
            {"billing_model": "PER_UNIT", "tiers_mode": "VOLUME", "feature": build.feature()},
            TIERS,
            {"ChargeModel": "Volume Pricing", "ChargeType": "Recurring", "rows": LADDER},
            set(),
        ),
        (
            {"billing_model": "PER_UNIT", "tiers_mode": "VOLUME", "feature": build.feature()},
            STAIRS,
            {"ChargeModel": "Volume Pricing", "ChargeType": "Recurring", "rows": STAIR_ROWS},
            set(),
        ),
        (
            {"billing_model": "USAGE_BASED", "feature": build.feature()},
            "0.00025",
            {
                "Name": "Seats (usage)",
                "ChargeModel": "Per Unit Pricing",
                "ChargeType": "Usage",
                "BillingPeriod": "Month",
                "UOM": "seats",
                "rows": [{"Currency": "EUR", "Price": Decimal("0.00025")}],
            },
            {"DefaultQuantity", "ListPriceBase"},
        ),
        (
            {"billing_model": "USAGE_BASED", "tiers_mode": "GRADUATED", "feature": build.feature()},
            TIERS,
            {"ChargeModel": "Tiered Pricing", "ChargeType": "Usage", "rows": LADDER},
            {"DefaultQuantity"},
        ),
        (
            {"billing_model": "USAGE_BASED", "tiers_mode": "VOLUME", "feature": build.feature()},
            TIERS,
            {"ChargeModel": "Volume Pricing", "ChargeType": "Usage", "rows": LADDER},
            {"DefaultQuantity"},
        ),
        (
            {"billing_cadence": "ONE_OFF"},
            "500",
            {
                "Name": "Flat fee (one-off)",
                "ChargeModel": "Flat Fee Pricing",
                "ChargeType": "OneTime",
                "rows": [{"Currency": "EUR", "Price": Decimal(500)}],
            },
            {"BillingPeriod", "ListPriceBase", "UOM"},
        ),
        (
            {"billing_cadence": "ONE_OFF", "billing_model": "PER_UNIT", "feature": build.feature()},
            "20",
            {"ChargeModel": "Per Unit Pricing", "ChargeType": "OneTime", "DefaultQuantity": Decimal(1), "UOM": "seats"},
            {"BillingPeriod", "ListPriceBase"},
        ),
    ],
)
def test_each_kind_of_price_has_its_charge(
    values: dict[str, Any], amounts: str | build.Steps, expected: dict[str, Any], absent: set[str]
) -> None:
    body = charge_of(build.price(build.plan(), {"EUR": amounts}, **values))
    rows = body["ProductRatePlanChargeTierData"]["ProductRatePlanChargeTier"]
    assert {name: rows if name == "rows" else body.get(name) for name in expected} == expected
    assert absent & set(body) == set()


def test_tiers_in_two_currencies_are_rows_of_each() -> None:
    price = build.price(
        build.plan(),
        {"USD": [(10, "11", None), (None, "10", None)], "EUR": [(None, "8", None), (10, "9", None)]},
        billing_model="PER_UNIT",
        tiers_mode="GRADUATED",
        feature=build.feature(),
    )
    (charge,) = rate_plans_of(price)[0].charges
    assert charge.tiers == (
        TierNode("EUR", Decimal(0), "Price", Decimal(9)),
        TierNode("EUR", Decimal(11), "Price", Decimal(8)),
        TierNode("USD", Decimal(0), "Price", Decimal(11)),
        TierNode("USD", Decimal(11), "Price", Decimal(10)),
    )


@pytest.mark.parametrize(
    ("tier", "price", "form"),
    [
        ((None, "5", "0"), Decimal(5), "Per Unit"),
        ((None, "0", "5"), Decimal(5), "Flat Fee"),
        ((None, "0", "0"), Decimal(0), "Per Unit"),
        ((None, None, "0"), Decimal(0), "Flat Fee"),
        ((None, "0", None), Decimal(0), "Per Unit"),
    ],
)
def test_a_zero_beside_the_real_price_of_a_tier_counts_for_nothing(
    tier: tuple[int | None, str | None, str | None], price: Decimal, form: str
) -> None:
    body = charge_of(
        build.price(
            build.plan(), {"EUR": [tier]}, billing_model="PER_UNIT", tiers_mode="VOLUME", feature=build.feature()
        )
    )
    assert body["ProductRatePlanChargeTierData"]["ProductRatePlanChargeTier"] == [
        {"Currency": "EUR", "Price": price, "StartingUnit": Decimal(0), "PriceFormat": form}
    ]


def test_one_price_for_several_countries_is_one_row() -> None:
    body = charge_of(build.price(build.plan(), {"EUR": "9", "EUR/DE": "9.00", "EUR/FR": "9"}))
    assert body["ProductRatePlanChargeTierData"]["ProductRatePlanChargeTier"] == [
        {"Currency": "EUR", "Price": Decimal(9)}
    ]


def test_charges_that_would_be_called_the_same_name_their_feature() -> None:
    plan = build.plan()
    features = [build.feature("seats-a", display_name="Seats"), build.feature("seats-b", display_name="SEATS")]
    prices = [build.price(plan, {"EUR": "1"}, billing_model="PER_UNIT", feature=feature) for feature in features]
    (rate_plan,) = tree(plan, prices).rate_plans
    assert [charge.body["Name"] for charge in rate_plan.charges] == ["Seats [seats-a]", "SEATS [seats-b]"]


def _shape(amounts: Mapping[str, str | build.Steps], **values: Any) -> Any:
    plan = build.plan()
    defaults = {"billing_model": "PER_UNIT", "feature": build.feature()}
    return tree(plan, [build.price(plan, amounts, **defaults | values)]).rate_plans[0].shape


@pytest.mark.parametrize(
    ("amounts", "values"),
    [
        ({"EUR": "7", "USD": "8"}, {}),
        ({"EUR": [(None, "7", None)]}, {"tiers_mode": "VOLUME"}),
        ({"EUR": "7"}, {"feature": build.feature(units_plural="users")}),
        ({"EUR": "7"}, {"billing_period": "ANNUALLY"}),
        ({"EUR": "7"}, {"billing_cadence": "ONE_OFF"}),
        ({"EUR": "7"}, {"billing_model": "USAGE_BASED"}),
    ],
)
def test_what_zuora_cannot_change_in_place_changes_the_shape(
    amounts: Mapping[str, str | build.Steps], values: dict[str, Any]
) -> None:
    assert _shape(amounts, **values) != _shape({"EUR": "7"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([(10, "9", None), (None, "8", None)], [(20, "9", None), (None, "8", None)]),
        ([(10, "9", None), (None, "8", None)], [(None, "9", None)]),
        ([(10, "9", None), (None, "8", None)], [(10, None, "9"), (None, "8", None)]),
    ],
)
def test_other_tiers_change_the_shape(before: build.Steps, after: build.Steps) -> None:
    assert _shape({"EUR": before}, tiers_mode="VOLUME") != _shape({"EUR": after}, tiers_mode="VOLUME")


def test_a_charge_more_or_less_changes_the_shape_of_its_rate_plan() -> None:
    plan = build.plan()
    fee, setup = build.price(plan, {"EUR": "5"}), build.price(plan, {"EUR": "9"}, billing_cadence="ONE_OFF")
    assert tree(plan, [fee, setup]).rate_plans[0].shape != tree(plan, [fee]).rate_plans[0].shape


def test_another_price_name_or_quantity_keeps_the_shape() -> None:
    other = build.feature(display_name="Users")
    assert _shape({"EUR": "9.99"}, feature=other, min_unit_quantity=5) == _shape({"EUR": "7"})


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
