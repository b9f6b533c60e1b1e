import csv
import io
from decimal import Decimal
from typing import Any

import pytest

from integrations.views.exports import as_csv, cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        " =1",
        "\t=1",
        "\rx",
        "\nx",
        "\u00a0=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        "=cmd|' /C calc'!A0",
    ],
)
def test_text_that_a_spreadsheet_would_run_is_kept_as_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["plain", "a=b", "", "1-2", 5, -5, Decimal("-0.5"), True])
def test_everything_else_stays_as_it_is(value: Any) -> None:
    assert cell(value) == value


def test_a_file_is_read_back_cell_by_cell() -> None:
    rows: list[list[Any]] = [["a,b", 'he said "no"'], ["two\nlines", None], ["=1", -3]]
    response = as_csv(iter(rows), name="audit.csv", header=["one", "two"])
    body = b"".join(response.streaming_content).decode()  # type: ignore[arg-type]
    assert body.startswith("\ufeff"), "a spreadsheet would not take it for UTF-8"
    body = body.removeprefix("\ufeff")
    assert list(csv.reader(io.StringIO(body))) == [
        ["one", "two"],
        ["a,b", 'he said "no"'],
        ["two\nlines", ""],
        ["'=1", "-3"],
    ]
    assert response["Content-Disposition"] == 'attachment; filename="audit.csv"'
