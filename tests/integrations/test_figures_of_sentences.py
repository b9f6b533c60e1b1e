"""Numbers within sentences and fields that are kept as text, as pages show them."""

import pytest

from integrations.templatetags.sync import as_field, figures


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (
            "Slices say 5210.5, moved -0.25, but Zuora says 5186.",
            (
                'Slices say <data value="5210.5" data-number>5,210.5</data>, moved '
                '<data value="-0.25" data-number>-0.25</data>, but Zuora says 5186.'
            ),
        ),
        ("It is right at 1.50.", 'It is right at <data value="1.5" data-number>1.5</data>.'),
        ("The slice of 2026-03-01 10:00, 12, has no record.", "The slice of 2026-03-01 10:00, 12, has no record."),
        ("Under C-0.5 of v1.5 at 10.0.0.1 (50000040): <b>", "Under C-0.5 of v1.5 at 10.0.0.1 (50000040): &lt;b&gt;"),
        ("", ""),
    ],
)
def test_only_a_decimal_that_stands_alone_is_marked_for_the_viewers_locale(sentence: str, shown: str) -> None:
    assert figures(sentence) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Price BHD from 10", "7.125", '<data value="7.125" data-number>7.125</data>'),
        ("Price JPY", "1250", '<data value="1250" data-number>1,250</data>'),
        ("plan:pro/MONTHLY: quantity", "2.5", '<data value="2.5" data-number>2.5</data>'),
        ("Price JPY", "empty", "empty"),
        ("name", "2.5", "2.5"),
        ("accountNumber", "1250", "1250"),
    ],
)
def test_prices_and_quantities_of_a_preview_are_marked_and_no_other_field(name: str, value: str, shown: str) -> None:
    assert as_field(value, name) == shown
