"""What an application asks of a subscription (https://docs.stigg.io/api-reference/subscriptions)."""

from http import HTTPStatus

from integrations import usage_sync
from integrations.api.errors import ApiError
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.schema import Data
from integrations.api.usage_schema import Triggered
from integrations.operating import Impossible
from subscriptions.models import Subscription

_TAG = "Subscriptions"


@operation("POST", "/api/v1/subscriptions/{subscription_id}/usage/sync", tag=_TAG, holds_transaction=False)
def sync_subscription_usage(call: Call, *, subscription_id: str) -> Data[Triggered]:
    """Send what was used and is not in Zuora yet.

    Pressed twice, it sends nothing twice. `triggered` is false when something could not be sent; the page of the
    subscription says why.
    """
    subscription = find(Subscription.objects.select_related("customer"), subscription_id)
    try:
        sent = usage_sync.sync_now(subscription=subscription, actor=call.key.created_by, now=call.now)
    except Impossible as answer:
        raise ApiError(HTTPStatus.BAD_REQUEST, "BillingIntegrationMissing", str(answer)) from answer
    return Data(data=Triggered(triggered=not sent.problem))
