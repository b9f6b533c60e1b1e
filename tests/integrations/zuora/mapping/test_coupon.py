from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest

from catalog.models import Coupon
from integrations.zuora.mapping.coupon import coupon_tree
from integrations.zuora.mapping.nodes import ProductNode, TierNode
from integrations.zuora.mapping.refusal import Refused
from tests.integrations.zuora.mapping import build
from tests.integrations.zuora.mapping.test_package import violations


def tree(
    coupon: Coupon,
    *,
    currencies: Sequence[str] = ("USD", "EUR"),
    generations: Mapping[str, int] | None = None,
    expired_on: date | None = None,
) -> ProductNode:
    node = coupon_tree(
        coupon,
        currencies=currencies,
        tenant=build.FIELDS,
        today=build.TODAY,
        generations=generations or {},
        expired_on=expired_on,
    )
    assert violations(node) == []
    return node


def test_a_percentage_is_a_discount_in_every_currency_and_for_each_billing_period() -> None:
    node = tree(build.coupon(description="For friends."))
    assert node.body == {
        "Name": "Launch",
        "SKU": "stigg--coupon--launch",
        "Category": "Miscellaneous Products",
        "Description": "For friends.",
        "EffectiveStartDate": "2020-01-01",
        "EffectiveEndDate": "2099-12-31",
        "stiggEntityUrl__c": "https://console.example/coupons/launch/",
    }
    monthly, annual = node.rate_plans
    assert (monthly.key, monthly.body["Name"], monthly.body["ActiveCurrencies"]) == (
        "coupon:launch/MONTHLY",
        "Monthly",
        ["EUR", "USD"],
    )
    assert (annual.key, annual.body["Name"]) == ("coupon:launch/ANNUALLY", "Annual")
    (discount,) = monthly.charges
    assert discount.key == "coupon:launch/MONTHLY/PERCENTAGE"
    assert discount.body == {
        "Name": "Discount",
        "ProductRatePlanChargeNumber": "stigg--coupon--launch--monthly--percentage",
        "ChargeModel": "Discount-Percentage",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "TriggerEvent": "ContractEffective",
        "BillingPeriod": "Month",
        "DiscountLevel": "subscription",
        "ApplyDiscountTo": "ONETIMERECURRINGUSAGE",
        "EndDateCondition": "SubscriptionEnd",
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {
            "ProductRatePlanChargeTier": [
                {"Currency": "EUR", "DiscountPercentage": Decimal(15)},
                {"Currency": "USD", "DiscountPercentage": Decimal(15)},
            ]
        },
    }
    assert discount.tiers == (
        TierNode("EUR", None, "DiscountPercentage", Decimal(15)),
        TierNode("USD", None, "DiscountPercentage", Decimal(15)),
    )
    assert [charge.body["BillingPeriod"] for charge in annual.charges] == ["Annual"]


def test_a_fixed_amount_brings_its_own_currencies() -> None:
    (discount,) = tree(build.coupon(amounts={"GBP": "10.50"})).rate_plans[0].charges
    assert (discount.key, discount.body["ChargeModel"]) == ("coupon:launch/MONTHLY/FIXED", "Discount-Fixed Amount")
    assert discount.body["ProductRatePlanChargeTierData"] == {
        "ProductRatePlanChargeTier": [{"Currency": "GBP", "DiscountAmount": Decimal("10.5")}]
    }


def test_a_coupon_for_some_months_ends_after_them() -> None:
    for rate_plan in tree(build.coupon(duration_in_months=3)).rate_plans:
        (discount,) = rate_plan.charges
        ending = {name: discount.body[name] for name in ("EndDateCondition", "UpToPeriods", "UpToPeriodsType")}
        assert ending == {"EndDateCondition": "FixedPeriod", "UpToPeriods": 3, "UpToPeriodsType": "Months"}


def test_an_archived_coupon_ends() -> None:
    coupon = build.coupon(status="ARCHIVED")
    assert tree(coupon).update["EffectiveEndDate"] == "2026-03-15"
    assert tree(coupon, expired_on=date(2026, 1, 2)).rate_plans[0].update["EffectiveEndDate"] == "2026-01-02"


def test_a_new_currency_or_duration_is_another_shape_and_a_successor_has_its_own_numbers() -> None:
    before = tree(build.coupon(), currencies=["EUR"]).rate_plans[0]
    assert tree(build.coupon(percent_off=Decimal(20)), currencies=["EUR"]).rate_plans[0].shape == before.shape
    assert tree(build.coupon(), currencies=["EUR", "USD"]).rate_plans[0].shape != before.shape
    assert tree(build.coupon(duration_in_months=6), currencies=["EUR"]).rate_plans[0].shape != before.shape
    successor = tree(build.coupon(), generations={"coupon:launch/MONTHLY": 2}).rate_plans[0]
    assert (successor.number, successor.charges[0].number) == (
        "stigg--coupon--launch--monthly__g2",
        "stigg--coupon--launch--monthly--percentage__g2",
    )


@pytest.mark.parametrize(
    ("coupon", "currencies", "sentence"),
    [
        (
            build.coupon(),
            [],
            (
                "The discount of coupon launch has no currency to apply in: give it an amount, or sell a plan in some "
                "currency first."
            ),
        ),
        (build.coupon(percent_off=None), ["EUR"], "The discount of coupon launch has no percentage: fill it in."),
        (
            build.coupon(display_name="x" * 101),
            ["EUR"],
            "The display name of coupon launch has 101 characters and Zuora holds 100: shorten it.",
        ),
    ],
)
def test_what_zuora_cannot_hold_is_refused(coupon: Coupon, currencies: list[str], sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        tree(coupon, currencies=currencies)
    assert caught.value.sentences == (sentence,)
