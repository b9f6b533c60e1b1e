"""Takes back the cancellation of a subscription that was to end later, and goes on."""

from collections.abc import Mapping
from typing import Any

from integrations.models import SyncRecord
from integrations.zuora.errors import Forbidden, Rejected
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.push.far import Far
from integrations.zuora.push.place import Held, adopt


def take_back(far: Far, record: SyncRecord) -> None:
    """Delete the order that cancels the subscription, where one was sent: Zuora brings back what was before it.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/DELETE_Order/

    Raises:
        Refused: the order holds more than that, or is invoiced: a person decides.
    """
    if not record.sent.get("cancellation"):
        return
    far.before_write()
    number = record.zuora_number
    row = far.client.get_subscription(number)
    if row.get("status") == "Cancelled":
        order = str(row["orderNumber"])
        _refuse_more_than_an_end(far.client.get_order(order)["order"], number)
        try:
            far.client.delete_order(order)
        except (Rejected, Forbidden) as error:
            says = "; ".join(str(reason) for reason in error.reasons)
            raise Refused(_by_hand(number, f"Zuora keeps the order {order} ({says})")) from error
        row = far.client.get_subscription(number)
    adopt(far, record, Held(str(row["id"]), number), sent={**record.sent, "cancellation": None})


def _refuse_more_than_an_end(order: Mapping[str, Any], number: str) -> None:
    entries = order.get("subscriptions") or ()
    actions = [(entry["subscriptionNumber"], action["type"]) for entry in entries for action in entry["orderActions"]]
    if actions != [(number, "CancelSubscription")]:
        raise Refused(_by_hand(number, f"the order {order.get('orderNumber')} does more than cancel it"))


def _by_hand(number: str, why: str) -> str:
    return (
        f"Subscription {number} is cancelled in Zuora, and that cannot be taken back: {why}. Delete that order there, "
        "once its invoices are reversed, and retry; or begin a new subscription."
    )
