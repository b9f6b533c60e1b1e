"""The pages of a subscription and of an invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrations.zuora.standin.pages.html import badge, facts, link, page, table, text
from integrations.zuora.standin.pages.pieces import (
    SUBSCRIPTION_HEADINGS,
    address_of,
    custom_fields,
    subscription_row,
    usage_table,
)

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant


def subscription_page(tenant: Tenant, row: Row) -> bytes:
    owner = tenant.require("Account", row["AccountId"])
    charges = [
        (
            plan["Name"],
            charge["Name"],
            charge["ChargeNumber"],
            charge["Segment"],
            charge.get("Quantity"),
            _price(charge),
            _days(charge),
        )
        for plan in row["RatePlans"]
        for charge in plan["Charges"]
    ]
    versions = tenant.store.where("Subscription", "Name", row["Name"])
    items = [
        (one["ServiceStartDate"], one["ServiceEndDate"], one["ChargeName"], one["Quantity"], one["ChargeAmount"])
        for number in dict.fromkeys(charge[2] for charge in charges)
        for one in tenant.store.where("InvoiceItem", "ChargeNumber", number)
    ]
    headings = ["Rate plan", "Charge", "Number", "Segment", "Quantity", "Price", "Effective"]
    return page(
        row["Name"],
        f"Subscription, version {row['Version']}",
        facts(
            [
                ("Status", badge(row["Status"])),
                ("Account", link(address_of("account", owner), f"{owner['AccountNumber']} {owner['Name']}")),
                ("Term", f"{row['TermType']} from {row['TermStartDate']}"),
                ("Ends", row.get("SubscriptionEndDate") or "open"),
                ("Renews by itself", row["AutoRenew"]),
                ("Currency", row["Currency"]),
                ("Order", row["OrderNumber"]),
                *custom_fields(row),
                ("Id", row["Id"]),
            ]
        ),
        table(headings, charges, caption="Charges", empty="No charges."),
        table(
            SUBSCRIPTION_HEADINGS, map(subscription_row, reversed(versions)), caption="Versions", empty="No versions."
        ),
        table(
            ["From", "Through", "Charge", "Quantity", "Amount"],
            items,
            caption="Invoiced",
            empty="Nothing invoiced yet.",
        ),
        usage_table(tenant.store.where("Usage", "SubscriptionNumber", row["Name"])),
    )


def _price(charge: Row) -> str:
    if "DiscountPercentage" in charge:
        return f"-{charge['DiscountPercentage']} %"
    if "DiscountAmount" in charge:
        return f"-{charge['DiscountAmount']}"
    return "; ".join(_tier_price(tier) for tier in charge["Tiers"])


def _tier_price(tier: Row) -> str:
    if "StartingUnit" not in tier:
        return f"{tier['Price']}"
    return f"{tier['StartingUnit']}-{tier.get('EndingUnit', '')}: {tier['Price']} {tier['PriceFormat'].lower()}"


def _days(charge: Row) -> str:
    if "EffectiveStartDate" not in charge:
        return "waits for its trigger date"
    return f"{charge['EffectiveStartDate']} to {charge.get('EffectiveEndDate') or 'open'}"


def invoice_page(tenant: Tenant, row: Row) -> bytes:
    owner = tenant.require("Account", row["AccountId"])
    items = [
        (
            one["SubscriptionNumber"],
            one["ChargeName"],
            one["ServiceStartDate"],
            one["ServiceEndDate"],
            one["Quantity"],
            one.get("UOM"),
            one["ChargeAmount"],
        )
        for one in tenant.store.where("InvoiceItem", "InvoiceId", row["Id"])
    ]
    headings = ["Subscription", "Charge", "From", "Through", "Quantity", "Unit", "Amount"]
    return page(
        row["InvoiceNumber"],
        "Invoice",
        facts(
            [
                ("Account", link(address_of("account", owner), f"{owner['AccountNumber']} {owner['Name']}")),
                ("Status", badge(row["Status"])),
                ("Amount", text(f"{row['Amount']} {row['Currency']}")),
                ("Balance", row["Balance"]),
                ("Invoice date", row["InvoiceDate"]),
                ("Due", row["DueDate"]),
                ("Target date", row["TargetDate"]),
            ]
        ),
        table(headings, items, caption="Lines", empty="No lines."),
    )
