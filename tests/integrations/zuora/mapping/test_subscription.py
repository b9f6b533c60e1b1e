from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from integrations.zuora.mapping.subscription import contract, rate_plan_keys
from integrations.zuora.mapping.tenant import Tenant
from tests.integrations.zuora.mapping import build
from tests.integrations.zuora.mapping.contracts import FEE, SEATS, USAGE, per_seat, sold, state


def test_a_subscription_is_stated_with_plan_addons_and_coupon() -> None:
    plan, addon, coupon = build.plan(), build.addon(), build.coupon()
    prices = {
        "plan:basic": [
            build.price(plan, {"EUR": "45.500000000"}),
            per_seat(plan, {"EUR": "9"}),
            build.price(plan, {"EUR": "400"}, billing_period="ANNUALLY"),
        ],
        "addon:support": [build.price(addon, {"EUR": "20"})],
    }
    subscription = build.subscription(
        plan=plan, addons=[(addon, 3)], quantities={"seats": 12}, resource_id="site-7", paying_customer=None
    )
    wanted = state(
        subscription,
        prices=prices,
        placed=[
            build.placed("plan:basic", FEE, SEATS),
            build.placed("addon:support", FEE),
            build.placed("coupon:launch", "PERCENTAGE"),
        ],
        coupon=coupon,
        tenant=build.FIELDS,
    )
    assert wanted == {
        "subscriptionNumber": "stigg--sub-1",
        "account": "stigg--acme",
        "owner": "stigg--acme",
        "currency": "EUR",
        "start": "2026-03-01",
        "terms": {"termType": "EVERGREEN"},
        "customFields": {
            "stiggEntityUrl__c": "https://console.example/subscriptions/sub-1/",
            "stiggCustomerId__c": "acme",
            "stiggResourceId__c": "site-7",
        },
        "ratePlans": [
            {
                "key": "plan:basic/MONTHLY",
                "version": 1,
                "id": "plan:basic/MONTHLY#1",
                "number": "number of plan:basic/MONTHLY#1",
                "charges": [
                    {
                        "key": "plan:basic/MONTHLY/RECURRING/FLAT_FEE",
                        "id": "plan:basic/MONTHLY/RECURRING/FLAT_FEE#1",
                        "number": "number of plan:basic/MONTHLY/RECURRING/FLAT_FEE#1",
                        "pricing": "recurringFlatFee",
                        "price": "45.5",
                        "listed": True,
                    },
                    {
                        "key": "plan:basic/MONTHLY/RECURRING/PER_UNIT/seats",
                        "id": "plan:basic/MONTHLY/RECURRING/PER_UNIT/seats#1",
                        "number": "number of plan:basic/MONTHLY/RECURRING/PER_UNIT/seats#1",
                        "pricing": "recurringPerUnit",
                        "quantity": "12",
                        "price": "9",
                        "listed": True,
                    },
                ],
            },
            {
                "key": "addon:support/MONTHLY",
                "version": 1,
                "id": "addon:support/MONTHLY#1",
                "number": "number of addon:support/MONTHLY#1",
                "charges": [
                    {
                        "key": "addon:support/MONTHLY/RECURRING/FLAT_FEE",
                        "id": "addon:support/MONTHLY/RECURRING/FLAT_FEE#1",
                        "number": "number of addon:support/MONTHLY/RECURRING/FLAT_FEE#1",
                        "pricing": "recurringFlatFee",
                        "price": "60",
                        "listed": False,
                    }
                ],
            },
            {
                "key": "coupon:launch/MONTHLY",
                "version": 1,
                "id": "coupon:launch/MONTHLY#1",
                "number": "number of coupon:launch/MONTHLY#1",
                "charges": [
                    {
                        "key": "coupon:launch/MONTHLY/PERCENTAGE",
                        "id": "coupon:launch/MONTHLY/PERCENTAGE#1",
                        "number": "number of coupon:launch/MONTHLY/PERCENTAGE#1",
                    }
                ],
            },
        ],
        "cancellation": None,
    }
    assert rate_plan_keys(subscription, coupon=coupon) == (
        "plan:basic/MONTHLY",
        "addon:support/MONTHLY",
        "coupon:launch/MONTHLY",
    )


def test_who_pays_and_who_has_it_may_differ_and_the_payers_currency_counts() -> None:
    plan = build.plan()
    payer = build.customer("umbrella", billing_currency="USD", billing_country="US")
    wanted = contract(
        build.subscription(plan=plan, paying_customer=payer),
        prices={"plan:basic": [build.price(plan, {"EUR": "9", "USD": "10"})]},
        placed={"plan:basic/MONTHLY": build.placed("plan:basic", FEE)},
        payer_account="U-1",
        owner_account="stigg--acme",
        tenant=build.TENANT,
        number="S-BY-HAND",
    )
    assert (wanted["account"], wanted["owner"], wanted["currency"], wanted["subscriptionNumber"]) == (
        "U-1",
        "stigg--acme",
        "USD",
        "S-BY-HAND",
    )
    assert wanted["ratePlans"][0]["charges"][0]["price"] == "10"


def test_the_start_is_the_tenants_day() -> None:
    west = Tenant(key_prefix="stigg", public_url="https://x.example", time_zone=timezone(timedelta(hours=-8)))
    late = build.subscription(plan=build.plan(pricing_type="FREE"), start_date=datetime(2026, 3, 1, 5, tzinfo=UTC))
    assert state(late, prices={}, tenant=west)["start"] == "2026-02-28"


def test_a_free_plan_has_nothing_to_bill_and_nothing_to_discount() -> None:
    subscription = build.subscription(plan=build.plan(pricing_type="FREE"), billing_period="")
    assert rate_plan_keys(subscription, coupon=build.coupon()) == ()
    assert state(subscription, prices={}, coupon=build.coupon())["ratePlans"] == []


@pytest.mark.parametrize(
    ("price", "values", "expected"),
    [
        ({}, {"quantities": {"seats": 5}}, "5"),
        ({"min_unit_quantity": 3}, {"quantities": {"seats": 5}}, "5"),
        ({"min_unit_quantity": 3}, {"quantities": {"sites": 5}}, "3"),
        ({}, {}, "1"),
    ],
)
def test_a_quantity_is_what_was_bought_or_the_fewest_units(
    price: dict[str, Any], values: dict[str, Any], expected: str
) -> None:
    assert sold(per_seat(build.plan(), {"EUR": "9"}, **price), SEATS, **values)["quantity"] == expected


@pytest.mark.parametrize(
    ("values", "charge", "pricing", "has_quantity"),
    [
        ({"billing_model": "PER_UNIT"}, SEATS, "recurringPerUnit", True),
        ({"billing_model": "USAGE_BASED"}, USAGE, "usagePerUnit", False),
        (
            {"billing_model": "PER_UNIT", "billing_cadence": "ONE_OFF"},
            "ONE_OFF/PER_UNIT/seats",
            "oneTimePerUnit",
            True,
        ),
        (
            {"billing_model": "FLAT_FEE", "feature": None, "billing_cadence": "ONE_OFF"},
            "ONE_OFF/FLAT_FEE",
            "oneTimeFlatFee",
            False,
        ),
    ],
)
def test_each_kind_of_charge_has_its_member_in_an_order(
    values: dict[str, Any], charge: str, pricing: str, has_quantity: bool
) -> None:
    only = sold(per_seat(build.plan(), {"EUR": "9"}, **values), charge)
    assert (only["pricing"], "quantity" in only) == (pricing, has_quantity)


@pytest.mark.parametrize(
    ("model", "mode", "charge", "pricing"),
    [
        ("PER_UNIT", "GRADUATED", SEATS, "recurringTiered"),
        ("PER_UNIT", "VOLUME", SEATS, "recurringVolume"),
        ("USAGE_BASED", "GRADUATED", USAGE, "usageTiered"),
        ("USAGE_BASED", "VOLUME", USAGE, "usageVolume"),
    ],
)
def test_tiers_are_stated_in_the_orders_words(model: str, mode: str, charge: str, pricing: str) -> None:
    steps = [(10, "9", None), (None, None, "7.50")]
    only = sold(per_seat(build.plan(), {"EUR": steps}, billing_model=model, tiers_mode=mode), charge)
    assert only["pricing"] == pricing
    assert only["tiers"] == [
        {"start": "0", "end": "10", "price": "9", "format": "PerUnit"},
        {"start": "11", "price": "7.5", "format": "FlatFee"},
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"status": "CANCELED"}, {"policy": "SpecificDate", "date": ""}),
        ({"cancellation_time": "IMMEDIATE"}, {"policy": "SpecificDate", "date": ""}),
        (
            {"cancellation_time": "SPECIFIC_DATE", "cancellation_date": datetime(2026, 6, 30, tzinfo=UTC)},
            {"policy": "SpecificDate", "date": "2026-06-30"},
        ),
        (
            {"cancellation_time": "END_OF_BILLING_PERIOD", "cancellation_date": datetime(2026, 4, 1, tzinfo=UTC)},
            {"policy": "SpecificDate", "date": "2026-04-01"},
        ),
        ({"cancellation_time": "END_OF_BILLING_PERIOD"}, {"policy": "EndOfLastInvoicePeriod", "date": ""}),
        (
            {"cancellation_time": "END_OF_BILLING_PERIOD", "status": "CANCELED"},
            {"policy": "EndOfLastInvoicePeriod", "date": ""},
        ),
        (
            {
                "cancellation_time": "END_OF_BILLING_PERIOD",
                "metadata": {"ZUORA__TermType": "TERMED", "ZUORA__InitialTerm": "12"},
            },
            {"policy": "EndOfCurrentTerm", "date": ""},
        ),
        (
            {"status": "EXPIRED", "effective_end_date": datetime(2026, 5, 1, tzinfo=UTC)},
            {"policy": "SpecificDate", "date": "2026-05-01"},
        ),
        ({"status": "ACTIVE", "effective_end_date": datetime(2026, 5, 1, tzinfo=UTC)}, None),
    ],
)
def test_it_ends_by_the_policy_that_stigg_gave(values: dict[str, Any], expected: dict[str, str] | None) -> None:
    subscription = build.subscription(plan=build.plan(pricing_type="FREE"), **values)
    assert state(subscription, prices={})["cancellation"] == expected
