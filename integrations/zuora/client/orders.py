"""Orders, and the subscriptions that they create and change."""

from typing import Any

from integrations.zuora.client.transport import Body, Transport, segment
from integrations.zuora.leases import CallClass


class OrderEndpoints(Transport):
    # https://developer.zuora.com/v1-api-reference/api/operation/POST_Order/
    def create_order(self, body: Body, *, idempotency_key: str) -> dict[str, Any]:
        """Create an order and carry it out, whole or not at all; a timed-out one may still be created.

        With the ids asked for, Zuora gives `orderId` and `accountId` in place of the numbers.
        """
        return self._post(
            "/v1/orders",
            body,
            idempotency_key=idempotency_key,
            query=[("returnIds", "true")],
            call_class=CallClass.HIGH_VOLUME,
            expects=("orderId", "orderNumber"),
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_Order/
    def get_order(self, number: str) -> dict[str, Any]:
        """Return `{"order": {...}, "success": true}`.

        Raises:
            NotFound: there is none.
        """
        return self._get(f"/v1/orders/{segment(number)}", expects=("order",))

    # https://developer.zuora.com/v1-api-reference/api/operation/DELETE_Order/
    def delete_order(self, number: str) -> dict[str, Any]:
        """Delete an order: its subscriptions are again what they were before. Not once its charges are invoiced."""
        return self._delete(f"/v1/orders/{segment(number)}", expects=("success",))

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_SubscriptionsByKey/
    def get_subscription(self, key: str, *, all_segments: bool = False) -> dict[str, Any]:
        """Return the latest version by number, or one version by id, with its rate plans and charges.

        Of a charge that was changed Zuora shows the last segment, or all of them.

        Raises:
            NotFound: there is none.
        """
        query = [("charge-detail", "all-segments")] if all_segments else None
        return self._get(f"/v1/subscriptions/{segment(key)}", query=query, expects=("id",))

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_OrdersBySubscriptionNumber/
    def orders_of_subscription(self, number: str, *, size: int = 20) -> dict[str, Any]:
        """Return `{"orders": [...]}`: the subscription's orders, so many at most."""
        query = [("pageSize", str(size))]
        return self._get(f"/v1/orders/subscription/{segment(number)}", query=query, expects=("orders",))

    # https://developer.zuora.com/v1-api-reference/api/operation/PUT_UpdateSubscriptionCustomFields/
    def update_subscription_custom_fields(self, number: str, body: Body) -> dict[str, Any]:
        """Change custom fields without making a new version."""
        return self._put(f"/v1/subscriptions/{segment(number)}/customFields", body, expects=("success",))
