"""Usage as it comes in: checked, stored once, and noted for the hour that has to be closed.

A batch is all or nothing and one transaction. An event is known by its idempotency key for ever; Stigg forgets keys
after seven days (https://docs.stigg.io/api-reference/usage/report-usage-measurements), a bill does not. A key that
comes again, in the same batch or a year later, is the same event told again: it changes nothing and is answered with
what was stored first, also when its value or its time differ, as in Stigg. Only when it names another customer,
resource, feature or event is it refused, because two things that were used would otherwise become one.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import Feature
from customers.models import Customer
from usage import meters
from usage.checking import FeatureFacts, Problem, Reason, as_stored, is_storable, problem_of_event, problem_of_usage
from usage.models import UpdateBehavior
from usage.remetering import filters_to_store_by
from usage.storing import Hour, Row, Stored, exact_digits, note_hours, store

MAX_BATCH = 1000


@dataclass(frozen=True, slots=True)
class UsageReport:
    """So much of a feature was used; without `at` it is now, without a key it is always a new event.

    What is stored of the value has nine digits after the point.
    """

    customer: str
    feature: str
    value: Decimal
    behavior: UpdateBehavior = UpdateBehavior.DELTA
    resource: str = ""
    key: str | None = None
    at: datetime | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawEvent:
    """Something happened; meters say what it counts for. Without `at` it is now."""

    customer: str
    name: str
    key: str
    resource: str = ""
    at: datetime | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818 - an answer for the caller
    """Nothing of the batch was stored; each problem says what to change."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(problems, key=lambda one: -1 if one.index is None else one.index)
        super().__init__("; ".join(problem.reason for problem in self.problems[:3]))


def report_usage(
    *, reports: Mapping[int, UsageReport], now: datetime, malformed: Sequence[Problem] = ()
) -> dict[int, Stored]:
    """Store a batch of usage by feature; return for each place in the caller's batch the event that is stored.

    `malformed` is what the caller could not read at all: it is refused together with what is wrong here.

    Raises:
        Refused: any of them is wrong; nothing is stored.
    """
    _check_size(len(reports) + len(malformed))
    customers = _customers(report.customer for report in reports.values())
    features = _features(report.feature for report in reports.values())
    problems, digits = list(malformed), exact_digits()
    rows: dict[int, Row] = {}
    for index, report in reports.items():
        customer, feature = customers.get(report.customer), features.get(report.feature)
        value = as_stored(report.value)
        problem = problem_of_usage(
            report, value=value, index=index, customer=customer, feature=feature, now=now, exact_digits=digits
        )
        if problem is not None or customer is None or feature is None:
            problems += [problem] if problem else []
            continue
        rows[index] = Row(
            key=report.key or uuid.uuid4().hex,
            customer_id=customer,
            feature_id=feature.pk,
            event_name="",
            resource_id=report.resource,
            update_behavior=report.behavior,
            value=value,
            dimensions=report.dimensions,
            occurred_at=report.at.astimezone(UTC) if report.at else now,
        )
    if problems:
        raise Refused(problems)
    return _store(rows, now=now)


def report_events(
    *, events: Mapping[int, RawEvent], now: datetime, malformed: Sequence[Problem] = ()
) -> dict[int, Stored]:
    """Store a batch of raw events; return for each place in the caller's batch the event that is stored.

    Raises:
        Refused: any of them is wrong; nothing is stored.
    """
    _check_size(len(events) + len(malformed))
    customers = _customers(event.customer for event in events.values())
    problems = list(malformed)
    rows: dict[int, Row] = {}
    for index, event in events.items():
        customer = customers.get(event.customer)
        problem = problem_of_event(event, index=index, customer=customer, now=now)
        if problem is not None or customer is None:
            problems += [problem] if problem else []
            continue
        rows[index] = Row(
            key=event.key,
            customer_id=customer,
            feature_id=None,
            event_name=event.name,
            resource_id=event.resource,
            update_behavior=UpdateBehavior.DELTA,
            value=None,
            dimensions=event.dimensions,
            occurred_at=event.at.astimezone(UTC) if event.at else now,
        )
    if problems:
        raise Refused(problems)
    return _store(rows, now=now, are_raw=True)


def _check_size(size: int) -> None:
    if not size:
        raise Refused([Problem(None, Reason.BAD_INPUT, "The batch is empty: send at least one.")])
    if size > MAX_BATCH:
        sentence = f"{size} in one batch are too many: send up to {MAX_BATCH:,} at a time."
        raise Refused([Problem(None, Reason.BAD_INPUT, sentence)])


def _customers(ref_ids: Iterable[str]) -> dict[str, int]:
    wanted = {ref_id for ref_id in ref_ids if is_storable(ref_id)}
    # Archived ones, too, of whom Stigg says nothing here: what they used before may come late, and is billed; what they
    # use after that is billed to nobody.
    return dict(Customer.objects.filter(ref_id__in=wanted).order_by().values_list("ref_id", "pk"))


def _features(ref_ids: Iterable[str]) -> dict[str, FeatureFacts]:
    wanted = {ref_id for ref_id in ref_ids if is_storable(ref_id)}
    rows = Feature.objects.filter(ref_id__in=wanted).order_by()
    return {
        ref_id: FeatureFacts(pk, feature_type, meter_type, status)
        for ref_id, pk, feature_type, meter_type, status in rows.values_list(
            "ref_id", "pk", "feature_type", "meter_type", "status"
        )
    }


def _store(rows: Mapping[int, Row], *, now: datetime, are_raw: bool = False) -> dict[int, Stored]:
    first: dict[str, Row] = {}
    for row in rows.values():
        first.setdefault(row.key, row)
    with transaction.atomic():
        counting = filters_to_store_by() if are_raw else []
        stored = store(rows=list(first.values()), now=now)
        taken = [_taken(index, row) for index, row in rows.items() if stored[row.key].subject != row.subject]
        if taken:
            raise Refused(taken)
        hours: set[Hour] = set()
        for row in first.values():
            if stored[row.key].is_new:
                hours.update(_hours(row, counting))
        note_hours(hours=hours, now=now)
    return {index: stored[row.key] for index, row in rows.items()}


def _hours(row: Row, counting: Sequence[tuple[int, list[Any]]]) -> Iterable[Hour]:
    """Yield the hours that a new event makes dirty: its feature's, or those of every meter that counts it, or did."""
    hour = row.occurred_at.replace(minute=0, second=0, microsecond=0)
    if row.feature_id is not None:
        yield Hour(row.customer_id, row.feature_id, row.resource_id, hour)
        return
    for feature_id, filters in counting:
        if meters.counts(filters=filters, event=row):
            yield Hour(row.customer_id, feature_id, row.resource_id, hour)


def _taken(index: int, row: Row) -> Problem:
    what = "another event" if row.feature_id is None else "other usage"
    return Problem(
        index,
        Reason.DUPLICATE,
        f"Its idempotency key {row.key!r} was used for {what} before, of another customer, resource, feature or name: "
        "give everything that happens a key of its own.",
    )
