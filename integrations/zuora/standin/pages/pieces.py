"""What several pages show: addresses, rows of subscriptions and invoices, usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from integrations.zuora.standin.pages.html import Markup, badge, link, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from integrations.zuora.standin.store import Row

SHOWN = 200
INVOICE_PREFIX = "/platform/apps/com_zuora/invoice/"


def address_of(kind: str, row: Row) -> str:
    if kind == "invoice":
        return f"{INVOICE_PREFIX}{row['Id']}"
    page_name = {"product": "Product", "account": "CustomerAccount", "subscription": "Subscription"}[kind]
    return f"/apps/{page_name}.do?method=view&id={quote(row['Id'])}"


def custom_fields(row: Row) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name.endswith("__c")]


def latest(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["IsLatestVersion"]]


SUBSCRIPTION_HEADINGS = ["Number", "Version", "Status", "Term", "Until"]
INVOICE_HEADINGS = ["Number", "Date", "Target date", "Amount", "Status"]


def subscription_row(row: Row) -> tuple[Any, ...]:
    number = link(address_of("subscription", row), row["Name"])
    return number, row["Version"], badge(row["Status"]), row["TermType"], row.get("SubscriptionEndDate")


def invoice_row(row: Row) -> tuple[Any, ...]:
    number = link(address_of("invoice", row), row["InvoiceNumber"])
    return number, row["InvoiceDate"], row["TargetDate"], f"{row['Amount']} {row['Currency']}", badge(row["Status"])


def usage_table(records: list[Row]) -> Markup:
    rows = [
        (
            one["StartDateTime"],
            one["Quantity"],
            one["UOM"],
            one.get("ChargeNumber"),
            one.get("Description"),
            badge(one["RbeStatus"]),
        )
        for one in records[-SHOWN:]
    ]
    headings = ["Start", "Quantity", "Unit", "Charge", "Description", "Status"]
    return table(headings, rows, caption=f"Usage ({len(records)} records)", empty="No usage.")
