"""The rules for requests that Zuora states in prose only.

Sources: https://developer.zuora.com/v1-api-reference/introduction/ and the pages of the operations beside it.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

ZUORA_VERSION = "2025-08-12"
#: The first WSDL version that knows a field.
SINCE_WSDL = {
    "ProductNumber": 133,
    "ProductRatePlanNumber": 133,
    "ProductRatePlanChargeNumber": 133,
    "UniqueKey": 114,
    "Grade": 116,
    "SpecificListPriceBase": 129,
    "IsStackedDiscount": 130,
}
#: POSTs that change nothing.
_READS = {"/oauth/token", "/v1/action/query", "/v1/action/queryMore", "/v1/orders/preview"}
_ACTIONS_LIMIT = 50
_TRIGGERS = {"ContractEffective", "ServiceActivation", "CustomerAcceptance"}
_UNIT_MODELS = {"Per Unit Pricing", "Tiered Pricing", "Volume Pricing", "Overage Pricing"}


def check_head(
    method: str, path: str, body: Any, headers: Mapping[str, str], query: Mapping[str, str]
) -> Iterator[str]:
    """Yield which rules about headers and query a request breaks."""
    lower = {name.lower(): value for name, value in headers.items()}
    yield from _check_idempotency(method, path, lower.get("idempotency-key"))
    yield from _check_wire(path, body, lower)
    yield from _check_wsdl(path, body, int(lower.get("x-zuora-wsdl-version") or 0))
    is_write = method in {"POST", "PUT"} and path.startswith(("/v1/object/", "/v1/action/c", "/v1/action/u"))
    if is_write and query.get("rejectUnknownFields") != "true":
        yield "query rejectUnknownFields: a misspelt field would be ignored"


def check_content(method: str, path: str, body: Any) -> Iterator[str]:
    """Yield which rules about bodies a request breaks, given that the body has its model's shape."""
    if path == "/oauth/token":
        yield from _check_token_request(body)
    if path == "/v1/orders" and isinstance(body, dict):
        yield from _check_order(body)
    if path == "/v1/accounts" and isinstance(body, dict):
        yield from _check_account(body)
    if path.startswith("/v1/object/product-rate-plan-charge") and "tier/" not in path and isinstance(body, dict):
        yield from _check_charge(body)
    if path == "/v1/usage":
        yield from _check_usage_file(str(body))
    for usage in _usages(path, body):
        yield from _check_usage(usage, is_new=method == "POST" and not path.endswith("update"))


def _check_usage_file(form: str) -> Iterator[str]:
    """https://docs.zuora.com/en/zuora-billing/bill-your-customer/usage-billing/usage-file-format"""
    boundary, _, rest = form.partition("\r\n")
    head, _, rest = rest.partition("\r\n\r\n")
    content, closing, after = rest.partition(f"\r\n{boundary}--")
    name = re.search(r'form-data; name="file"; filename="([^"]+\.csv)"', head)
    if not (boundary.startswith("--") and closing) or after.strip() or name is None or len(name[1]) > 50:
        yield "body: not one part named file, a .csv with a name of at most 50 characters"
        return
    rows = list(csv.reader(io.StringIO(content)))
    columns = ["ACCOUNT_ID", "UOM", "QTY", "STARTDATE", "ENDDATE", "SUBSCRIPTION_ID", "CHARGE_ID", "DESCRIPTION"]
    if rows[0] != columns:
        yield f"body: the columns are {rows[0]}"
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(columns) or not all(row[:4] + row[5:]):
            yield f"body: row {number} is not whole: {row}"
        elif not re.fullmatch(r"\d\d/\d\d/\d{4}", row[3]) or not re.fullmatch(r"\d+(\.\d+)?", row[2]):
            yield f"body: row {number} has no date or quantity: {row}"


def _check_idempotency(method: str, path: str, key: str | None) -> Iterator[str]:
    if method == "POST" and path not in _READS and not (key and len(key) < 255):
        yield "header Idempotency-Key: every POST that changes something carries one of 1 to 254 characters"
    if method != "POST" and key is not None:
        yield f"header Idempotency-Key: a {method} with it is refused"


def _check_wire(path: str, body: Any, headers: Mapping[str, str]) -> Iterator[str]:
    if (path == "/oauth/token") == headers.get("authorization", "").startswith("Bearer "):
        yield "header Authorization: on every call but the token's"
    if path.startswith("/v1/") and headers.get("zuora-version") != ZUORA_VERSION:
        yield f"header Zuora-Version: {headers.get('zuora-version')!r} is not the pinned {ZUORA_VERSION}"
    form = "application/x-www-form-urlencoded" if path == "/oauth/token" else "application/json"
    form = "multipart/form-data; boundary=" if path == "/v1/usage" else form
    if isinstance(body, dict | str) and not headers.get("content-type", "").startswith(form):
        yield f"header Content-Type: {headers.get('content-type')!r} is not {form}"
    track = headers.get("zuora-track-id", "")
    if len(track) > 64 or not track.isascii() or set(track) & set(":;\"'"):
        yield f"header Zuora-Track-Id: {track!r} is not at most 64 ASCII characters without : ; \" '"


def _check_wsdl(path: str, body: Any, version: int) -> Iterator[str]:
    if path.startswith(("/v1/object/", "/v1/action/")):
        for name in _keys(body):
            if version < SINCE_WSDL.get(name, 0):
                yield f"header X-Zuora-WSDL-Version: {version} does not know {name}, {SINCE_WSDL[name]} does"


def check_values(value: Any, where: str) -> Iterator[str]:
    """Yield which values nothing of Zuora's takes: null, and characters of four bytes."""
    if value is None and where != "body":
        yield f"{where}: null"
    elif isinstance(value, str) and max(value, default="") > "\uffff":
        yield f"{where}: {value!r} holds 4-byte UTF-8"
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from check_values(item, f"{where}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from check_values(item, f"{where}[{index}]")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _check_token_request(body: Any) -> Iterator[str]:
    if not isinstance(body, dict) or set(body) != {"client_id", "client_secret", "grant_type"}:
        yield "body: the form holds client_id, client_secret and grant_type"
    elif body["grant_type"] != "client_credentials":
        yield f"body.grant_type: {body['grant_type']!r} is not client_credentials"


def _check_account(body: Mapping[str, Any]) -> Iterator[str]:
    if body.get("accountNumber", "").startswith("A"):
        yield "body.accountNumber: begins with the tenant's own prefix"
    if "subscription" not in body and "billCycleDay" not in body:
        yield "body.billCycleDay: missing, and there is no subscription to take it from"
    methods = [name for name in ("paymentMethod", "creditCard", "hpmCreditCardPaymentMethodId") if name in body]
    if body.get("autoPay") and len(methods) != 1:
        yield "body.autoPay: needs exactly one payment method"
    if body.get("autoPay") is False and set(methods) & {"creditCard", "hpmCreditCardPaymentMethodId"}:
        yield "body.autoPay: off, with a payment method"


def _check_order(body: Mapping[str, Any]) -> Iterator[str]:
    if ("existingAccountNumber" in body) == ("newAccount" in body):
        yield "body: exactly one of existingAccountNumber and newAccount"
    if "/" in body.get("orderNumber", ""):
        yield "body.orderNumber: holds a slash"
    if not body.get("subscriptions") and not body.get("orderLineItems"):
        yield "body.subscriptions: empty"
    for index, subscription in enumerate(body.get("subscriptions", [])):
        where = f"body.subscriptions[{index}]"
        actions = subscription.get("orderActions", [])
        if not 1 <= len(actions) <= _ACTIONS_LIMIT:
            yield f"{where}.orderActions: {len(actions)} of at most {_ACTIONS_LIMIT}"
        is_new = any(action.get("type") == "CreateSubscription" for action in actions)
        if is_new == ("subscriptionNumber" in subscription):
            yield f"{where}.subscriptionNumber: named when it is changed, and only then"
        for position, action in enumerate(actions):
            yield from _check_action(action, f"{where}.orderActions[{position}]")


def _check_action(action: Mapping[str, Any], where: str) -> Iterator[str]:
    kind = action.get("type", "")
    member = kind[:1].lower() + kind[1:]
    others = set(action) - {"type", "triggerDates", "customFields", "changeReason", member}
    if others or (member not in action and kind != "RenewSubscription"):
        yield f"{where}: a {kind} holds {member}, not {', '.join(sorted(others)) or 'nothing'}"
    dates = {row.get("name") for row in action.get("triggerDates", []) if row.get("triggerDate")}
    if dates != _TRIGGERS:
        yield f"{where}.triggerDates: {', '.join(sorted(_TRIGGERS - dates))} missing"
    body = action.get(member) or {}
    if kind == "CancelSubscription":
        dated = "cancellationEffectiveDate" in body
        if dated != (body.get("cancellationPolicy") == "SpecificDate"):
            yield f"{where}.cancelSubscription: SpecificDate has a date, and no other policy has"
    if kind == "AddProduct" and ("productRatePlanId" in body) == ("productRatePlanNumber" in body):
        yield f"{where}.addProduct: exactly one of productRatePlanId and productRatePlanNumber"
    plans = {"ratePlanId", "subscriptionRatePlanNumber", "productRatePlanNumber", "uniqueToken", "productRatePlanId"}
    if kind in {"UpdateProduct", "RemoveProduct"} and len(plans & set(body)) != 1:
        yield f"{where}.{member}: names its rate plan once"
    for name, override in _pricings(body):
        if len(override) != 1:
            yield f"{where}.{member}.{name}: one charge model, not {', '.join(override) or 'none'}"
        for rows in (values.get("tiers", []) for values in override.values()):
            yield from _check_rows(rows, f"{where}.{member}.{name}", start="startingUnit", end="endingUnit")


def _pricings(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "pricing":
                yield name, item
            else:
                yield from _pricings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _pricings(item)


def _check_charge(body: Mapping[str, Any]) -> Iterator[str]:
    kind, charge_model = body.get("ChargeType"), body.get("ChargeModel", "")
    if kind == "OneTime" and "BillingPeriod" in body:
        yield "body.BillingPeriod: not on a one-time charge"
    if charge_model in _UNIT_MODELS and not body.get("UOM"):
        yield f"body.UOM: missing, and {charge_model} counts"
    if charge_model == "Per Unit Pricing" and kind in {"Recurring", "OneTime"} and "DefaultQuantity" not in body:
        yield "body.DefaultQuantity: missing"
    if charge_model.startswith("Discount") and kind in {"Usage", "OneTime"}:
        yield "body.ChargeType: a discount is recurring"
    if body.get("EndDateCondition") == "FixedPeriod" and not {"UpToPeriods", "UpToPeriodsType"} <= set(body):
        yield "body.EndDateCondition: a fixed period has UpToPeriods and UpToPeriodsType"
    rows = body.get("ProductRatePlanChargeTierData", {}).get("ProductRatePlanChargeTier", [])
    value = {"Discount-Fixed Amount": "DiscountAmount", "Discount-Percentage": "DiscountPercentage"}.get(
        charge_model, "Price"
    )
    if not rows or any(value not in row for row in rows):
        yield f"body.ProductRatePlanChargeTierData: each row has a {value}"
    for currency in sorted({row.get("Currency", "") for row in rows}):
        own = [row for row in rows if row.get("Currency", "") == currency]
        if charge_model in {"Tiered Pricing", "Volume Pricing"}:
            yield from _check_rows(own, f"body.{currency}", start="StartingUnit", end="EndingUnit")
        elif len(own) > 1:
            yield f"body.{currency}: {len(own)} rows for one price"


def _check_rows(rows: list[dict[str, Any]], where: str, *, start: str, end: str) -> Iterator[str]:
    if not rows:
        return
    if rows[0].get(start) not in {0, 1} or end in rows[-1]:
        yield f"{where}: the first tier starts at 0 or 1, and the last one has no end"
    for before, after in pairwise(rows):
        if end not in before or after.get(start) != before[end] + 1:
            yield f"{where}: a tier starts one after the end of the one before"


def _usages(path: str, body: Any) -> list[Mapping[str, Any]]:
    if not isinstance(body, dict):
        return []
    if path.startswith("/v1/object/usage"):
        return [body]
    return list(body.get("objects", [])) if path.startswith("/v1/action/") and body.get("type") == "Usage" else []


def _check_usage(usage: Mapping[str, Any], *, is_new: bool) -> Iterator[str]:
    if is_new and ("AccountNumber" in usage) == ("AccountId" in usage):
        yield "usage: exactly one of AccountNumber and AccountId"
    if is_new:
        # Without both, every charge with the same unit counts the record.
        yield from (f"usage.{name}: missing" for name in ("SubscriptionNumber", "ChargeNumber") if not usage.get(name))
    if "Quantity" in usage and usage["Quantity"] < 0:
        yield f"usage.Quantity: {usage['Quantity']} is negative"
    for name in ("StartDateTime", "EndDateTime"):
        text = usage.get(name, "")
        if text and (not re.match(r"\d{4}-\d\d-\d\dT", text) or datetime.fromisoformat(text).tzinfo is None):
            yield f"usage.{name}: {text!r} has no offset, and would be read in the tenant's time zone"
