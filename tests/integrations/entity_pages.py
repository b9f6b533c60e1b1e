"""Lists and pages of entities, as a person sees them."""

from datetime import UTC, datetime
from typing import Any

from django.test import Client

from integrations.models import SyncRecord, SyncStatus
from tests.factories.catalog import AddonFactory, CouponFactory, PlanFactory
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAKERS: dict[str, Any] = {
    "plans": PlanFactory,
    "addons": AddonFactory,
    "coupons": CouponFactory,
    "customers": CustomerFactory,
    "subscriptions": SubscriptionFactory,
}


def mark(key: str, status: SyncStatus, **values: Any) -> SyncRecord:
    record = SyncRecord.objects.get(key=key)
    SyncRecord.objects.filter(pk=record.pk).update(status=status, status_since=NOW, **values)
    record.refresh_from_db()
    return record


def page(browser: Client, address: str) -> str:
    response = browser.get(address)
    assert response.status_code == 200
    return response.content.decode()


def names(browser: Client, address: str) -> list[str]:
    return [row.entity.ref_id for row in browser.get(address).context["rows"]]
