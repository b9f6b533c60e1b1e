from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from integrations.zuora.mapping.contract import Contract
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.order import custom_fields_update
from tests.integrations.zuora.mapping.orders import (
    BASIC,
    ORDER_TIERS,
    SEATS,
    SUPPORT,
    TERMED,
    TIERS,
    actions,
    changed,
    charge,
    contract,
    dates,
    rate_plan,
    refusal,
)
from tests.sdk_contract import check_body


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
