from decimal import Decimal
from typing import Any

import pytest

from tests.integrations.zuora.mapping.orders import (
    BASIC,
    ORDER_TIERS,
    SEATS,
    TERMED,
    TIERS,
    charge,
    contract,
    created,
    dates,
    rate_plan,
)


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
