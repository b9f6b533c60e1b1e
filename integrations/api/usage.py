"""Usage in, and its history out (https://docs.stigg.io/api-reference/usage)."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from catalog.models import Feature
from customers.models import Customer
from integrations.api import shapes
from integrations.api.errors import bad_input
from integrations.api.finding import find
from integrations.api.operation import Call, RateClass, operation
from integrations.api.usage_schema import (
    EventsAnswer,
    EventsIn,
    HistoryAnswer,
    HistoryQuery,
    UsagesAnswer,
    UsagesAnswerV2,
    UsagesIn,
)
from integrations.models import Scope
from usage.history import read_history
from usage.reporting import report_events, report_usage

_TAG = "Usage"
#: Further ahead than that a history would hold resets alone, month by month up to where no calendar goes on.
_AHEAD = timedelta(days=366)


@operation(
    "POST",
    "/api/v1/usage",
    tag=_TAG,
    status=HTTPStatus.CREATED,
    rate=RateClass.USAGE,
    also=Scope.USAGE,
    reads=UsagesIn,
    answers=UsagesAnswer,
)
def report_usage_batch(call: Call, *, body: bytes) -> dict[str, Any]:
    """Report usage of features.

    The SDK calls this one deprecated, and uses it.
    """
    return {"data": _report(call, body)}


@operation(
    "POST",
    "/api/v2/usage",
    tag=_TAG,
    status=HTTPStatus.CREATED,
    rate=RateClass.USAGE,
    also=Scope.USAGE,
    reads=UsagesIn,
    answers=UsagesAnswerV2,
)
def report_usage_batch_v2(call: Call, *, body: bytes) -> dict[str, Any]:
    """Report usage of features, answered with room for credit balances, which there are none of here."""
    return {"data": {"usages": _report(call, body)}}


def _report(call: Call, body: bytes) -> list[dict[str, Any]]:
    reports, malformed = shapes.usage_reports(shapes.load(body))
    return shapes.measurements(reports, report_usage(reports=reports, now=call.now, malformed=malformed))


@operation(
    "POST",
    "/api/v1/events",
    tag=_TAG,
    rate=RateClass.USAGE,
    also=Scope.USAGE,
    reads=EventsIn,
    answers=EventsAnswer,
)
def report_event_batch(call: Call, *, body: bytes) -> dict[str, Any]:
    """Report raw events, which meters turn into usage."""
    read, malformed = shapes.raw_events(shapes.load(body))
    report_events(events=read, now=call.now, malformed=malformed)
    return {"data": {}}


@operation(
    "GET",
    "/api/v1/usage/{customer_id}/history/{feature_id}",
    tag=_TAG,
    rate=RateClass.HISTORY,
    also=Scope.USAGE,
    answers=HistoryAnswer,
)
def read_usage_history(call: Call, *, query: HistoryQuery, customer_id: str, feature_id: str) -> dict[str, Any]:
    """Read how much of a feature a customer used over time."""
    end = min(query.end_date or call.now, call.now + _AHEAD)
    if end <= query.start_date:
        raise bad_input("endDate does not lie after startDate.")
    customer = find(Customer.objects.all(), customer_id)
    feature = find(Feature.objects.all(), feature_id)
    read = read_history(
        customer=customer,
        feature=feature,
        resource_id=query.resource_id or "",
        start=query.start_date,
        end=end,
        now=call.now,
        group_by=query.group_by or "",
    )
    return {"data": shapes.history(read)}
