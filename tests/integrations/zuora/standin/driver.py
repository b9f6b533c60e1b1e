"""A thin driver of the stand-in for its own tests: JSON in, JSON out, no client of ours between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from integrations.zuora.standin.wire import Request, dump, load
from tests.standin_transport import WSGIAdapter

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn

BASE = "https://rest.zuora.example"
TRIGGERS = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")


@dataclass
class Reply:
    status: int
    body: Any
    headers: Any

    @property
    def codes(self) -> list[Any]:
        return [reason["code"] for reason in self.body["reasons"]]

    @property
    def crud_codes(self) -> list[str]:
        return [error["Code"] for error in self.body["Errors"]]


@dataclass
class Driver:
    app: StandIn
    version: str = "2025-08-12"
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.mount("https://", WSGIAdapter(self.app))
        self.login()

    def login(self) -> None:
        form = {"client_id": "demo-client", "client_secret": "demo-secret", "grant_type": "client_credentials"}
        token = self.session.post(f"{BASE}/oauth/token", data=form).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"Zuora-Version": self.version, "X-Zuora-WSDL-Version": "141"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        data = None
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            data = body if isinstance(body, bytes) else dump(body)
        response = self.session.request(method, BASE + path, data=data, headers=sent)
        is_json = response.headers["Content-Type"].startswith("application/json") and response.content
        return Reply(response.status_code, load(response.content) if is_json else response.text, response.headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers).body

    def made(self, path: str, body: Any) -> str:
        """Create an object of the CRUD family; its id."""
        reply = self.call("POST", path, body)
        assert reply.status == 200, reply.body
        return str(reply.body["Id"])

    def unit(self, name: str = "calls", precision: int = 2, rounding: str = "Up") -> None:
        body = {"name": name, "displayAs": name, "precision": precision, "roundingMode": rounding, "active": True}
        assert self.call("POST", "/settings/units-of-measure", body).status == 200

    def product(self, sku: str = "basic", **more: Any) -> str:
        body = {"Name": sku, "SKU": sku, "EffectiveStartDate": "2020-01-01", "EffectiveEndDate": "2099-01-01"}
        return self.made("/v1/object/product", body | more)

    def plan(self, product: str, number: str = "basic-month", **more: Any) -> str:
        body = {"Name": number, "ProductId": product, "ProductRatePlanNumber": number}
        return self.made("/v1/object/product-rate-plan", body | more)

    def charge(self, plan: str, number: str, tiers: list[dict[str, Any]], **more: Any) -> str:
        return self.made("/v1/object/product-rate-plan-charge", charge_body(plan, number, tiers, **more))

    def account(self, number: str = "cust-1", **more: Any) -> str:
        body = account_body(number, **more)
        reply = self.call("POST", "/v1/accounts", body)
        assert reply.body["success"] is True, reply.body
        return str(reply.body["accountId"])

    def order(self, action: dict[str, Any], *, subscription: str = "", day: str = "2026-01-01", **more: Any) -> Reply:
        entry: dict[str, Any] = {"orderActions": [{"triggerDates": trigger_dates(day), **action}]}
        if subscription:
            entry["subscriptionNumber"] = subscription
        body = {"orderDate": day, "existingAccountNumber": "cust-1", "subscriptions": [entry]}
        return self.call("POST", "/v1/orders", body | more)

    def subscribe(
        self,
        number: str = "sub-1",
        plan: str = "basic-month",
        *,
        day: str = "2026-01-01",
        months: int = 12,
        **more: Any,
    ) -> None:
        reply = self.order(create_action(number, plan, months=months), day=day, **more)
        assert reply.status == 200, reply.body

    def subscription(self, key: str = "sub-1", **parameters: str) -> Any:
        query = "&".join(f"{name.replace('_', '-')}={value}" for name, value in parameters.items())
        return self.get(f"/v1/subscriptions/{key}" + (f"?{query}" if query else ""))

    def charge_number(self, name: str, subscription: str = "sub-1") -> str:
        for plan in self.subscription(subscription)["ratePlans"]:
            for charge in plan["ratePlanCharges"]:
                if charge["name"] == name:
                    return str(charge["number"])
        raise AssertionError(f"{subscription} has no charge {name}")


def account_body(number: str, **more: Any) -> dict[str, Any]:
    contact = {"firstName": "Made", "lastName": "Up", "country": "United States", "state": "California"}
    body = {"name": "Example", "accountNumber": number, "currency": "USD", "billCycleDay": 1, "billToContact": contact}
    return body | more


def create_account(zuora: Driver, number: str, key: str) -> Reply:
    """Create an account under an idempotency key."""
    return zuora.call("POST", "/v1/accounts", account_body(number), Idempotency_Key=key)


def charge_body(plan: str, number: str, tiers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ProductRatePlanId": plan,
        "Name": number,
        "ProductRatePlanChargeNumber": number,
        "ChargeModel": "Flat Fee Pricing",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "BillingPeriod": "Month",
        "TriggerEvent": "ContractEffective",
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": tiers},
    }
    body.update(more)
    return {name: value for name, value in body.items() if value is not None}


def trigger_dates(day: str) -> list[dict[str, str]]:
    return [{"name": name, "triggerDate": day} for name in TRIGGERS]


def create_action(number: str, *plans: str, months: int = 12, **more: Any) -> dict[str, Any]:
    term = {"termType": "TERMED", "period": months, "periodType": "Month"}
    terms = {
        "initialTerm": term,
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "renewalTerms": [{"period": months, "periodType": "Month"}],
        "autoRenew": True,
    }
    if not months:
        terms = {"initialTerm": {"termType": "EVERGREEN"}}
    member: dict[str, Any] = {"subscriptionNumber": number, "terms": terms}
    member["subscribeToRatePlans"] = [{"productRatePlanNumber": plan} for plan in plans]
    return {"type": "CreateSubscription", "createSubscription": member | more}


def usd(price: Any, **more: Any) -> dict[str, Any]:
    return {"Currency": "USD", "Price": price, **more}


def flat_catalog(zuora: Driver) -> tuple[str, str, str]:
    """A product, its plan and one flat monthly charge of 100 USD; their ids."""
    product = zuora.product()
    plan = zuora.plan(product)
    return product, plan, zuora.charge(plan, "fee", [usd(100)])


def usage_catalog(zuora: Driver) -> str:
    """The flat catalog and a usage charge of 0.5 USD a call; an account and a subscription; the charge's number."""
    _, plan, _ = flat_catalog(zuora)
    zuora.unit()
    zuora.charge(plan, "calls", [usd("0.5")], ChargeModel="Per Unit Pricing", ChargeType="Usage", UOM="calls")
    zuora.account()
    zuora.subscribe()
    return zuora.charge_number("calls")


def usage_body(charge: str, **more: Any) -> dict[str, Any]:
    body = {
        "AccountNumber": "cust-1",
        "SubscriptionNumber": "sub-1",
        "ChargeNumber": charge,
        "UOM": "calls",
        "Quantity": 10,
        "StartDateTime": "2026-01-05T10:00:00+00:00",
        "Description": "slice-1",
    }
    return body | more


def through(app: StandIn, prepared: requests.PreparedRequest, sleep: Any) -> int:
    """Send a request whose delay runs a function instead of waiting."""
    headers = {name.lower(): str(value) for name, value in prepared.headers.items()}
    body = prepared.body if isinstance(prepared.body, bytes) else b""
    path = (prepared.path_url or "").partition("?")[0]
    return app.handle(Request(prepared.method or "", path, "", headers, body, BASE, "127.0.0.1"), sleep).status
