"""The demo tenant as it was before: what people, and the page that takes payment methods, had made in Zuora."""

import json
import urllib.parse
import urllib.request
from datetime import date
from typing import Any

from stigg_zuora.demo import people

# As long as Zuora's own: its client refuses shorter ones.
CLIENT_ID, CLIENT_SECRET = "00000000-demo-demo-demo-000000000000", "only-for-the-local-zuora"


class Tenant:
    """A plain way in, for what this program itself never does."""

    def __init__(self, address: str) -> None:
        self._address = address
        login = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "client_credentials"}
        answer = self._answer(urllib.request.Request(f"{address}/oauth/token", urllib.parse.urlencode(login).encode()))  # noqa: S310
        self._headers = {"Authorization": f"Bearer {answer['access_token']}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return self._answer(urllib.request.Request(f"{self._address}{path}", headers=self._headers))  # noqa: S310

    def post(self, path: str, body: dict[str, Any]) -> Any:
        data = json.dumps(body).encode()
        return self._answer(urllib.request.Request(f"{self._address}{path}", data, headers=self._headers))  # noqa: S310

    def _answer(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own stand-in
            return json.load(answer)


def payment_methods(tenant: Tenant) -> dict[str, str]:
    """Return the id of a payment method for each customer that pays, as a payment page would have left it in Zuora."""
    kind = "CreditCardReferenceTransaction"
    return {
        customer.ref: tenant.post("/v1/payment-methods", {"type": kind, "tokenId": f"tok-{customer.ref}"})["id"]
        for customer in people.CUSTOMERS
        if customer.pays
    }


def legacy(tenant: Tenant, *, today: date) -> None:
    """Make the accounts and the subscription that billing IDs of the demo point to, unless they are there."""
    accounts = {row["accountNumber"] for row in tenant.get("/object-query/accounts?pageSize=50")["data"]}
    for customer in people.CUSTOMERS:
        if customer.billing_id and customer.billing_id not in accounts:
            state = {"state": customer.state} if customer.state else {}
            contact = {"firstName": "Accounts", "lastName": "Payable", "country": customer.country, **state}
            tenant.post(
                "/v1/accounts",
                {
                    "accountNumber": customer.billing_id,
                    "name": customer.name.upper(),
                    "currency": customer.currency,
                    "billCycleDay": 1,
                    "autoPay": False,
                    "billToContact": contact,
                },
            )
    if not tenant.get(f"/object-query/subscriptions?filter%5B%5D=name.EQ:{people.LEGACY_SUBSCRIPTION}")["data"]:
        _subscription(tenant, rate_plan_id=_rate_plan(tenant), today=today)


def _rate_plan(tenant: Tenant) -> str:
    span = {"EffectiveStartDate": "2019-01-01", "EffectiveEndDate": "2099-12-31"}
    product = tenant.post("/v1/object/product", {"Name": people.LEGACY_PRODUCT, "SKU": people.LEGACY_SKU, **span})
    rate_plan = tenant.post(
        "/v1/object/product-rate-plan",
        {"Name": people.LEGACY_RATE_PLAN, "ProductId": product["Id"], "ActiveCurrencies": ["USD"], **span},
    )
    row = {"Currency": "USD", "Price": int(people.LEGACY_PRICE), "PriceFormat": "Flat Fee"}
    tenant.post(
        "/v1/object/product-rate-plan-charge",
        {
            "ProductRatePlanId": rate_plan["Id"],
            "Name": people.LEGACY_CHARGE,
            "ChargeModel": "Flat Fee Pricing",
            "ChargeType": "Recurring",
            "BillCycleType": "DefaultFromCustomer",
            "BillingPeriod": "Annual",
            "TriggerEvent": "ContractEffective",
            "UseDiscountSpecificAccountingCode": False,
            "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [row]},
        },
    )
    return str(rate_plan["Id"])


def _subscription(tenant: Tenant, *, rate_plan_id: str, today: date) -> None:
    triggers = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    creation = {
        "subscriptionNumber": people.LEGACY_SUBSCRIPTION,
        "terms": {"initialTerm": {"termType": "EVERGREEN", "startDate": people.LEGACY_BEGIN}},
        "subscribeToRatePlans": [{"productRatePlanId": rate_plan_id}],
    }
    action = {
        "type": "CreateSubscription",
        "triggerDates": [{"name": name, "triggerDate": people.LEGACY_BEGIN} for name in triggers],
        "createSubscription": creation,
    }
    tenant.post(
        "/v1/orders",
        {
            "orderDate": today.isoformat(),
            "existingAccountNumber": people.LEGACY_SUBSCRIPTION_ACCOUNT,
            "subscriptions": [{"orderActions": [action]}],
        },
    )
