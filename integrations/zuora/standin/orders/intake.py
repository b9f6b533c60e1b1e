"""Taking an order: who it is for, whether it runs now, and what is answered.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_Order/
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from integrations.zuora.standin.accounts import new_account
from integrations.zuora.standin.billing.run import bill
from integrations.zuora.standin.crud import unique_keys, v1_rules
from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing, rule
from integrations.zuora.standin.fields import check
from integrations.zuora.standin.jobs import put_job
from integrations.zuora.standin.orders.run import run_order

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

SYNC_MAXIMUM = 50
ASYNC_MAXIMUM = 300
SUBSCRIPTION_LISTS_SINCE = 223.0
NOT_RUN = ("Draft", "Scheduled")


def checked_order(tenant: Tenant, request: Request, *, maximum: int = SYNC_MAXIMUM) -> dict[str, Any]:
    """The body of an order, checked against its shape and limits.

    Raises:
        Refusal: the tenant has no Orders, or the body is not an order.
    """
    if not tenant.switches.orders:
        raise Refusal(Kind.PERMISSION, "The Orders feature is not enabled in this tenant.")
    body = check(request.json, "Order.create", v1_rules(tenant, "Account"))
    check_limits(body, maximum)
    if bool(body.get("existingAccountNumber")) == bool(body.get("newAccount")):
        raise invalid("Exactly one of existingAccountNumber and newAccount must be given.")
    if body.get("status") == "Scheduled" and not (body.get("schedulingOptions") or {}).get("scheduledDate"):
        raise missing("schedulingOptions.scheduledDate")
    return body


def check_limits(body: dict[str, Any], maximum: int) -> None:
    """What a preview must keep too: how many subscriptions and actions, and a number without a slash.

    Raises:
        Refusal: one of them is broken.
    """
    entries = body.get("subscriptions") or []
    if len(entries) > maximum:
        raise rule(f"An order has at most {maximum} subscriptions.")
    if sum(len(entry["orderActions"]) for entry in entries) > maximum:
        raise rule(f"An order has at most {maximum} order actions.")
    if any(not entry["orderActions"] for entry in entries):
        raise missing("subscriptions.orderActions")
    if not entries and not body.get("orderLineItems"):
        raise missing("subscriptions")
    if "/" in body.get("orderNumber", ""):
        raise invalid("orderNumber must not contain a slash.")


def account_ids(tenant: Tenant, request: Request) -> list[str]:
    """The accounts an order writes to, so that two orders on one of them meet.

    Anything malformed is left to the check that follows.
    """
    body = request.any_json
    if not isinstance(body, dict):
        return []
    found = []
    account = tenant.store.find("Account", "AccountNumber", str(body.get("existingAccountNumber", "")))
    if account:
        found.append(account["Id"])
    entries = body.get("subscriptions")
    for entry in entries if isinstance(entries, list) else []:
        number = entry.get("subscriptionNumber") if isinstance(entry, dict) else None
        subscription = tenant.store.find("Subscription", "Latest", str(number)) if number else None
        if subscription:
            found.append(subscription["AccountId"])
    return found


def create_order(tenant: Tenant, request: Request) -> Any:
    order = take_order(tenant, checked_order(tenant, request))
    return order_answer(tenant, order, request.version, ids=request.flag("returnIds"))


def take_order(tenant: Tenant, body: dict[str, Any]) -> Row:
    """Store an order from a checked body and carry it out, unless it is a draft or scheduled."""
    account = _account(tenant, body)
    status = body.get("status", "Completed")
    order = tenant.created(
        OrderNumber=body.get("orderNumber") or tenant.number("O-"),
        OrderDate=body["orderDate"],
        AccountId=account["Id"],
        Status=status if status in NOT_RUN else "Completed",
        Category=body.get("category", "NewSales"),
        Description=body.get("description"),
        ReasonCode=body.get("reasonCode"),
        CustomFields=body.get("customFields"),
        ScheduledDate=(body.get("schedulingOptions") or {}).get("scheduledDate"),
        Entries=body.get("subscriptions") or [],
        ProcessingOptions=body.get("processingOptions"),
        Done=[],
    )
    with unique_keys():
        tenant.store.put("Order", order)
    if order["Status"] == "Scheduled":
        due = datetime.fromisoformat(order["ScheduledDate"]).replace(tzinfo=ZoneInfo(tenant.switches.time_zone))
        put_job(tenant, "scheduled", due=due, OrderId=order["Id"])
    return order if order["Status"] in NOT_RUN else carry_out(tenant, order)


def _account(tenant: Tenant, body: dict[str, Any]) -> Row:
    number = body.get("existingAccountNumber")
    if not number:
        return new_account(tenant, body["newAccount"])
    account = tenant.store.find("Account", "AccountNumber", number)
    if account is None:
        raise invalid(f"The account number '{number}' is invalid.")
    if account["Status"] != "Active":
        raise rule(f"The account '{number}' is not active.")
    return account


def carry_out(tenant: Tenant, order: Row) -> Row:
    working = dict(order)
    done = run_order(tenant, working, order["Entries"])
    pending = any(one["Status"].startswith("Pending") for one in done)
    status = "Pending" if pending else "Completed"
    order = tenant.update("Order", order, Done=done, Status=status, Currency=working.get("Currency"))
    order = _bill(tenant, order)
    tenant.events.append(("Order Processed", "Order", order))
    return order


def _bill(tenant: Tenant, order: Row) -> Row:
    """Bill with the order where asked for; a payment that fails takes everything with it."""
    options = order.get("ProcessingOptions") or {}
    if not options.get("runBilling"):
        return order
    target = (options.get("billingOptions") or {}).get("targetDate")
    day = date.fromisoformat(target) if target else tenant.today()
    draft = bool((options.get("billingOptions") or {}).get("generateDraftInvoice"))
    invoices = bill(tenant, target=day, account_id=order["AccountId"], post=not draft, source="API")
    changes: Row = {"InvoiceIds": [one["Id"] for one in invoices]}
    if options.get("collectPayment"):
        changes.update(_collect(tenant, order, invoices))
    return tenant.update("Order", order, **changes)


def _collect(tenant: Tenant, order: Row, invoices: list[Row]) -> Row:
    account = tenant.require("Account", order["AccountId"])
    if not account.get("DefaultPaymentMethodId"):
        raise rule("The account has no default payment method.")
    if tenant.switches.payments == "decline":
        raise Refusal(Kind.INTEGRATION, "The payment was declined by the gateway.")
    paid = sum((invoice["Amount"] for invoice in invoices), Decimal(0))
    for invoice in invoices:
        tenant.update("Invoice", invoice, Balance=Decimal(0))
    return {"PaymentNumber": tenant.number("P-"), "PaidAmount": paid}


def order_answer(tenant: Tenant, order: Row, version: float, *, ids: bool = False) -> dict[str, Any]:
    """The answer to a create: `subscriptions` since 223.0, `subscriptionNumbers` before."""
    account = tenant.require("Account", order["AccountId"])
    answer: dict[str, Any] = {
        "success": True,
        "orderNumber": order["OrderNumber"],
        "accountNumber": account["AccountNumber"],
    }
    answer["status"] = order["Status"]
    lists = [
        {
            "subscriptionNumber": one["SubscriptionNumber"],
            "status": one["Status"],
            **({"subscriptionId": one["SubscriptionId"], "subscriptionOwnerId": one["OwnerId"]} if ids else {}),
        }
        for one in order["Done"]
    ]
    numbers = [one["SubscriptionNumber"] for one in order["Done"]]
    wanted = tenant.switches.order_subscriptions
    if wanted == "by version":
        wanted = "subscriptions" if version >= SUBSCRIPTION_LISTS_SINCE else "subscriptionNumbers"
    answer[wanted] = lists if wanted == "subscriptions" else numbers
    if order.get("InvoiceIds"):
        invoices = [tenant.require("Invoice", one) for one in order["InvoiceIds"]]
        answer["invoiceNumbers"] = [one["InvoiceNumber"] for one in invoices]
    if order.get("PaymentNumber"):
        answer.update(paymentNumber=order["PaymentNumber"], paidAmount=f"{order['PaidAmount']}")
    if ids:
        answer.update(
            orderId=order["Id"],
            accountId=account["Id"],
            subscriptionIds=[one["SubscriptionId"] for one in order["Done"]],
        )
    return answer
