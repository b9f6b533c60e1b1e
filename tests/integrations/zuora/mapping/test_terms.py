from typing import Any

import pytest

from integrations.zuora.mapping.refusal import Refusals, Refused
from integrations.zuora.mapping.terms import Terms, terms_of


def read(metadata: dict[str, Any]) -> Terms:
    refusals = Refusals()
    terms = terms_of(metadata, who="Subscription sub-1", refusals=refusals)
    refusals.answer()
    return terms


def termed(**changes: Any) -> dict[str, Any]:
    return {
        "termType": "TERMED",
        "initialTerm": {"period": 12, "periodType": "Month"},
        "renewalTerm": {"period": 12, "periodType": "Month"},
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "autoRenew": False,
    } | changes


TERMED = {"ZUORA__TermType": "TERMED", "ZUORA__InitialTerm": "12"}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, {"termType": "EVERGREEN"}),
        ({"team": "sales", "ZUORA__Other": "x"}, {"termType": "EVERGREEN"}),
        ({"ZUORA__TermType": "evergreen", "ZUORA__InitialTerm": "12"}, {"termType": "EVERGREEN"}),
        (TERMED, termed()),
        ({"ZUORA__TermType": "Termed", "ZUORA__InitialTerm": 12}, termed()),
        (
            TERMED | {"ZUORA__RenewalTerm": "6", "ZUORA__AutoRenew": True},
            termed(renewalTerm={"period": 6, "periodType": "Month"}, autoRenew=True),
        ),
        (
            TERMED | {"ZUORA__PeriodType": "week", "ZUORA__RenewalTerm": "4"},
            termed(initialTerm={"period": 12, "periodType": "Week"}, renewalTerm={"period": 4, "periodType": "Week"}),
        ),
        (
            TERMED
            | {
                "ZUORA__PeriodType": "Week",
                "ZUORA__InitialPeriodType": "Day",
                "ZUORA__RenewalPeriodType": "YEAR",
                "ZUORA__RenewalTerm": "1",
            },
            termed(initialTerm={"period": 12, "periodType": "Day"}, renewalTerm={"period": 1, "periodType": "Year"}),
        ),
        (
            TERMED | {"ZUORA__RenewalSetting": "renew_to_evergreen", "ZUORA__AutoRenew": "TRUE"},
            termed(renewalSetting="RENEW_TO_EVERGREEN", autoRenew=True),
        ),
    ],
)
def test_metadata_says_the_terms_in_any_case(metadata: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read(metadata) == expected


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (
            {"ZUORA__TermType": "yearly"},
            "Subscription sub-1 has the metadata ZUORA__TermType = 'yearly': make it TERMED or EVERGREEN.",
        ),
        (
            {"ZUORA__TermType": "TERMED"},
            "Subscription sub-1 is termed, but not how long: add the metadata ZUORA__InitialTerm, a whole number.",
        ),
        (
            TERMED | {"ZUORA__InitialTerm": "1.5"},
            "Subscription sub-1 has the metadata ZUORA__InitialTerm = '1.5': make it a whole number from 1 to 9999.",
        ),
        (
            TERMED | {"ZUORA__RenewalTerm": "0"},
            "Subscription sub-1 has the metadata ZUORA__RenewalTerm = '0': make it a whole number from 1 to 9999.",
        ),
        (
            TERMED | {"ZUORA__PeriodType": "Quarter"},
            "Subscription sub-1 has the metadata ZUORA__PeriodType = 'Quarter': make it Day or Week or Month or Year.",
        ),
        (
            TERMED | {"ZUORA__RenewalSetting": "RENEW"},
            (
                "Subscription sub-1 has the metadata ZUORA__RenewalSetting = 'RENEW': make it RENEW_WITH_SPECIFIC_TERM "
                "or RENEW_TO_EVERGREEN."
            ),
        ),
        (
            {"ZUORA__AutoRenew": "yes"},
            "Subscription sub-1 has the metadata ZUORA__AutoRenew = 'yes': make it true or false.",
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_what_is_allowed(metadata: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        read(metadata)
    assert caught.value.sentences == (sentence,)
