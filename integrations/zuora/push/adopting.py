"""Takes over charges, and with them their rate plans, that another integration made: those whose id the price names.

Without it a company that moves here would get a second rate plan beside the one that its subscriptions run on.
"""

from typing import Any

from integrations.models import SyncRecord
from integrations.zuora.client import field
from integrations.zuora.errors import NotFound, Rejected
from integrations.zuora.mapping.nodes import ChargeNode, RatePlanNode
from integrations.zuora.push.far import Far, Mismatch
from integrations.zuora.push.place import Held, adopt


def adopt_rate_plan(far: Far, record: SyncRecord, node: RatePlanNode, *, product_id: str) -> None:
    """Link the rate plan of the charges whose billing IDs are known, unless it has one of ours, or a successor.

    Raises:
        Mismatch: there is no such charge, or it belongs to another product; the text says so.
    """
    named = next((charge for charge in node.charges if charge.billing_id), None)
    if named is None or record.is_linked or record.pending_since is not None or record.generation > 1:
        return
    rate_plan_id = str(field(_charge(far, named), "productRatePlanId"))
    row = far.client.query_by_key("product-rate-plans", rate_plan_id)
    if field(row, "productId") != product_id:
        raise Mismatch(
            f"The billing ID {named.billing_id} of {named.key} is a charge of another product in Zuora: give the plan "
            "or add-on the billing ID of that product, or clear the charge's."
        )
    far.before_write()
    adopt(far, record, Held(rate_plan_id, str(field(row, "productRatePlanNumber") or node.number)), sent={})


def adopt_charge(far: Far, record: SyncRecord, node: ChargeNode, *, rate_plan: SyncRecord) -> dict[str, Any] | None:
    """Return the charge that the price names by its billing ID, to be linked; None where there is nothing to adopt."""
    if not node.billing_id or record.is_linked or record.pending_since is not None or rate_plan.generation > 1:
        return None
    row = _charge(far, node)
    if field(row, "productRatePlanId") != rate_plan.zuora_id:
        raise Mismatch(
            f"The billing ID {node.billing_id} of {node.key} is a charge of another rate plan in Zuora than its "
            "sisters: correct it, or clear it."
        )
    return row


def _charge(far: Far, node: ChargeNode) -> dict[str, Any]:
    try:
        return far.client.query_by_key("product-rate-plan-charges", node.billing_id)
    except (NotFound, Rejected):
        raise Mismatch(
            f"The billing ID {node.billing_id} of {node.key} should be a charge in Zuora, but does not exist there: "
            "correct it, or clear it."
        ) from None
