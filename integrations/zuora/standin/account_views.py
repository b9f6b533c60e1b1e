"""How an account is read back: nested, not flat.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_Account/ and .../GET_AccountSummary/
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.contacts import contact_view

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request


def _custom(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.endswith("__c")}


def basic_info(row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "name": row["Name"],
        "accountNumber": row["AccountNumber"],
        "notes": row.get("Notes"),
        "status": row["Status"],
        "crmId": row.get("CrmId"),
        "batch": row["Batch"],
        "invoiceTemplateId": row.get("InvoiceTemplateId"),
        "communicationProfileId": row.get("CommunicationProfileId"),
        "profileNumber": None,
        "purchaseOrderNumber": row.get("PurchaseOrderNumber"),
        "salesRep": row.get("SalesRepName"),
        "parentId": row.get("ParentId"),
        "sequenceSetId": row.get("SequenceSetId"),
        "partnerAccount": bool(row.get("PartnerAccount")),
        **_custom(row),
    }


def balance(tenant: Tenant, row: Row) -> Decimal:
    """What the account's posted invoices leave to pay."""
    invoices = tenant.store.where("Invoice", "AccountId", row["Id"])
    return sum((Decimal(one["Balance"]) for one in invoices if one["Status"] == "Posted"), Decimal(0))


def metrics(tenant: Tenant, row: Row) -> dict[str, Any]:
    owed = balance(tenant, row)
    return {
        "balance": owed,
        "currency": row["Currency"],
        "totalInvoiceBalance": owed,
        "creditBalance": 0,
        "contractedMrr": 0,
        "totalDebitMemoBalance": 0,
        "unappliedCreditMemoAmount": 0,
        "unappliedPaymentAmount": 0,
    }


def billing_and_payment(row: Row) -> dict[str, Any]:
    return {
        "billCycleDay": row.get("BillCycleDay", 0),
        "bcdSettingOption": "AutoSet" if not row.get("BillCycleDay") else "ManualSet",
        "currency": row["Currency"],
        "paymentTerm": row["PaymentTerm"],
        "paymentGateway": row.get("PaymentGateway"),
        "defaultPaymentMethodId": row.get("DefaultPaymentMethodId"),
        "invoiceDeliveryPrefsPrint": bool(row.get("InvoiceDeliveryPrefsPrint")),
        "invoiceDeliveryPrefsEmail": bool(row.get("InvoiceDeliveryPrefsEmail")),
        "additionalEmailAddresses": row.get("AdditionalEmailAddresses", []),
        "autoPay": row["AutoPay"],
    }


def read_account(tenant: Tenant, request: Request) -> Any:
    row = tenant.account(request.params["key"])
    return {
        "basicInfo": basic_info(row),
        "billingAndPayment": billing_and_payment(row),
        "metrics": metrics(tenant, row),
        "billToContact": contact_view(tenant.store.get("Contact", row["BillToId"])),
        "soldToContact": contact_view(tenant.store.get("Contact", row["SoldToId"])),
        "shipToContact": contact_view(tenant.store.get("Contact", row.get("ShipToId", ""))),
        "taxInfo": row.get("TaxInfo"),
        "success": True,
    }


def read_summary(tenant: Tenant, request: Request) -> Any:
    row = tenant.account(request.params["key"])
    latest = [one for one in tenant.store.where("Subscription", "AccountId", row["Id"]) if one["IsLatestVersion"]]
    invoices = tenant.store.where("Invoice", "AccountId", row["Id"])
    basic = {"id": row["Id"], "name": row["Name"], "accountNumber": row["AccountNumber"], "status": row["Status"]}
    return {
        "basicInfo": {
            **basic,
            "batch": row["Batch"],
            "billCycleDay": row.get("BillCycleDay", 0),
            "currency": row["Currency"],
            "balance": f"{balance(tenant, row)}",
            "defaultPaymentMethod": None,
            **_custom(row),
        },
        "billToContact": contact_view(tenant.store.get("Contact", row["BillToId"])),
        "soldToContact": contact_view(tenant.store.get("Contact", row["SoldToId"])),
        "subscriptions": [
            {
                "id": one["Id"],
                "subscriptionNumber": one["Name"],
                "status": one["Status"],
                "termType": one["TermType"],
                "termStartDate": one["TermStartDate"],
                "termEndDate": one.get("TermEndDate"),
                "autoRenew": one["AutoRenew"],
                "ratePlans": [
                    {"productName": plan["ProductName"], "ratePlanName": plan["Name"]} for plan in one["RatePlans"]
                ],
            }
            for one in latest
        ],
        "invoices": [
            {
                "id": one["Id"],
                "invoiceNumber": one["InvoiceNumber"],
                "invoiceDate": one["InvoiceDate"],
                "dueDate": one["DueDate"],
                "amount": one["Amount"],
                "balance": one["Balance"],
                "status": one["Status"],
            }
            for one in invoices
        ],
        "usage": [],
        "payments": [],
        "success": True,
    }
