"""Accounts and their payment methods."""

from typing import Any

from integrations.zuora.client.transport import Body, Transport, segment
from integrations.zuora.leases import CallClass


class AccountEndpoints(Transport):
    """An account's key is its id or its number."""

    # https://developer.zuora.com/v1-api-reference/api/operation/POST_Account/
    def create_account(self, body: Body, *, idempotency_key: str) -> dict[str, Any]:
        return self._post(
            "/v1/accounts",
            body,
            idempotency_key=idempotency_key,
            call_class=CallClass.HIGH_VOLUME,
            expects=("accountId",),
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_Account/
    def get_account(self, key: str) -> dict[str, Any]:
        """Return `{"basicInfo": {...}, "billingAndPayment": {...}, "billToContact": {...}, ...}`.

        Raises:
            NotFound: there is none.
        """
        return self._get(f"/v1/accounts/{segment(key)}", expects=("basicInfo",))

    # https://developer.zuora.com/v1-api-reference/api/operation/PUT_Account/
    def update_account(self, key: str, body: Body) -> dict[str, Any]:
        return self._put(f"/v1/accounts/{segment(key)}", body, expects=("success",))

    # https://developer.zuora.com/v1-api-reference/api/tag/Accounts
    def payment_methods_of(self, key: str) -> dict[str, Any]:
        """Return `{"defaultPaymentMethodId": ..., "creditcard": [...], ...}`: a list per type of payment method."""
        return self._get(f"/v1/accounts/{segment(key)}/payment-methods", expects=("success",))
