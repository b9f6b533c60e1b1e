import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest

from integrations.zuora.mapping.contract import Contract
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.order import (
    before_the_end,
    change_order,
    create_order,
    custom_fields_update,
    must_take_back,
)
from integrations.zuora.mapping.refusal import Refused
from tests.sdk_contract import check_body

START, TODAY = date(2026, 3, 1), date(2026, 3, 15)
TERMED = {
    "termType": "TERMED",
    "initialTerm": {"period": 12, "periodType": "Month"},
    "renewalTerm": {"period": 6, "periodType": "Month"},
    "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
    "autoRenew": True,
}
TIERS = [
    {"start": "0", "end": "10", "price": "9", "format": "PerUnit"},
    {"start": "11", "price": "250", "format": "FlatFee"},
]
ORDER_TIERS = [
    {
        "tier": 1,
        "startingUnit": Decimal(0),
        "endingUnit": Decimal(10),
        "price": Decimal(9),
        "priceFormat": "PerUnit",
    },
    {"tier": 2, "startingUnit": Decimal(11), "price": Decimal(250), "priceFormat": "FlatFee"},
]


def charge(key: str, pricing: str, **values: Any) -> dict[str, Any]:
    return {"key": key, "id": f"id {key}", "number": f"number {key}", "pricing": pricing, "listed": True} | values


def rate_plan(name: str, *charges: Mapping[str, Any], generation: int = 1) -> dict[str, Any]:
    number = f"{name}__g{generation}"
    return {"key": name, "version": 1, "id": f"id {number}", "number": number, "charges": list(charges)}


def contract(*rate_plans: Mapping[str, Any], **values: Any) -> Contract:
    """Build a contract, and let it travel through JSON as it does in our database."""
    stated = {
        "subscriptionNumber": "stigg--sub-1",
        "account": "stigg--acme",
        "owner": "stigg--acme",
        "currency": "EUR",
        "start": START.isoformat(),
        "terms": {"termType": "EVERGREEN"},
        "customFields": {},
        "ratePlans": list(rate_plans),
        "cancellation": None,
    } | values
    return cast("Contract", json.loads(json.dumps(stated)))


BASIC = rate_plan("basic", charge("fee", "recurringFlatFee", price="45"))
SEATS = rate_plan("seats", charge("seats", "recurringPerUnit", quantity="5", price="9"))
SUPPORT = rate_plan("support", charge("support", "recurringFlatFee", price="20"))


def dates(day: str) -> list[dict[str, str]]:
    return [
        {"name": "ContractEffective", "triggerDate": day},
        {"name": "ServiceActivation", "triggerDate": day},
        {"name": "CustomerAcceptance", "triggerDate": day},
    ]


def created(wanted: Contract, *, on: date = TODAY) -> Body:
    body = create_order(wanted, order_number="stigg--sub-1--1", order_date=on)
    assert check_body("POST", "/v1/orders", body) == []
    return body


def changed(sent: Contract, wanted: Contract, *, on: date = TODAY) -> Body | None:
    body = change_order(sent, wanted, order_number="stigg--sub-1--2", order_date=on)
    if body is not None:
        assert check_body("POST", "/v1/orders", body) == []
        assert {name: value for name, value in body.items() if name != "subscriptions"} == {
            "orderNumber": "stigg--sub-1--2",
            "orderDate": on.isoformat(),
            "existingAccountNumber": "stigg--acme",
        }
        assert [item["subscriptionNumber"] for item in body["subscriptions"]] == ["stigg--sub-1"]
    return body


def actions(sent: Contract, wanted: Contract, *, on: date = TODAY) -> list[tuple[str, Any]]:
    """Return type and member of each action of the order that changes one into the other."""
    body = changed(sent, wanted, on=on)
    found = body["subscriptions"][0]["orderActions"] if body else []
    return [(item["type"], item[item["type"][0].lower() + item["type"][1:]]) for item in found]


def refusal(sent: Contract, wanted: Contract, *, on: date = TODAY) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        changed(sent, wanted, on=on)
    return caught.value.sentences


def test_a_new_subscription_is_one_order_with_all_it_holds() -> None:
    usage = charge("usage", "usagePerUnit", price="0.1")
    discount = {"key": "discount", "id": "id discount", "number": "number discount"}
    wanted = contract(
        rate_plan("basic", charge("fee", "recurringFlatFee", price="45"), usage),
        SEATS,
        rate_plan("support", charge("support", "recurringFlatFee", price="60", listed=False)),
        rate_plan("launch", discount),
        owner="stigg--subsidiary",
        customFields={"stiggCustomerId__c": "acme"},
    )
    assert created(wanted) == {
        "orderNumber": "stigg--sub-1--1",
        "orderDate": "2026-03-15",
        "existingAccountNumber": "stigg--acme",
        "subscriptions": [
            {
                "customFields": {"stiggCustomerId__c": "acme"},
                "orderActions": [
                    {
                        "type": "CreateSubscription",
                        "triggerDates": dates("2026-03-01"),
                        "createSubscription": {
                            "subscriptionNumber": "stigg--sub-1",
                            "subscriptionOwnerAccountNumber": "stigg--subsidiary",
                            "terms": {"initialTerm": {"termType": "EVERGREEN", "startDate": "2026-03-01"}},
                            "subscribeToRatePlans": [
                                {"productRatePlanId": "id basic__g1"},
                                {
                                    "productRatePlanId": "id seats__g1",
                                    "chargeOverrides": [
                                        {
                                            "productRatePlanChargeId": "id seats",
                                            "pricing": {"recurringPerUnit": {"quantity": Decimal(5)}},
                                        }
                                    ],
                                },
                                {
                                    "productRatePlanId": "id support__g1",
                                    "chargeOverrides": [
                                        {
                                            "productRatePlanChargeId": "id support",
                                            "pricing": {"recurringFlatFee": {"listPrice": Decimal(60)}},
                                        }
                                    ],
                                },
                                {"productRatePlanId": "id launch__g1"},
                            ],
                        },
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("pricing", "values", "expected"),
    [
        ("recurringPerUnit", {"quantity": "5", "price": "8.5"}, {"quantity": Decimal(5), "listPrice": Decimal("8.5")}),
        ("recurringTiered", {"quantity": "5", "tiers": TIERS}, {"quantity": Decimal(5), "tiers": ORDER_TIERS}),
        ("recurringVolume", {"quantity": "5", "tiers": TIERS}, {"quantity": Decimal(5), "tiers": ORDER_TIERS}),
        ("usagePerUnit", {"price": "0.1"}, {"listPrice": Decimal("0.1")}),
        ("usageTiered", {"tiers": TIERS}, {"tiers": ORDER_TIERS}),
        ("usageVolume", {"tiers": TIERS}, {"tiers": ORDER_TIERS}),
        ("oneTimeFlatFee", {"price": "500"}, {"listPrice": Decimal(500)}),
        ("oneTimePerUnit", {"quantity": "2", "price": "5"}, {"quantity": Decimal(2), "listPrice": Decimal(5)}),
    ],
)
def test_a_price_of_its_own_is_sent_and_a_list_price_is_not(
    pricing: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    own = created(contract(rate_plan("basic", charge("it", pricing, listed=False, **values))))
    listed = created(contract(rate_plan("basic", charge("it", pricing, **values))))
    overrides = [
        body["subscriptions"][0]["orderActions"][0]["createSubscription"]["subscribeToRatePlans"][0].get(
            "chargeOverrides"
        )
        for body in (own, listed)
    ]
    quantity = {name: value for name, value in expected.items() if name == "quantity"}
    assert overrides == [
        [{"productRatePlanChargeId": "id it", "pricing": {pricing: expected}}],
        [{"productRatePlanChargeId": "id it", "pricing": {pricing: quantity}}] if quantity else None,
    ]


def test_terms_are_sent_whole() -> None:
    body = created(contract(BASIC, terms=TERMED))
    assert body["subscriptions"][0]["orderActions"][0]["createSubscription"]["terms"] == {
        "initialTerm": {"termType": "TERMED", "period": 12, "periodType": "Month", "startDate": "2026-03-01"},
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "renewalTerms": [{"period": 6, "periodType": "Month"}],
        "autoRenew": True,
    }


def test_a_term_that_renews_to_evergreen_has_no_length_to_renew_for() -> None:
    body = created(contract(BASIC, terms=TERMED | {"renewalSetting": "RENEW_TO_EVERGREEN"}))
    terms = body["subscriptions"][0]["orderActions"][0]["createSubscription"]["terms"]
    assert (terms["renewalSetting"], "renewalTerms" in terms) == ("RENEW_TO_EVERGREEN", False)


def test_a_subscription_that_is_cancelled_already_is_created_and_cancelled_at_once() -> None:
    body = created(contract(BASIC, cancellation={"policy": "SpecificDate", "date": "2026-06-30"}))
    found = body["subscriptions"][0]["orderActions"]
    assert [item["type"] for item in found] == ["CreateSubscription", "CancelSubscription"]
    assert found[1] == {
        "type": "CancelSubscription",
        "triggerDates": dates("2026-03-15"),
        "cancelSubscription": {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-06-30"},
    }


def test_a_subscription_without_rate_plans_names_none() -> None:
    body = created(contract())
    assert "subscribeToRatePlans" not in body["subscriptions"][0]["orderActions"][0]["createSubscription"]


def test_nothing_that_differs_is_no_order() -> None:
    assert changed(contract(BASIC, SEATS), contract(BASIC, SEATS)) is None


def test_an_added_addon_touches_nothing_else() -> None:
    assert actions(contract(BASIC, SEATS), contract(BASIC, SEATS, SUPPORT)) == [
        ("AddProduct", {"productRatePlanId": "id support__g1"})
    ]


def test_a_removed_addon_is_named_by_its_number() -> None:
    assert actions(contract(BASIC, SUPPORT), contract(BASIC)) == [
        ("RemoveProduct", {"productRatePlanNumber": "support__g1"})
    ]


def _with_seats(**values: Any) -> Contract:
    return contract(BASIC, rate_plan("seats", charge("seats", "recurringPerUnit", **values)))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"quantity": "7", "price": "9"}, {"quantity": Decimal(7)}),
        ({"quantity": "5", "price": "8", "listed": False}, {"listPrice": Decimal(8)}),
        ({"quantity": "6", "price": "8", "listed": False}, {"quantity": Decimal(6), "listPrice": Decimal(8)}),
    ],
)
def test_an_update_holds_only_what_differs(after: dict[str, Any], expected: dict[str, Any]) -> None:
    assert actions(_with_seats(quantity="5", price="9"), _with_seats(**after)) == [
        (
            "UpdateProduct",
            {
                "productRatePlanNumber": "seats__g1",
                "chargeUpdates": [
                    {"productRatePlanChargeNumber": "number seats", "pricing": {"recurringPerUnit": expected}}
                ],
            },
        )
    ]


def test_other_tiers_are_sent_whole() -> None:
    before = contract(rate_plan("a", charge("it", "usageVolume", tiers=[*TIERS[:0], {**TIERS[1], "start": "0"}])))
    after = contract(rate_plan("a", charge("it", "usageVolume", tiers=TIERS, listed=False)))
    ((kind, member),) = actions(before, after)
    assert kind == "UpdateProduct"
    assert member["chargeUpdates"] == [
        {"productRatePlanChargeNumber": "number it", "pricing": {"usageVolume": {"tiers": ORDER_TIERS}}}
    ]


def test_a_price_that_is_merely_no_longer_on_the_list_is_no_change() -> None:
    before, after = (
        charge("fee", "recurringFlatFee", price="45"),
        charge("fee", "recurringFlatFee", price="45", listed=False),
    )
    assert changed(contract(rate_plan("basic", before)), contract(rate_plan("basic", after))) is None


def test_a_one_time_charge_was_billed_and_is_not_updated() -> None:
    before = rate_plan("basic", charge("setup", "oneTimePerUnit", quantity="1", price="50"))
    after = rate_plan("basic", charge("setup", "oneTimePerUnit", quantity="2", price="50"))
    assert changed(contract(before), contract(after)) is None


def test_another_plan_replaces_the_old_one_in_one_order() -> None:
    pro = rate_plan("pro", charge("pro", "recurringFlatFee", price="99"))
    assert actions(contract(BASIC, SUPPORT), contract(pro, SUPPORT)) == [
        ("RemoveProduct", {"productRatePlanNumber": "basic__g1"}),
        ("AddProduct", {"productRatePlanId": "id pro__g1"}),
    ]


def test_everything_at_once_is_one_order_with_complete_dates() -> None:
    more = rate_plan("seats", charge("seats", "recurringPerUnit", quantity="9", price="9"))
    body = changed(contract(BASIC, SEATS), contract(SUPPORT, more, terms=TERMED))
    assert body is not None
    found = body["subscriptions"][0]["orderActions"]
    assert [item["type"] for item in found] == ["RemoveProduct", "AddProduct", "UpdateProduct", "TermsAndConditions"]
    assert [item["triggerDates"] for item in found] == [dates("2026-03-15")] * 4


def test_a_change_before_the_start_takes_effect_with_the_start() -> None:
    body = changed(contract(BASIC), contract(BASIC, SUPPORT), on=date(2026, 2, 10))
    assert body is not None
    assert body["orderDate"] == "2026-02-10"
    assert body["subscriptions"][0]["orderActions"][0]["triggerDates"] == dates("2026-03-01")


RENEWAL = {
    "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
    "renewalTerms": [{"period": 6, "periodType": "Month"}],
    "autoRenew": True,
}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"termType": "EVERGREEN"},
            TERMED,
            {
                "lastTerm": {"termType": "TERMED", "period": 12, "periodType": "Month", "startDate": "2026-03-15"},
                **RENEWAL,
            },
        ),
        (TERMED, {"termType": "EVERGREEN"}, {"lastTerm": {"termType": "EVERGREEN"}}),
        (
            TERMED,
            TERMED | {"initialTerm": {"period": 24, "periodType": "Month"}},
            {"lastTerm": {"termType": "TERMED", "period": 24, "periodType": "Month"}, **RENEWAL},
        ),
        (TERMED | {"autoRenew": False}, TERMED, RENEWAL),
    ],
)
def test_changed_terms_are_an_action_of_their_own(
    before: dict[str, Any], after: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert actions(contract(BASIC, terms=before), contract(BASIC, terms=after)) == [("TermsAndConditions", expected)]


@pytest.mark.parametrize(
    ("ending", "on", "expected"),
    [
        (
            {"policy": "SpecificDate", "date": ""},
            TODAY,
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-03-15"},
        ),
        (
            {"policy": "SpecificDate", "date": ""},
            date(2026, 2, 10),
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-03-01"},
        ),
        (
            {"policy": "SpecificDate", "date": "2026-02-10"},
            date(2026, 2, 10),
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-03-01"},
        ),
        (
            {"policy": "SpecificDate", "date": "2026-06-30"},
            TODAY,
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-06-30"},
        ),
        ({"policy": "EndOfLastInvoicePeriod", "date": ""}, TODAY, {"cancellationPolicy": "EndOfLastInvoicePeriod"}),
        ({"policy": "EndOfCurrentTerm", "date": ""}, TODAY, {"cancellationPolicy": "EndOfCurrentTerm"}),
    ],
)
def test_a_cancellation_follows_its_policy(ending: dict[str, str], on: date, expected: dict[str, str]) -> None:
    assert actions(contract(BASIC), contract(BASIC, cancellation=ending), on=on) == [("CancelSubscription", expected)]


def test_what_ends_now_is_not_changed_first_and_what_ends_later_is() -> None:
    now = contract(BASIC, SUPPORT, cancellation={"policy": "SpecificDate", "date": ""})
    later = contract(BASIC, SUPPORT, cancellation={"policy": "SpecificDate", "date": "2026-06-30"})
    assert [kind for kind, _ in actions(contract(BASIC), now)] == ["CancelSubscription"]
    assert [kind for kind, _ in actions(contract(BASIC), later)] == ["AddProduct", "CancelSubscription"]


def _cancelled(policy: str, day: str = "", *plans: Mapping[str, Any]) -> Contract:
    return contract(*(plans or [BASIC]), cancellation={"policy": policy, "date": day})


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        (_cancelled("SpecificDate", "2026-03-10"), _cancelled("SpecificDate", "2026-03-10", SUPPORT)),
        (_cancelled("SpecificDate"), _cancelled("SpecificDate", "2026-03-10")),
        (_cancelled("EndOfLastInvoicePeriod"), _cancelled("EndOfLastInvoicePeriod")),
        (_cancelled("EndOfLastInvoicePeriod"), _cancelled("SpecificDate", "2026-04-01")),
    ],
)
def test_a_cancelled_subscription_gets_no_second_order(sent: Contract, wanted: Contract) -> None:
    assert changed(sent, wanted) is None


@pytest.mark.parametrize(
    ("sent", "wanted", "is_so"),
    [
        (contract(BASIC), _cancelled("SpecificDate", "2026-06-30"), False),
        (_cancelled("SpecificDate", "2026-06-30"), contract(BASIC), True),
        (_cancelled("SpecificDate", "2026-06-30"), _cancelled("SpecificDate", "2026-06-30"), False),
        (_cancelled("SpecificDate", "2026-06-30"), _cancelled("SpecificDate", "2026-07-31"), True),
        (_cancelled("EndOfCurrentTerm"), _cancelled("SpecificDate"), True),
        (_cancelled("EndOfCurrentTerm"), _cancelled("SpecificDate", "2026-06-30"), False),
        (_cancelled("SpecificDate", "2026-06-30"), _cancelled("SpecificDate", "2026-06-30", BASIC, SUPPORT), True),
        (_cancelled("SpecificDate", "2026-03-10"), _cancelled("SpecificDate", "2026-03-10", SUPPORT), False),
        (
            _cancelled("SpecificDate", "2026-03-10"),
            contract(
                BASIC,
                SUPPORT,
                cancellation={"policy": "SpecificDate", "date": "2026-03-10"},
                effectiveFrom="2026-03-05T10:00:00+00:00",
            ),
            True,
        ),
    ],
)
def test_a_cancellation_is_taken_back_for_whatever_is_to_be_before_its_day(
    sent: Contract, wanted: Contract, is_so: bool
) -> None:
    assert must_take_back(sent, wanted, today=TODAY) == is_so


def test_what_ends_later_is_brought_whole_before_it_is_cancelled() -> None:
    later = _cancelled("SpecificDate", "2026-06-30")
    whole = {**later, "cancellation": None}
    assert before_the_end(None, later, today=TODAY) == whole
    assert before_the_end(contract(SUPPORT), later, today=TODAY) == whole
    assert before_the_end(contract(BASIC), later, today=TODAY) is None
    assert before_the_end(None, contract(BASIC), today=TODAY) is None
    assert before_the_end(None, _cancelled("SpecificDate", "2026-03-15"), today=TODAY) is None


@pytest.mark.parametrize(
    ("sent", "wanted", "sentence"),
    [
        (
            contract(BASIC),
            contract(BASIC, currency="USD"),
            (
                "Subscription stigg--sub-1 is billed in another currency now (EUR before, USD now), which no order can "
                "change: set the payer's currency back, or cancel it and begin a new one."
            ),
        ),
        (
            contract(BASIC),
            contract(BASIC, start="2026-04-01"),
            (
                "Subscription stigg--sub-1 starts on another day now (2026-03-01 before, 2026-04-01 now), which no "
                "order can change: set the start date back, or cancel it and begin a new one."
            ),
        ),
        (
            contract(BASIC),
            contract(BASIC, *(rate_plan(f"addon-{index}", charge("x", "recurringFlatFee")) for index in range(51))),
            (
                "The change of subscription stigg--sub-1 takes 51 steps, and an order of Zuora's holds 50: change "
                "fewer add-ons at a time."
            ),
        ),
    ],
)
def test_what_no_order_can_do_is_refused_with_the_cure(sent: Contract, wanted: Contract, sentence: str) -> None:
    assert refusal(sent, wanted) == (sentence,)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"a__c": "1"}, {"a__c": "1"}, None),
        ({}, {"a__c": "1"}, {"customFields": {"a__c": "1"}}),
        ({"a__c": "1", "b__c": "2"}, {"a__c": "1", "b__c": "3"}, {"customFields": {"b__c": "3"}}),
        ({"a__c": "1"}, {}, {"customFields": {"a__c": ""}}),
    ],
)
def test_changed_custom_fields_are_an_update_and_no_order(
    before: dict[str, str], now: dict[str, str], expected: Body | None
) -> None:
    sent, wanted = contract(BASIC, customFields=before), contract(BASIC, customFields=now)
    assert custom_fields_update(sent, wanted) == expected
    assert changed(sent, wanted) is None
    if expected:
        assert check_body("PUT", "/v1/subscriptions/stigg--sub-1/customFields", expected) == []


@pytest.mark.parametrize("member", ["account", "owner"])
def test_another_payer_or_owner_takes_it_over_as_both_are_then(member: str) -> None:
    wanted = contract(BASIC, **{member: "stigg--umbrella"})
    assert actions(contract(BASIC), wanted) == [
        (
            "OwnerTransfer",
            {"destinationAccountNumber": wanted["owner"], "destinationInvoiceAccountNumber": wanted["account"]},
        )
    ]


@pytest.mark.parametrize(
    ("told", "before", "day"),
    [
        ("2026-03-12T00:30:00+01:00", "", "2026-03-12"),
        ("2026-03-12T00:30:00+01:00", "2026-03-12T00:30:00+01:00", "2026-03-15"),
        ("2026-03-12T00:30:00+01:00", "2026-03-11T00:30:00+01:00", "2026-03-12"),
        ("2026-03-17T00:30:00+01:00", "", "2026-03-15"),
        ("2020-03-12T00:30:00+01:00", "", "2026-03-01"),
        ("", "2026-03-11T00:30:00+01:00", "2026-03-15"),
    ],
)
def test_a_change_is_sent_as_of_the_day_on_which_it_took_effect(told: str, before: str, day: str) -> None:
    sent = contract(BASIC, start="2026-03-01", **({"effectiveFrom": before} if before else {}))
    wanted = contract(BASIC, SUPPORT, start="2026-03-01", **({"effectiveFrom": told} if told else {}))
    body = changed(sent, wanted)
    assert body is not None
    assert [one["triggerDates"] for one in body["subscriptions"][0]["orderActions"]] == [dates(day)]
