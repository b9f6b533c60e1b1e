"""Usage as it is told, and what is stored of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.factories.usage import NOON
from usage.checking import Problem
from usage.models import DirtyHour, UsageEvent
from usage.reporting import RawEvent, Refused, UsageReport, report_usage

HOUR = timedelta(hours=1)


def usage(**fields: Any) -> UsageReport:
    told: dict[str, Any] = {"customer": "acme", "feature": "api-calls", "value": Decimal(3), "key": "k1"}
    return UsageReport(**told | fields)


def event(**fields: Any) -> RawEvent:
    told: dict[str, Any] = {"customer": "acme", "name": "upload", "key": "e1"}
    return RawEvent(**told | fields)


def stored_rows() -> list[tuple[Any, ...]]:
    return list(
        UsageEvent.objects.order_by("pk").values_list(
            "idempotency_key",
            "customer__ref_id",
            "feature__ref_id",
            "event_name",
            "resource_id",
            "update_behavior",
            "value",
            "dimensions",
            "occurred_at",
            "received_at",
        )
    )


def dirty_hours() -> list[tuple[Any, ...]]:
    return list(
        DirtyHour.objects.order_by("hour", "feature__ref_id", "resource_id").values_list(
            "customer__ref_id", "feature__ref_id", "resource_id", "hour", "since"
        )
    )


def refused(reports: dict[int, UsageReport], **options: Any) -> list[Problem]:
    with pytest.raises(Refused) as answer:
        report_usage(reports=reports, now=NOON, **options)
    assert stored_rows() == []
    assert dirty_hours() == []
    return list(answer.value.problems)
