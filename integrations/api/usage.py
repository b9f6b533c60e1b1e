"""Usage in, and its history out (https://docs.stigg.io/api-reference/usage)."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest

from catalog.models import Feature
from customers.models import Customer
from integrations.api import shapes
from integrations.api.door import Answer, door
from integrations.api.errors import bad_input, not_found
from integrations.models import ApiKey, Scope
from usage.checking import Reason, is_storable
from usage.history import read_history
from usage.reporting import report_events, report_usage


@door(method="POST", scope=Scope.USAGE)
def report(_request: HttpRequest, *, now: datetime, key: ApiKey, body: bytes) -> Answer:  # noqa: ARG001
    """`POST /api/v1/usage`, which the SDK calls deprecated and uses."""
    return HTTPStatus.CREATED, {"data": _report(body, now)}


@door(method="POST", scope=Scope.USAGE)
def report_v2(_request: HttpRequest, *, now: datetime, key: ApiKey, body: bytes) -> Answer:  # noqa: ARG001
    """`POST /api/v2/usage`: the same, with room for credit balances, which there are none of here."""
    return HTTPStatus.CREATED, {"data": {"usages": _report(body, now)}}


def _report(body: bytes, now: datetime) -> list[dict[str, Any]]:
    reports, malformed = shapes.usage_reports(shapes.load(body))
    return shapes.measurements(reports, report_usage(reports=reports, now=now, malformed=malformed))


@door(method="POST", scope=Scope.USAGE)
def events(_request: HttpRequest, *, now: datetime, key: ApiKey, body: bytes) -> Answer:  # noqa: ARG001
    """`POST /api/v1/events`."""
    read, malformed = shapes.raw_events(shapes.load(body))
    report_events(events=read, now=now, malformed=malformed)
    return HTTPStatus.OK, {"data": {}}


@door(method="GET", scope=Scope.USAGE)
def history(
    request: HttpRequest,
    *,
    now: datetime,
    key: ApiKey,  # noqa: ARG001
    customer_id: str,
    feature_id: str,
) -> Answer:
    """`GET /api/v1/usage/{customerId}/history/{featureId}`."""
    start = _moment(request, "startDate")
    if start is None:
        raise bad_input("startDate is missing.")
    end = _moment(request, "endDate") or now
    if end <= start:
        raise bad_input("endDate does not lie after startDate.")
    customer = Customer.objects.filter(ref_id=_asked(customer_id)).first()
    if customer is None:
        raise not_found(Reason.CUSTOMER_NOT_FOUND, f"No customer has the id {customer_id!r}.")
    feature = Feature.objects.select_related("meter").filter(ref_id=_asked(feature_id)).first()
    if feature is None:
        raise not_found(Reason.FEATURE_NOT_FOUND, f"No feature has the id {feature_id!r}.")
    read = read_history(
        customer=customer,
        feature=feature,
        resource_id=_asked(request.GET.get("resourceId", "")),
        start=start,
        end=end,
        group_by=_asked(request.GET.get("groupBy", "")),
    )
    return HTTPStatus.OK, {"data": shapes.history(read)}


def _asked(text: str) -> str:
    if not is_storable(text):
        raise bad_input("The address holds characters that no database does.")
    return text


def _moment(request: HttpRequest, name: str) -> datetime | None:
    text = request.GET.get(name)
    if not text:
        return None
    at = shapes.moment(text)
    if at is None or at.utcoffset() is None:
        raise bad_input(
            f"{name} is no time in ISO 8601 with an offset, for example 2026-03-10T12:00:00Z: {text[:40]!r}."
        )
    return at
