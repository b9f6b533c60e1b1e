"""Accounts.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_Account/ and .../PUT_Account/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.contacts import change_contact, new_contact
from integrations.zuora.standin.crud import unique_keys, v1_rules
from integrations.zuora.standin.errors import invalid, missing, not_found, rule
from integrations.zuora.standin.fields import check

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

COLUMNS = {
    "name": "Name",
    "currency": "Currency",
    "batch": "Batch",
    "crmId": "CrmId",
    "notes": "Notes",
    "autoPay": "AutoPay",
    "billCycleDay": "BillCycleDay",
    "paymentTerm": "PaymentTerm",
    "purchaseOrderNumber": "PurchaseOrderNumber",
    "salesRep": "SalesRepName",
    "customerServiceRepName": "CustomerServiceRepName",
    "communicationProfileId": "CommunicationProfileId",
    "invoiceTemplateId": "InvoiceTemplateId",
    "sequenceSetId": "SequenceSetId",
    "invoiceDeliveryPrefsEmail": "InvoiceDeliveryPrefsEmail",
    "invoiceDeliveryPrefsPrint": "InvoiceDeliveryPrefsPrint",
    "additionalEmailAddresses": "AdditionalEmailAddresses",
    "paymentGateway": "PaymentGateway",
    "partnerAccount": "PartnerAccount",
    "taxInfo": "TaxInfo",
    "tagging": "Tagging",
}
ROLES = (("billToContact", "BillToId"), ("soldToContact", "SoldToId"), ("shipToContact", "ShipToId"))
PAYMENTS = ("paymentMethod", "creditCard", "hpmCreditCardPaymentMethodId", "paymentMethodId")
LAST_BILL_CYCLE_DAY = 31


def create_account(tenant: Tenant, request: Request) -> Any:
    body = check(request.json, "Account.create", v1_rules(tenant, "Account"))
    if body.get("subscription"):
        raise rule("Use the Orders API to create subscriptions: this tenant takes accounts without them only.")
    row = new_account(tenant, body)
    created = {
        "success": True,
        "accountId": row["Id"],
        "accountNumber": row["AccountNumber"],
        "billToContactId": row["BillToId"],
        "soldToContactId": row["SoldToId"],
    }
    if row.get("ShipToId"):
        created["shipToContactId"] = row["ShipToId"]
    if row.get("DefaultPaymentMethodId"):
        created["paymentMethodId"] = row["DefaultPaymentMethodId"]
    return created


def new_account(tenant: Tenant, body: dict[str, Any]) -> Row:
    """An account from a checked body of `POST /v1/accounts`, or of `newAccount` in an order."""
    if body["currency"] not in tenant.switches.currencies:
        raise invalid(f"The currency '{body['currency']}' is not active in this tenant.")
    _check_cycle_day(body)
    values = _values(tenant, body)
    values["AccountNumber"] = _account_number(tenant, body.get("accountNumber"))
    row = tenant.created(**{"PaymentTerm": "Due Upon Receipt", "Batch": "Batch1", "Status": "Active", **values})
    row["AutoPay"] = bool(body.get("autoPay"))
    bill_to = new_contact(tenant, row["Id"], body["billToContact"])
    row["BillToId"] = row["SoldToId"] = bill_to["Id"]
    for member, column in ROLES[1:]:
        if body.get(member):
            row[column] = new_contact(tenant, row["Id"], body[member])["Id"]
    with unique_keys():
        tenant.store.put("Account", row)
    return _with_payment(tenant, row, body)


def _check_cycle_day(body: dict[str, Any]) -> None:
    day = body.get("billCycleDay")
    if day is None:
        raise missing("billCycleDay (it is required when no subscription is created with the account)")
    if not 0 <= day <= LAST_BILL_CYCLE_DAY:
        raise invalid("billCycleDay must be between 0 and 31.")


def _values(tenant: Tenant, body: dict[str, Any]) -> Row:
    values = {column: body[name] for name, column in COLUMNS.items() if name in body}
    values.update({name: value for name, value in body.items() if name.endswith("__c")})
    values.update(body.get("customFields") or {})
    parent = body.get("parentId") or body.get("parentAccountNumber")
    if parent:
        values["ParentId"] = tenant.account(parent)["Id"]
    return values


def _account_number(tenant: Tenant, wanted: str | None) -> str:
    if wanted is None:
        return tenant.number(tenant.switches.account_number_prefix)
    if not wanted:
        raise invalid("accountNumber must not be empty.")
    prefix = tenant.switches.account_number_prefix
    if prefix and wanted.startswith(prefix) and wanted[len(prefix) :].isdigit():
        raise invalid(f"accountNumber must not begin with the prefix of automatic numbers, '{prefix}'.")
    return wanted


def _with_payment(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    given = [name for name in PAYMENTS if body.get(name)]
    if any(name in given for name in ("paymentMethod", "creditCard")):
        raise rule("Payment methods are taken by id only: use hpmCreditCardPaymentMethodId or paymentMethodId.")
    if body.get("autoPay") and len(given) != 1:
        raise rule("autoPay needs exactly one payment method.")
    if not given:
        return row
    method = tenant.store.get("PaymentMethod", body[given[0]])
    if method is None:
        raise invalid(f"The payment method '{body[given[0]]}' does not exist.")
    if method.get("AccountId", row["Id"]) != row["Id"]:
        raise rule("The payment method belongs to another account.")
    tenant.update("PaymentMethod", method, AccountId=row["Id"])
    return tenant.update("Account", row, DefaultPaymentMethodId=method["Id"])


def update_account(tenant: Tenant, request: Request) -> Any:
    row = tenant.account(request.params["key"])
    body = check(request.json, "Account.update", v1_rules(tenant, "Account"))
    if "billCycleDay" in body:
        _check_cycle_day(body)
    values = _values(tenant, body)
    if body.get("defaultPaymentMethodId"):
        values["DefaultPaymentMethodId"] = _own_method(tenant, row, body["defaultPaymentMethodId"])
    if values.get("AutoPay") and not (row.get("DefaultPaymentMethodId") or values.get("DefaultPaymentMethodId")):
        raise rule("autoPay needs a default payment method.")
    for member, column in ROLES:
        if body.get(member):
            values[column] = _change_role(tenant, row, column, body[member])
    tenant.update("Account", row, **values)
    return {"success": True}


def _own_method(tenant: Tenant, row: Row, method_id: str) -> str:
    method = tenant.store.get("PaymentMethod", method_id)
    if method is None or method.get("AccountId") not in (None, row["Id"]):
        raise invalid(f"The payment method '{method_id}' is not one of the account's.")
    tenant.update("PaymentMethod", method, AccountId=row["Id"])
    return method_id


def _change_role(tenant: Tenant, row: Row, column: str, body: dict[str, Any]) -> str:
    """A sold-to contact shared with the bill-to one becomes its own when it is changed."""
    present = row.get(column)
    shared = column != "BillToId" and present == row["BillToId"]
    if present is None or shared:
        return str(new_contact(tenant, row["Id"], body)["Id"])
    change_contact(tenant, tenant.require("Contact", present), body)
    return str(present)


def delete_account(tenant: Tenant, request: Request) -> Any:
    """Zuora deletes in the background and answers with a job."""
    row = tenant.account(request.params["key"])
    if tenant.store.where("Subscription", "AccountId", row["Id"]):
        raise rule("The account owns subscriptions and cannot be deleted.")
    for table in ("Contact", "PaymentMethod", "Usage"):
        for other in tenant.store.where(table, "AccountId", row["Id"]):
            tenant.store.delete(table, other["Id"])
    tenant.store.delete("Account", row["Id"])
    job = tenant.store.put(
        "Job", tenant.created(Kind="operation", ObjectType="Account", Status="Completed", ObjectId=row["Id"])
    )
    return {"success": True, "id": row["Id"], "jobId": job["Id"], "jobStatus": "Pending"}


def read_job(tenant: Tenant, request: Request) -> Any:
    job = tenant.store.get("Job", request.params["id"])
    if job is None or job["Kind"] != "operation":
        raise not_found("job", request.params["id"])
    view = {"id": job["Id"], "operationType": "Delete", "objectType": job["ObjectType"], "objectId": job["ObjectId"]}
    return {**view, "jobStatus": job["Status"], "success": True}
