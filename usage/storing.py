"""Events into the table: each once, by one statement that is also what makes its key unique."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from usage.meters import DIGITS_AFTER, DIGITS_BEFORE
from usage.models import DirtyHour, UsageEvent


@dataclass(frozen=True, slots=True)
class Row:
    """An event on its way into the table, its times in UTC."""

    key: str
    customer_id: int
    feature_id: int | None
    event_name: str
    resource_id: str
    update_behavior: str
    value: Decimal | None
    dimensions: Mapping[str, Any]
    occurred_at: datetime

    @property
    def subject(self) -> tuple[int, int | None, str, str]:
        """Whose and what it is: the same key is the same event only when these agree."""
        return self.customer_id, self.feature_id, self.event_name, self.resource_id


@dataclass(frozen=True, slots=True)
class Stored:
    """The event that the table holds under a key."""

    pk: int
    subject: tuple[int, int | None, str, str]
    value: Decimal | None
    occurred_at: datetime
    received_at: datetime
    is_new: bool


class Hour(NamedTuple):
    """An hour of a customer's feature, by its first instant in UTC."""

    customer_id: int
    feature_id: int
    resource_id: str
    start: datetime


def exact_digits() -> int:
    """Return how many digits of a quantity the database holds exactly: SQLite keeps decimals as floats."""
    return sys.float_info.dig if connection.vendor == "sqlite" else DIGITS_BEFORE + DIGITS_AFTER


def store(*, rows: Sequence[Row], now: datetime) -> dict[str, Stored]:
    """Insert those whose key is not there yet, in the caller's transaction; return for every key what is stored.

    The rows' keys differ. Ids ascend in the order of the rows: of two events at the same time the later row counts.
    """
    known: dict[str, Stored] = {}
    if connection.vendor == "postgresql":
        new = _insert(rows, now)
    else:
        # A writing transaction of SQLite is alone from its beginning (transaction_mode IMMEDIATE in the settings).
        known = _read([row.key for row in rows])
        new = _insert_one_by_one([row for row in rows if row.key not in known], now)
    missing = [row.key for row in rows if row.key not in new and row.key not in known]
    return _as_stored(rows, new, now) | known | (_read(missing) if missing else {})


def _as_stored(rows: Sequence[Row], ids: Mapping[str, int], now: datetime) -> dict[str, Stored]:
    return {
        row.key: Stored(ids[row.key], row.subject, row.value, row.occurred_at, now, is_new=True)
        for row in rows
        if row.key in ids
    }


#: Rows are inserted by key, whatever their order, so that two batches that share keys wait for each other in the same
#: order and never dead-lock; ids are drawn before, in the order of the batch. An insert that meets an uncommitted
#: event of the same key waits until that one is there, or is not.
_INSERT = """
INSERT INTO usage_usageevent (
  id, idempotency_key, customer_id, feature_id, event_name, resource_id, update_behavior, value, dimensions,
  occurred_at, received_at
)
SELECT numbered.*, %s FROM (
  SELECT nextval((SELECT pg_get_serial_sequence('usage_usageevent', 'id')::regclass)), batch.*
  FROM unnest(
    %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::jsonb[],
    %s::timestamptz[]
  ) AS batch (key, customer_id, feature_id, event_name, resource_id, update_behavior, value, dimensions, occurred_at)
) AS numbered
ORDER BY key COLLATE "C"
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING idempotency_key, id
"""


def _insert(rows: Sequence[Row], now: datetime) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                now,
                _quoted(row.key for row in rows),
                _array(row.customer_id for row in rows),
                _array(row.feature_id for row in rows),
                _quoted(row.event_name for row in rows),
                _quoted(row.resource_id for row in rows),
                _array(row.update_behavior for row in rows),
                _array(row.value for row in rows),
                _quoted(json.dumps(row.dimensions) if row.dimensions else "{}" for row in rows),
                _array(row.occurred_at.isoformat() for row in rows),
            ],
        )
        return dict(cursor.fetchall())


def _quoted(texts: Iterable[str]) -> str:
    return _array('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)


def _array(values: Iterable[object]) -> str:
    """Write an array as PostgreSQL reads it; psycopg would, element by element, at four times the cost."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _insert_one_by_one(rows: Sequence[Row], now: datetime) -> dict[str, int]:
    UsageEvent.objects.bulk_create(
        [
            UsageEvent(
                idempotency_key=row.key,
                customer_id=row.customer_id,
                feature_id=row.feature_id,
                event_name=row.event_name,
                resource_id=row.resource_id,
                update_behavior=row.update_behavior,
                value=row.value,
                dimensions=row.dimensions,
                occurred_at=row.occurred_at,
                received_at=now,
            )
            for row in rows
        ],
        ignore_conflicts=True,
    )
    return {key: one.pk for key, one in _read([row.key for row in rows]).items()}


def _read(keys: Sequence[str]) -> dict[str, Stored]:
    return {
        event.idempotency_key: Stored(
            event.pk,
            (event.customer_id, event.feature_id, event.event_name, event.resource_id),
            event.value,
            event.occurred_at,
            event.received_at,
            is_new=False,
        )
        for event in UsageEvent.objects.filter(idempotency_key__in=keys).defer("dimensions")
    }


def note_hours(*, hours: Collection[Hour], now: datetime) -> None:
    """Mark hours as not closed with all their events, in the caller's transaction.

    A row that is there is locked until the caller commits: whoever closes the hour reads these events, or finds the
    row again.
    """
    in_order = sorted(hours)  # so that two batches never dead-lock
    if connection.vendor == "postgresql":
        _note(in_order, now)
        return
    DirtyHour.objects.bulk_create(
        [
            DirtyHour(
                customer_id=hour.customer_id,
                feature_id=hour.feature_id,
                resource_id=hour.resource_id,
                hour=hour.start,
                since=now,
            )
            for hour in in_order
        ],
        update_conflicts=True,
        unique_fields=["customer", "feature", "resource_id", "hour"],
        update_fields=["since"],
    )


#: What `bulk_create` does below, at a tenth of its cost: there may be as many hours as events.
_NOTE = """
INSERT INTO usage_dirtyhour (customer_id, feature_id, resource_id, hour, since)
SELECT batch.*, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[]) AS batch
ON CONFLICT (customer_id, feature_id, resource_id, hour) DO UPDATE SET since = EXCLUDED.since
"""


def _note(hours: Sequence[Hour], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            [
                now,
                _array(hour.customer_id for hour in hours),
                _array(hour.feature_id for hour in hours),
                _quoted(hour.resource_id for hour in hours),
                _array(hour.start.isoformat() for hour in hours),
            ],
        )
