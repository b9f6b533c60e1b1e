import pytest

from stigg_zuora.demo.examination import differences

SEAT = {"Monthly": {"Seat": {"USD": "30", "EUR": "28"}}}
HELD = {"products": {"pro": {"name": "Pro"}}, "rate plans": SEAT}


def test_equal_trees_have_no_differences() -> None:
    assert list(differences(HELD, HELD)) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (HELD | {"products": {}}, ["products > pro: missing in Zuora, expected {'name': 'Pro'}"]),
        (
            HELD | {"rate plans": {"Monthly": {"Seat": {"USD": "31", "GBP": "25"}}}},
            [
                "rate plans > Monthly > Seat > EUR: missing in Zuora, expected '28'",
                "rate plans > Monthly > Seat > GBP: nothing should be there, Zuora holds '25'",
                "rate plans > Monthly > Seat > USD: expected '30', Zuora holds '31'",
            ],
        ),
        (HELD | {"accounts": {"x": "y"}}, ["accounts: nothing should be there, Zuora holds {'x': 'y'}"]),
    ],
)
def test_every_difference_is_told_with_its_place_and_both_values(found: dict[str, object], told: list[str]) -> None:
    assert list(differences(HELD, found)) == told
