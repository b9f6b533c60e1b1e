"""Lists as CSV: streamed row by row, and nothing in them runs when a spreadsheet opens them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# Spreadsheets take text that begins with one of these for a formula, also behind blanks.
# Source: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the last four are their full-width twins

#: Without it Excel takes UTF-8 for the machine's old code page, and shows another name for every umlaut.
_MARK = "\ufeff"


class _Line:
    """What the csv module writes to: it hands each line back."""

    def write(self, text: str) -> str:
        return text


def cell(value: Any) -> Any:
    """Return a value as a cell holds it: text that would be a formula gets an apostrophe, numbers stay numbers."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    dangerous = value.lstrip().startswith(_FORMULA) or value.startswith(("\t", "\r", "\n"))
    return f"'{value}" if dangerous else value


def as_csv(rows: Iterable[Sequence[Any]], *, name: str, header: Sequence[str]) -> StreamingHttpResponse:
    """Answer with a CSV file of this name; rows are read while it is sent."""
    writer = csv.writer(_Line())

    def lines() -> Iterator[str]:
        yield _MARK + writer.writerow(header)
        for row in rows:
            yield writer.writerow([cell(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
