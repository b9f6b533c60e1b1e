"""Each kind of price as a charge, and what of it Zuora can change in place."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from integrations.zuora.mapping.nodes import TierNode
from tests.integrations.zuora.mapping import build
from tests.integrations.zuora.mapping.test_package import charge_of, rate_plans_of, tree

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
