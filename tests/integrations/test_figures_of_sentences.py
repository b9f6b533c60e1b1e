"""Numbers within sentences that are kept as text, as pages show them."""

import pytest

from integrations.templatetags.sync import figures


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
