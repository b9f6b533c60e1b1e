"""One function per kind of entity: where row, mapping and client meet for one push."""

from collections.abc import Callable
from typing import Any

from integrations.models import EntityKind, SyncRecord
from integrations.zuora.push.catalog import push_coupon, push_package
from integrations.zuora.push.customer import push_customer
from integrations.zuora.push.far import Difference, Far, Mismatch, Waits
from integrations.zuora.push.subscription import cancel_in_zuora, push_subscription

__all__ = ["PUSH", "Difference", "Far", "Mismatch", "Waits", "cancel_in_zuora"]

PUSH: dict[EntityKind, Callable[[Far, Any, SyncRecord], None]] = {
    EntityKind.PLAN: push_package,
    EntityKind.ADDON: push_package,
    EntityKind.COUPON: push_coupon,
    EntityKind.CUSTOMER: push_customer,
    EntityKind.SUBSCRIPTION: push_subscription,
}
