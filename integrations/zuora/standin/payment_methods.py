"""Payment methods by reference: a token of a gateway, never a card.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_PaymentMethods/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import invalid, missing, not_found, rule

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

REFERENCES = (
    "CreditCardReferenceTransaction",
    "PayPalNativeEC",
    "PayPalCP",
    "AdyenSepa",
    "StripeLink",
    "ACHReferenceTransaction",
)
CARD_DATA = ("cardNumber", "creditCardNumber", "securityCode", "IBAN", "bankAccountNumber", "accountNumber")


def create_payment_method(tenant: Tenant, request: Request) -> Any:
    body = request.json
    kind = body.get("type")
    if not kind:
        raise missing("type")
    if not isinstance(kind, str) or kind not in REFERENCES:
        raise rule(f"Only payment methods by reference are taken: {', '.join(REFERENCES)}.")
    present = [name for name in CARD_DATA if body.get(name)]
    if present:
        raise rule(f"Card and bank data are not taken: {', '.join(present)}.")
    if not isinstance(body.get("tokenId"), str) or not body["tokenId"]:
        raise missing("tokenId")
    account = tenant.account(str(body["accountKey"])) if body.get("accountKey") else None
    values = {"Type": kind, "TokenId": body["tokenId"], "SecondTokenId": body.get("secondTokenId"), "Status": "Active"}
    row = tenant.created(**values, AccountId=account["Id"] if account else None)
    tenant.store.put("PaymentMethod", row)
    if account and (body.get("makeDefault") or not account.get("DefaultPaymentMethodId")):
        tenant.update("Account", account, DefaultPaymentMethodId=row["Id"])
    return {"success": True, "id": row["Id"]}


def view(tenant: Tenant, row: Row) -> dict[str, Any]:
    account = tenant.store.get("Account", row.get("AccountId", ""))
    return {
        "id": row["Id"],
        "type": row["Type"],
        "tokenId": row["TokenId"],
        "secondTokenId": row.get("SecondTokenId"),
        "status": row["Status"],
        "accountKey": account["AccountNumber"] if account else None,
        "isDefault": bool(account and account.get("DefaultPaymentMethodId") == row["Id"]),
        "createdOn": row["CreatedDate"][:19].replace("T", " "),
        "updatedOn": row["UpdatedDate"][:19].replace("T", " "),
    }


def read_payment_method(tenant: Tenant, request: Request) -> Any:
    return {**view(tenant, tenant.require("PaymentMethod", request.params["id"])), "success": True}


def update_payment_method(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("PaymentMethod", request.params["id"])
    body = request.json
    if body.get("accountKey"):
        if row.get("AccountId"):
            raise rule("The payment method already belongs to an account.")
        row = tenant.update("PaymentMethod", row, AccountId=tenant.account(str(body["accountKey"]))["Id"])
    token = body.get("tokenId", row["TokenId"])
    if not isinstance(token, str):
        raise invalid("The value of tokenId must be text.")
    tenant.update("PaymentMethod", row, TokenId=token)
    return {"success": True, "id": row["Id"]}


def delete_payment_method(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("PaymentMethod", request.params["id"])
    account = tenant.store.get("Account", row.get("AccountId", ""))
    if account and account.get("DefaultPaymentMethodId") == row["Id"]:
        raise rule("The default payment method of an account cannot be deleted.")
    tenant.store.delete("PaymentMethod", row["Id"])
    return {"success": True}


def account_methods(tenant: Tenant, request: Request) -> Any:
    account = tenant.account(request.params["key"])
    found = [view(tenant, row) for row in tenant.store.where("PaymentMethod", "AccountId", account["Id"])]
    shown: dict[str, Any] = {"success": True, "defaultPaymentMethodId": account.get("DefaultPaymentMethodId")}
    if found:
        shown["creditcardreferencetransaction"] = found
    return shown


def default_method(tenant: Tenant, request: Request) -> Any:
    account = tenant.account(request.params["key"])
    row = tenant.store.get("PaymentMethod", account.get("DefaultPaymentMethodId", ""))
    if row is None:
        raise not_found("default payment method", request.params["key"])
    return {**view(tenant, row), "success": True}
