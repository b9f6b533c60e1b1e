from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from catalog.tiers import TIERS_SYNTAX, Tier, amount_problems, format_tiers, parse_tiers, tier_problems

PRICES = st.none() | st.decimals(min_value=0, max_value=10**9, places=9, allow_nan=False, allow_infinity=False)
TIERS = st.builds(Tier, up_to=st.none() | st.integers(1, 2**63 - 1), unit_price=PRICES, flat_price=PRICES)


def tier(up_to: int | None, unit_price: str | None = "1", flat_price: str | None = None) -> Tier:
    return Tier(up_to, unit_price and Decimal(unit_price), flat_price and Decimal(flat_price))  # type: ignore[arg-type]


def test_tiers_are_read_one_per_line() -> None:
    assert parse_tiers("10 5.00\r\n  100 4.5 20\n* - 300\n") == [
        tier(10, "5"),
        tier(100, "4.5", "20"),
        tier(None, None, "300"),
    ]


def test_tiers_are_written_as_a_person_writes_them() -> None:
    tiers = [tier(10, "5.000000000"), tier(100, "4.500000000", "20"), tier(None, None, "0.000000001")]
    assert format_tiers(tiers) == "10 5.00\n100 4.50 20.00\n* - 0.000000001"


@given(st.lists(TIERS))
def test_what_is_written_is_read_again(tiers: list[Tier]) -> None:
    assert parse_tiers(format_tiers(tiers)) == tiers


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("10", "“10” is not a tier."),
        ("10 1 2 3", "“10 1 2 3” is not a tier."),
        ("0 1", "“0” is not a whole number of units."),
        ("1.5 1", "“1.5” is not a whole number of units."),
        ("9223372036854775808 1", "“9223372036854775808” is not a whole number of units."),
        ("10 4,50", "“4,50” is not a price."),
        ("10 NaN", "“NaN” is not a price: Enter a number."),
        (
            "10 1.0000000001",
            "“1.0000000001” is not a price: Ensure that there are no more than 9 decimal places.",
        ),
        (
            "10 99999999999999",
            "“99999999999999” is not a price: Ensure that there are no more than 13 digits before the decimal point.",
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        parse_tiers(f"5 9\n{line}")
    assert refusal.value.messages == [f"Line 2: {sentence}", TIERS_SYNTAX]


def test_sound_tiers_have_no_problems() -> None:
    assert tier_problems([tier(10), tier(100, None, "5"), tier(None, "1", "2")]) == []


@pytest.mark.parametrize(
    ("tiers", "problems"),
    [
        ([tier(None, None)], ["Tier 1 needs a price per unit, a flat price, or both."]),
        ([tier(None, "-1")], ["Tier 1 has a negative price: a discount is a coupon."]),
        ([tier(10)], ["The last tier ends at 10, and nothing is priced beyond: leave its end open."]),
        ([tier(None), tier(None)], ["Tier 1 has no end, and is not the last: give it its last unit."]),
        (
            [tier(10), tier(10), tier(None)],
            ["Tier 2 ends at 10, not after the tier before it: put the tiers in order."],
        ),
        (
            [tier(10), tier(20), tier(5), tier(None)],
            ["Tier 3 ends at 5, not after the tier before it: put the tiers in order."],
        ),
    ],
)
def test_unsound_tiers_are_told(tiers: list[Tier], problems: list[str]) -> None:
    assert tier_problems(tiers) == problems


@pytest.mark.parametrize(
    ("amount", "tiers", "mode", "problems"),
    [
        (Decimal(0), [], "", []),
        (None, [tier(None)], "VOLUME", []),
        (None, [], "", ["Give the amount; 0 is one."]),
        (None, [], "VOLUME", ["A VOLUME price needs tiers: give them, or clear the tiers mode."]),
        (
            Decimal(1),
            [tier(None)],
            "GRADUATED",
            ["The tiers are the price: leave the amount empty, or clear the tiers mode."],
        ),
        (
            None,
            [tier(None)],
            "",
            ["There are tiers, but no tiers mode: choose VOLUME or GRADUATED, or delete the tiers."],
        ),
    ],
)
def test_an_amount_is_a_number_or_tiers(
    amount: Decimal | None, tiers: list[Tier], mode: str, problems: list[str]
) -> None:
    assert amount_problems(amount=amount, tiers=tiers, tiers_mode=mode) == problems
