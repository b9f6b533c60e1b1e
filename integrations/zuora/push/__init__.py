"""One function per kind of entity: where row, mapping and client meet for one push."""

from collections.abc import Callable
from typing import Any

from integrations.models import EntityKind, SyncRecord
from integrations.zuora.push.catalog import push_coupon, push_package
from integrations.zuora.push.customer import push_customer
from integrations.zuora.push.far import Difference, Far, Mismatch, Waits
from integrations.zuora.push.notes import Known, Notes, Root
from integrations.zuora.push.parents import why_it_waits
from integrations.zuora.push.subscription import cancel_in_zuora, parents_of, push_subscription
from subscriptions.models import Subscription
from subscriptions.past import coupon_of

__all__ = ["PUSH", "Difference", "Far", "Known", "Mismatch", "Notes", "Waits", "carry_out", "needed_by", "why_it_waits"]

PUSH: dict[EntityKind, Callable[[Far, Any, SyncRecord], None]] = {
    EntityKind.PLAN: push_package,
    EntityKind.ADDON: push_package,
    EntityKind.COUPON: push_coupon,
    EntityKind.CUSTOMER: push_customer,
    EntityKind.SUBSCRIPTION: push_subscription,
}


def carry_out(far: Far, entity: Any, record: SyncRecord, *, syncs: bool) -> None:
    """Do for one entity what is to be done in Zuora: push it, or, where the rules do not sync it, what a person chose.

    Raises:
        Waits: a parent must go first.
        Mismatch: Zuora holds something else than it should.
        ZuoraError: a call failed.
    """
    if syncs:
        PUSH[EntityKind(record.kind)](far, entity, record)
    elif record.is_linked and record.cancel_wanted_at:
        cancel_in_zuora(far, entity, record)


def needed_by(entity: Any, record: SyncRecord) -> list[Root]:
    """Return the entities whose records the push of this one reads beside its own: they are best read for many."""
    if isinstance(entity, Subscription):
        return parents_of(entity, coupon_of(entity))
    return [(record.root_kind, record.root_id)] if record.has_parts else []
