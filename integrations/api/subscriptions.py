"""What an application asks of a subscription (https://docs.stigg.io/api-reference/subscriptions)."""

from datetime import datetime
from http import HTTPStatus

from django.http import HttpRequest

from integrations import usage_sync
from integrations.api.door import Answer, door
from integrations.api.errors import ApiError, not_found
from integrations.models import ApiKey, Scope
from integrations.operating import Impossible
from subscriptions.models import Subscription
from usage.checking import is_storable


@door(method="POST", scope=Scope.FULL, holds_transaction=False)
def sync_usage(_request: HttpRequest, *, now: datetime, key: ApiKey, body: bytes, ref_id: str) -> Answer:  # noqa: ARG001
    """`POST /api/v1/subscriptions/{id}/usage/sync`: sends what is not in Zuora yet; pressed twice, nothing twice.

    `triggered` is false when something could not be sent; the page of the subscription says why.
    """
    found = Subscription.objects.filter(ref_id=ref_id) if is_storable(ref_id) else Subscription.objects.none()
    subscription = found.select_related("customer").first()
    if subscription is None:
        raise not_found("SubscriptionNotFound", f"No subscription has the id {ref_id!r}.")
    try:
        sent = usage_sync.sync_now(subscription=subscription, actor=key.created_by, now=now)
    except Impossible as answer:
        raise ApiError(HTTPStatus.BAD_REQUEST, "BillingIntegrationMissing", str(answer)) from answer
    return HTTPStatus.OK, {"data": {"triggered": not sent.problem}}
