from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from catalog.models import Coupon, Plan, Price
from integrations.zuora.mapping.contract import Contract, PlacedRatePlan
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.mapping.subscription import contract, rate_plan_keys
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.models import Subscription
from tests.integrations.zuora.mapping import build

FEE, SEATS, USAGE = "RECURRING/FLAT_FEE", "RECURRING/PER_UNIT/seats", "RECURRING/USAGE_BASED/seats"


def state(
    subscription: Subscription,
    *,
    prices: Mapping[str, Sequence[Price]],
    placed: Sequence[PlacedRatePlan] = (),
    coupon: Coupon | None = None,
    sent: Contract | None = None,
    tenant: Tenant = build.TENANT,
    **values: Any,
) -> Contract:
    return contract(
        subscription,
        prices=prices,
        placed={plan.key: plan for plan in placed},
        payer_account="stigg--acme",
        owner_account="stigg--acme",
        tenant=tenant,
        coupon=coupon,
        sent=sent,
        **values,
    )


def sold(price: Price, charge: str, **values: Any) -> Mapping[str, Any]:
    """Return the only charge of a subscription to a plan with this price."""
    assert price.plan is not None
    wanted = state(
        build.subscription(plan=price.plan, **values),
        prices={"plan:basic": [price]},
        placed=[build.placed("plan:basic", charge)],
    )
    ((only,),) = [plan["charges"] for plan in wanted["ratePlans"]]
    return only


def refusal(subscription: Subscription, **values: Any) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        state(subscription, **values)
    return caught.value.sentences


def per_seat(plan: Plan, amounts: Mapping[str, str | build.Steps], **values: Any) -> Price:
    return build.price(plan, amounts, **{"billing_model": "PER_UNIT", "feature": build.feature()} | values)


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
