"""The bill run: invoices for what is owed and not yet invoiced.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_CreateBillRun/
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.billing.lines import Invoiced, Line, charge_numbers, lines
from integrations.zuora.standin.billing.rating import ZERO

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant


def bill(
    tenant: Tenant,
    *,
    target: date,
    invoice_date: date | None = None,
    account_id: str | None = None,
    post: bool = True,
    exclude: frozenset[str] = frozenset(),
    source: str = "BillRun",
) -> list[Row]:
    """Bill every account, or one, through the target date; the invoices that came of it.

    Args:
        tenant: whose subscriptions.
        target: lines due by this day are billed.
        invoice_date: today if not given.
        account_id: the invoice owner to bill; all of them if not given.
        post: posted invoices count into the balance; drafts do not yet.
        exclude: charge types to leave out.
        source: what the invoice says it came from.
    """
    made = []
    for (payer_id, currency, _), due in _by_invoice(tenant, target, account_id, exclude).items():
        payer = tenant.require("Account", payer_id)
        day = invoice_date or tenant.today()
        made.append(_invoice(tenant, payer, currency, due, target=target, day=day, post=post, source=source))
    return made


def _by_invoice(
    tenant: Tenant, target: date, account_id: str | None, exclude: frozenset[str]
) -> dict[tuple[str, str, str], list[tuple[Line, Decimal, Decimal]]]:
    """Line, amount and quantity still to be billed, by payer, currency and, where asked for, subscription."""
    found: dict[tuple[str, str, str], list[tuple[Line, Decimal, Decimal]]] = {}
    for subscription in list(tenant.store.all("Subscription")):
        if not subscription["IsLatestVersion"]:
            continue
        payer = subscription["InvoiceOwnerId"]
        if account_id is not None and payer != account_id:
            continue
        due = [one for one in due_lines(tenant, subscription, target) if one[0].charge["ChargeType"] not in exclude]
        if due:
            separate = subscription["Name"] if subscription["InvoiceSeparately"] else ""
            found.setdefault((payer, subscription["Currency"], separate), []).extend(due)
    return found


def due_lines(tenant: Tenant, subscription: Row, target: date) -> list[tuple[Line, Decimal, Decimal]]:
    """What is owed through the target less what is invoiced, key by key."""
    invoiced = _invoiced(tenant, subscription)
    due = []
    for line in lines(tenant, subscription, target, invoiced):
        former = invoiced.pop(line.key, None)
        amount = line.amount - (former[0] if former else ZERO)
        quantity = line.quantity - (former[1] if former else ZERO)
        if former is None or amount or (quantity and line.usage_ids):
            due.append((line, amount, quantity))
    for item, amount, quantity in _no_longer_owed(invoiced, target):
        due.append((_reversal(subscription, item), -amount, -quantity))
    return due


def _invoiced(tenant: Tenant, subscription: Row) -> Invoiced:
    """Sum of amounts and quantities by line key, with an item of each."""
    sums: Invoiced = {}
    for number in sorted(charge_numbers(subscription)):
        for item in tenant.store.where("InvoiceItem", "ChargeNumber", number):
            amount, quantity, _ = sums.get(item["LineKey"], (ZERO, ZERO, item))
            sums[item["LineKey"]] = (amount + Decimal(item["ChargeAmount"]), quantity + Decimal(item["Quantity"]), item)
    return sums


def _no_longer_owed(invoiced: Invoiced, target: date) -> list[tuple[Row, Decimal, Decimal]]:
    """Invoiced lines that a change has taken away; those after an earlier target are simply not asked for yet.

    Usage that is billed stays billed, whatever becomes of the subscription.
    """
    limit = target.isoformat()
    gone = []
    for amount, quantity, item in invoiced.values():
        of_usage = item.get("Usage") or item.get("AppliedTo", "").endswith("|usage")
        if (amount or quantity) and item["DueFrom"] <= limit and not of_usage:
            gone.append((item, amount, quantity))
    return gone


def _reversal(subscription: Row, item: Row) -> Line:
    plan = next(
        p for p in subscription["RatePlans"] if any(c["ChargeNumber"] == item["ChargeNumber"] for c in p["Charges"])
    )
    charge = next(c for c in plan["Charges"] if c["ChargeNumber"] == item["ChargeNumber"])
    start, end = date.fromisoformat(item["ServiceStartDate"]), date.fromisoformat(item["ServiceEndBefore"])
    applied = item.get("AppliedTo", "")
    return Line(item["LineKey"], subscription, plan, charge, start, end, ZERO, ZERO, applied_to=applied)


def _invoice(
    tenant: Tenant,
    payer: Row,
    currency: str,
    due: list[tuple[Line, Decimal, Decimal]],
    *,
    target: date,
    day: date,
    post: bool,
    source: str,
) -> Row:
    total = sum((amount for _, amount, _ in due), ZERO)
    invoice = tenant.created(
        InvoiceNumber=tenant.number("INV"),
        AccountId=payer["Id"],
        Amount=total,
        Balance=total,
        AmountWithoutTax=total,
        TaxAmount=0,
        Currency=currency,
        InvoiceDate=day.isoformat(),
        DueDate=(day + timedelta(days=_net_days(payer["PaymentTerm"]))).isoformat(),
        TargetDate=target.isoformat(),
        Status="Posted" if post else "Draft",
        PostedDate=day.isoformat() if post else None,
        Source=source,
    )
    tenant.store.put("Invoice", invoice)
    for line, amount, quantity in due:
        tenant.store.put("InvoiceItem", tenant.created(**_item(invoice, line, amount, quantity)))
        for usage_id in line.usage_ids:
            record = tenant.require("Usage", usage_id)
            if record["RbeStatus"] != "Processed":
                tenant.store.change("Usage", record, RbeStatus="Processed", InvoiceId=invoice["Id"])
    if post:
        tenant.events.append(("Invoice Posted", "Invoice", invoice))
    return invoice


def _net_days(term: str) -> int:
    digits = "".join(letter for letter in term if letter.isdigit())
    return int(digits) if digits and len(digits) < 4 else 0  # noqa: PLR2004 - "Net 30"


def _item(invoice: Row, line: Line, amount: Decimal, quantity: Decimal) -> dict[str, Any]:
    charge = line.charge
    tiers = charge["Tiers"]
    arrears = charge["ChargeType"] == "Usage" or charge.get("BillingTiming") == "In Arrears"
    return {
        "InvoiceId": invoice["Id"],
        "SubscriptionId": line.subscription["Id"],
        "SubscriptionNumber": line.subscription["Name"],
        "RatePlanChargeId": charge["Id"],
        "ProductRatePlanChargeId": charge["ProductRatePlanChargeId"],
        "ChargeNumber": charge["ChargeNumber"],
        "ChargeName": charge["Name"],
        "ChargeType": charge["ChargeType"],
        "ProductName": line.plan["ProductName"],
        "SKU": line.plan["ProductSku"],
        "UOM": charge.get("UOM"),
        "Quantity": quantity,
        "UnitPrice": tiers[0]["Price"] if len(tiers) == 1 else None,
        "ChargeAmount": amount,
        "TaxAmount": 0,
        "ServiceStartDate": line.start.isoformat(),
        "ServiceEndDate": (line.end - timedelta(days=1)).isoformat(),
        "ServiceEndBefore": line.end.isoformat(),
        "DueFrom": (line.end if arrears else line.start).isoformat(),
        "LineKey": line.key,
        "AppliedTo": line.applied_to or None,
        "Usage": True if line.usage_ids else None,
        "ProcessingType": "Discount" if line.applied_to else "Charge",
    }


def withdraw(tenant: Tenant, invoice: Row) -> None:
    """Delete a draft: its usage is free again."""
    for item in tenant.store.where("InvoiceItem", "InvoiceId", invoice["Id"]):
        tenant.store.delete("InvoiceItem", item["Id"])
    for record in tenant.store.where("Usage", "AccountId", invoice["AccountId"]):
        if record.get("InvoiceId") == invoice["Id"]:
            tenant.store.change("Usage", record, RbeStatus="Pending", InvoiceId=None)
    tenant.store.delete("Invoice", invoice["Id"])
