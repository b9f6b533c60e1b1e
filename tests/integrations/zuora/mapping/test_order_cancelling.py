from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from integrations.zuora.mapping.contract import Contract
from integrations.zuora.mapping.order import before_the_end, must_take_back
from tests.integrations.zuora.mapping.orders import BASIC, SUPPORT, TODAY, actions, changed, contract


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
