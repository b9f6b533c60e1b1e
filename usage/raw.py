"""Raw events of many stretches of time, by one statement, and never all of them at once in memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from usage.spans import moment_of, of_each, rows_of

_CHUNK = 2000
_COLUMNS = {"customer_id": "bigint", "resource_id": "text", "low": "timestamptz", "high": "timestamptz"}
_FOUND = """event.customer_id = span.customer_id AND event.resource_id = span.resource_id AND event.feature_id IS NULL
  AND event.occurred_at >= span.low AND event.occurred_at < span.high"""
_TOLD = "event.event_name, event.dimensions, event.occurred_at"


@dataclass(frozen=True, slots=True)
class Raw:
    """What a meter needs to know of an event."""

    event_name: str
    dimensions: dict[str, Any]
    occurred_at: datetime


def read_raw(spans: Sequence[tuple[int, str, datetime, datetime]]) -> Iterator[tuple[int, Raw]]:
    """Yield the raw events of customers' resources from a moment up to another, each with the place of its span.

    In whatever order; none without a statement where there are no spans.
    """
    if not spans:
        return
    rows, texts = rows_of(_COLUMNS, spans)
    is_whole = connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
    with connection.cursor() if is_whole else connection.chunked_cursor() as cursor:
        cursor.execute(of_each(_TOLD, of="usage_usageevent event", where=_FOUND).format(rows=rows), texts)
        while found := cursor.fetchmany(_CHUNK):
            for n, name, dimensions, moment in found:
                yield n - 1, Raw(name, json.loads(dimensions), moment_of(moment))
