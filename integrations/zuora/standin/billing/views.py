"""Invoices and bill runs over HTTP.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_Invoice/ and .../POST_CreateBillRun/
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.billing.run import bill, due_lines, withdraw
from integrations.zuora.standin.dates import read
from integrations.zuora.standin.errors import invalid, missing, not_found, rule
from integrations.zuora.standin.fields import DATE
from integrations.zuora.standin.jobs import WORKS, put_job
from integrations.zuora.standin.paging import page_of

if TYPE_CHECKING:
    from decimal import Decimal

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request


def day_in(body: dict[str, Any], name: str) -> date:
    """A date of a body.

    Raises:
        Refusal: it is missing or is none.
    """
    text = body.get(name)
    if text is None:
        raise missing(name)
    try:
        if isinstance(text, str) and DATE.match(text):
            return read(text)
    except ValueError:
        pass
    raise invalid(f"The value of {name} is not a date in the form yyyy-mm-dd: '{str(text)[:40]}'.")


def create_bill_run(tenant: Tenant, request: Request) -> Any:
    body = request.json
    target = day_in(body, "targetDate")
    invoice_day = day_in(body, "invoiceDate") if body.get("invoiceDate") else tenant.today()
    filters = body.get("billRunFilters") or []
    account = None
    if isinstance(filters, list) and filters and isinstance(filters[0], dict) and filters[0].get("accountId"):
        account = tenant.require("Account", str(filters[0]["accountId"]))["Id"]
    row = tenant.created(
        BillRunNumber=tenant.number("BR-"),
        Status="Pending",
        TargetDate=target.isoformat(),
        InvoiceDate=invoice_day.isoformat(),
        AutoPost=bool(body.get("autoPost")),
        AccountId=account,
        ChargeTypeToExclude=body.get("chargeTypeToExclude") or [],
    )
    tenant.store.put("BillRun", row)
    put_job(tenant, "billRun", BillRunId=row["Id"])
    return bill_run_view(row)


def _work(tenant: Tenant, job: Row) -> dict[str, Any]:
    row = tenant.require("BillRun", job["BillRunId"])
    if row["Status"] != "Pending":
        return {}
    invoices = bill(
        tenant,
        target=read(row["TargetDate"]),
        invoice_date=read(row["InvoiceDate"]),
        account_id=row.get("AccountId"),
        post=row["AutoPost"],
        exclude=frozenset(row["ChargeTypeToExclude"]),
    )
    status = "Posted" if row["AutoPost"] else "Completed"
    tenant.update("BillRun", row, Status=status, InvoiceIds=[one["Id"] for one in invoices])
    return {}


WORKS["billRun"] = _work


def bill_run_view(row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "billRunNumber": row["BillRunNumber"],
        "name": row["BillRunNumber"],
        "status": row["Status"],
        "targetDate": row["TargetDate"],
        "invoiceDate": row["InvoiceDate"],
        "autoPost": row["AutoPost"],
        "autoEmail": False,
        "autoRenewal": False,
        "createdById": row["CreatedById"],
        "createdDate": row["CreatedDate"][:19].replace("T", " "),
        "updatedById": row["UpdatedById"],
        "updatedDate": row["UpdatedDate"][:19].replace("T", " "),
        "success": True,
    }


def read_bill_run(tenant: Tenant, request: Request) -> Any:
    return bill_run_view(tenant.require("BillRun", request.params["id"]))


def post_bill_run(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("BillRun", request.params["id"])
    if row["Status"] != "Completed":
        raise rule(f"A bill run that is {row['Status']} cannot be posted.")
    for invoice_id in row["InvoiceIds"]:
        post(tenant, tenant.require("Invoice", invoice_id))
    return bill_run_view(tenant.update("BillRun", row, Status="Posted"))


def cancel_bill_run(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("BillRun", request.params["id"])
    if row["Status"] == "Posted":
        raise rule("A posted bill run cannot be cancelled.")
    for invoice_id in row.get("InvoiceIds", []):
        withdraw(tenant, tenant.require("Invoice", invoice_id))
    return bill_run_view(tenant.update("BillRun", row, Status="Canceled", InvoiceIds=[]))


def delete_bill_run(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("BillRun", request.params["id"])
    if row["Status"] not in ("Canceled", "Error"):
        raise rule("Only a cancelled bill run can be deleted.")
    tenant.store.delete("BillRun", row["Id"])
    return {"success": True, "id": row["Id"]}


def post(tenant: Tenant, invoice: Row) -> Row:
    """Make a draft count.

    Raises:
        Refusal: it is posted already.
    """
    if invoice["Status"] != "Draft":
        raise rule(f"Invoice {invoice['InvoiceNumber']} is {invoice['Status']} and cannot be posted.")
    invoice = tenant.update("Invoice", invoice, Status="Posted", PostedDate=tenant.today().isoformat())
    tenant.events.append(("Invoice Posted", "Invoice", invoice))
    return invoice


def find_invoice(tenant: Tenant, key: str) -> Row:
    row = tenant.store.get("Invoice", key) or tenant.store.find("Invoice", "InvoiceNumber", key)
    if row is None:
        raise not_found("invoice", key)
    return row


def read_invoice(tenant: Tenant, request: Request) -> Any:
    row = find_invoice(tenant, request.params["key"])
    return {
        "id": row["Id"],
        "invoiceNumber": row["InvoiceNumber"],
        "accountId": row["AccountId"],
        "amount": row["Amount"],
        "amountWithoutTax": row["AmountWithoutTax"],
        "taxAmount": row["TaxAmount"],
        "balance": row["Balance"],
        "discount": 0,
        "currency": row["Currency"],
        "invoiceDate": row["InvoiceDate"],
        "dueDate": row["DueDate"],
        "targetDate": row["TargetDate"],
        "postedDate": row.get("PostedDate"),
        "status": row["Status"],
        "source": row["Source"],
        "sourceType": "Subscription",
        "createdById": row["CreatedById"],
        "createdDate": row["CreatedDate"][:19].replace("T", " "),
        "updatedById": row["UpdatedById"],
        "updatedDate": row["UpdatedDate"][:19].replace("T", " "),
        "success": True,
    }


def read_items(tenant: Tenant, request: Request) -> Any:
    invoice = find_invoice(tenant, request.params["key"])
    shown, following = page_of(tenant.store.where("InvoiceItem", "InvoiceId", invoice["Id"]), request)
    answer: dict[str, Any] = {"invoiceItems": [item_view(one) for one in shown], "success": True}
    if following:
        answer["nextPage"] = following
    return answer


def item_view(row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "subscriptionId": row["SubscriptionId"],
        "subscriptionName": row["SubscriptionNumber"],
        "chargeId": row["RatePlanChargeId"],
        "productRatePlanChargeId": row["ProductRatePlanChargeId"],
        "chargeName": row["ChargeName"],
        "chargeType": row["ChargeType"],
        "chargeAmount": f"{row['ChargeAmount']}",
        "taxAmount": "0",
        "productName": row["ProductName"],
        "sku": row["SKU"],
        "quantity": row["Quantity"],
        "unitPrice": row.get("UnitPrice"),
        "unitOfMeasure": row.get("UOM"),
        "serviceStartDate": row["ServiceStartDate"],
        "serviceEndDate": row["ServiceEndDate"],
        "processingType": row["ProcessingType"],
    }


def post_invoice(tenant: Tenant, request: Request) -> Any:
    row = post(tenant, find_invoice(tenant, request.params["key"]))
    return {"success": True, "id": row["Id"], "status": "Completed"}


def delete_invoice(tenant: Tenant, request: Request) -> Any:
    row = find_invoice(tenant, request.params["key"])
    if row["Status"] != "Draft":
        raise rule("Only a draft invoice can be deleted.")
    withdraw(tenant, row)
    values = {"Kind": "operation", "ObjectType": "Invoice", "Status": "Completed", "ObjectId": row["Id"]}
    job = tenant.store.put("Job", tenant.created(**values))
    return {"success": True, "id": row["Id"], "jobId": job["Id"], "jobStatus": "Pending"}


def collect(tenant: Tenant, request: Request) -> Any:
    """Bill one account now and post what comes of it; payments are not part of the stand-in."""
    body = request.json
    account = tenant.account(str(body.get("accountKey") or body.get("accountId") or ""))
    target = day_in(body, "invoiceTargetDate") if body.get("invoiceTargetDate") else tenant.today()
    invoices = bill(tenant, target=target, account_id=account["Id"], source="API")
    shown = [
        {"invoiceId": one["Id"], "invoiceNumber": one["InvoiceNumber"], "invoiceAmount": f"{one['Amount']}"}
        for one in invoices
    ]
    return {"success": True, "amountCollected": "0", "invoices": shown}


def preview_account(tenant: Tenant, request: Request) -> Any:
    """What a bill run would invoice for one account, without doing it."""
    body = request.json
    key = body.get("accountNumber") or body.get("accountId") or body.get("accountKey")
    if not key:
        raise missing("accountNumber")
    account = tenant.account(str(key))
    target = day_in(body, "targetDate")
    items = []
    for subscription in tenant.store.where("Subscription", "AccountId", account["Id"]):
        if subscription["IsLatestVersion"]:
            items += [
                preview_item(line, amount, quantity)
                for line, amount, quantity in due_lines(tenant, subscription, target)
            ]
    return {"accountId": account["Id"], "invoiceItems": items, "creditMemoItems": [], "success": True}


def preview_item(line: Any, amount: Decimal, quantity: Decimal) -> dict[str, Any]:
    charge = line.charge
    return {
        "chargeAmount": f"{amount}",
        "chargeName": charge["Name"],
        "chargeNumber": charge["ChargeNumber"],
        "chargeType": charge["ChargeType"],
        "chargeId": charge["Id"],
        "processingType": "Discount" if line.applied_to else "Charge",
        "productName": line.plan["ProductName"],
        "quantity": f"{quantity}",
        "serviceStartDate": line.start.isoformat(),
        "serviceEndDate": date.fromordinal(line.end.toordinal() - 1).isoformat(),
        "subscriptionId": line.subscription["Id"],
        "subscriptionName": line.subscription["Name"],
        "subscriptionNumber": line.subscription["Name"],
        "taxAmount": "0",
        "unitOfMeasure": charge.get("UOM", ""),
    }
