"""What a subscription needs in Zuora before it: accounts and rate plans, or a wait that names what is missing."""

from collections.abc import Collection
from datetime import date

from customers.models import Customer
from integrations.models import EntityKind, SyncRecord, SyncStatus
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.contract import PlacedCharge, PlacedRatePlan
from integrations.zuora.push.far import Waits
from integrations.zuora.push.records import RETIRED, Parts


def placed(parents: Parts, key: str, sold: Collection[str], *, on: date) -> PlacedRatePlan:
    """Return the rate plan, with its charges, once its whole plan, add-on or coupon is there.

    A price that is still on its way, or was refused, would otherwise be sold as it was before. What was sold while a
    former rate plan was on sale, with other charges than today's, has that one.
    """
    root_key = key.partition("/")[0]
    root, rate_plan = parents.get(root_key), parents.get(key)
    is_whole = root is not None and root.is_linked and root.status == SyncStatus.SUCCESS
    if not is_whole or rate_plan is None or not rate_plan.is_linked:
        raise _waits(root_key, root)
    today = _with_charges(parents, key, rate_plan)
    former = [
        _with_charges(parents, key, one)
        for one in parents.values()
        if one.key.startswith(f"{key}{RETIRED}") and one.is_linked and on.isoformat() < one.sent.get("expired", "9")
    ]
    return next((one for one in [today, *former] if one.charges.keys() == set(sold)), today)


def _with_charges(parents: Parts, key: str, rate_plan: SyncRecord) -> PlacedRatePlan:
    mark = rate_plan.key.removeprefix(key)
    linked = (one for one in parents.values() if one.kind == EntityKind.CHARGE and one.is_linked)
    charges = (one for one in linked if one.key.startswith(f"{key}/") and one.key.partition(RETIRED)[2] == mark[1:])
    return PlacedRatePlan(
        key=key,
        id=rate_plan.zuora_id,
        number=rate_plan.zuora_number,
        charges={one.key.removesuffix(mark): PlacedCharge(one.zuora_id, one.zuora_number) for one in charges},
    )


def account(parents: Parts, customer: Customer) -> SyncRecord:
    """Return the customer's record once Zuora holds the account: one that is only being changed can carry orders."""
    key = keys.customer_key(customer.ref_id)
    record = parents.get(key)
    if record is None or not record.is_linked:
        raise _waits(key, record)
    return record


def _waits(key: str, parent: SyncRecord | None) -> Waits:
    return Waits(key, why_it_waits(key, parent))


def why_it_waits(key: str, parent: SyncRecord | None) -> str:
    """Return a sentence that names the parent with this key, and says why it is not there."""
    kind, _, ref_id = key.partition(":")
    return f"Waits for {EntityKind(kind).label.lower()} {ref_id}, {_state(parent)}."


def _state(root: SyncRecord | None) -> str:
    if root is not None and root.status == SyncStatus.NO_SYNC_REQUIRED:
        return f"which will not be synced: {root.no_sync_reason}".rstrip(".")
    if root is not None and root.status == SyncStatus.ERROR:
        return f"which failed: {root.error}".rstrip(".")
    if root is not None and root.is_linked and root.status == SyncStatus.SUCCESS:
        return "which is in Zuora without the rate plan that was sold: give it a price of this billing period"
    return "which is not in Zuora yet"
