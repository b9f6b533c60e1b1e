"""The pages: home, product, account, subscription, invoice, at the paths that Zuora's own UI has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from integrations.zuora.standin.account_views import balance
from integrations.zuora.standin.catalog_views import plan_status
from integrations.zuora.standin.charges import tiers_of
from integrations.zuora.standin.pages.html import Markup, badge, facts, link, page, table, text
from integrations.zuora.standin.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

SHOWN = 200
INVOICE_PREFIX = "/platform/apps/com_zuora/invoice/"
HOMES = ("", "/platform/webapp", "/platform/apps/com_zuora")


def is_page(path: str) -> bool:
    return path in ("/", "/favicon.ico") or path.startswith(("/apps/", "/platform/"))


def show(tenant: Tenant, request: Request) -> Answer:
    """A page, or a page that says what was not found."""
    path = request.path.rstrip("/")
    with tenant.mutex:
        if path in HOMES or path.removeprefix("/platform/apps/com_zuora/") in LISTS:
            return _html(_home(tenant))
        shown = _object(tenant, path, request.parameter("id"))
    if shown is None:
        return _html(page("Not found", "Error", "<p>There is no such page or object.</p>"), status=404)
    return _html(shown)


def _html(body: bytes, status: int = 200) -> Answer:
    headers = [
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("Cache-Control", "no-store"),
    ]
    return Answer(status=status, body=body, headers=headers, content_type="text/html; charset=utf-8")


def _object(tenant: Tenant, path: str, row_id: str) -> bytes | None:
    if path.startswith(INVOICE_PREFIX):
        path, row_id = INVOICE_PREFIX, path.removeprefix(INVOICE_PREFIX)
    found = OBJECT_PAGES.get(path)
    if found is None:
        return None
    name, view = found
    row = tenant.store.get(name, row_id)
    return None if row is None else view(tenant, row)


def _address(kind: str, row: Row) -> str:
    if kind == "invoice":
        return f"{INVOICE_PREFIX}{row['Id']}"
    page_name = {"product": "Product", "account": "CustomerAccount", "subscription": "Subscription"}[kind]
    return f"/apps/{page_name}.do?method=view&id={quote(row['Id'])}"


def _custom(row: Row) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name.endswith("__c")]


def _latest(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["IsLatestVersion"]]


def _home(tenant: Tenant) -> bytes:
    store = tenant.store
    products = [
        (link(_address("product", row), row["Name"]), row["SKU"], row["EffectiveEndDate"])
        for row in list(store.all("Product"))[-SHOWN:]
    ]
    accounts = [
        (link(_address("account", row), row["AccountNumber"]), row["Name"], row["Currency"])
        for row in list(store.all("Account"))[-SHOWN:]
    ]
    subscriptions = [_subscription_row(row) for row in _latest(list(store.all("Subscription"))[-SHOWN * 5 :])[-SHOWN:]]
    invoices = [_invoice_row(row) for row in list(store.all("Invoice"))[-SHOWN:]]
    return page(
        "Tenant",
        "Home",
        facts([(name, store.count(name)) for name in ("Product", "Account", "Subscription", "Usage", "Invoice")]),
        table(["Name", "SKU", "Effective until"], products, caption="Products", empty="No products yet."),
        table(["Number", "Name", "Currency"], accounts, caption="Accounts", empty="No accounts yet."),
        table(SUBSCRIPTION_HEADINGS, subscriptions, caption="Subscriptions", empty="No subscriptions yet."),
        table(INVOICE_HEADINGS, invoices, caption="Invoices", empty="No invoices yet."),
    )


SUBSCRIPTION_HEADINGS = ["Number", "Version", "Status", "Term", "Until"]
INVOICE_HEADINGS = ["Number", "Date", "Target date", "Amount", "Status"]


def _subscription_row(row: Row) -> tuple[Any, ...]:
    number = link(_address("subscription", row), row["Name"])
    return number, row["Version"], badge(row["Status"]), row["TermType"], row.get("SubscriptionEndDate")


def _invoice_row(row: Row) -> tuple[Any, ...]:
    number = link(_address("invoice", row), row["InvoiceNumber"])
    return number, row["InvoiceDate"], row["TargetDate"], f"{row['Amount']} {row['Currency']}", badge(row["Status"])


def _product(tenant: Tenant, row: Row) -> bytes:
    parts: list[str] = [
        facts(
            [
                ("SKU", row["SKU"]),
                ("Product number", row["ProductNumber"]),
                ("Category", row.get("Category")),
                ("Effective", f"{row['EffectiveStartDate']} to {row['EffectiveEndDate']}"),
                ("Description", row.get("Description")),
                *_custom(row),
                ("Id", row["Id"]),
            ]
        )
    ]
    parts += [_plan(tenant, plan) for plan in tenant.store.where("ProductRatePlan", "ProductId", row["Id"])]
    return page(row["Name"], "Product", *parts)


def _plan(tenant: Tenant, plan: Row) -> Markup:
    rows = [
        (charge["Name"], charge["ChargeModel"], charge["ChargeType"], charge.get("UOM"), *_tier(tier))
        for charge in tenant.store.where("ProductRatePlanCharge", "ProductRatePlanId", plan["Id"])
        for tier in tiers_of(tenant, charge["Id"])
    ]
    headings = ["Charge", "Model", "Type", "Unit", "Currency", "From", "To", "Price"]
    caption = f"Rate plan {plan['Name']}"
    head = facts(
        [
            ("Number", plan["ProductRatePlanNumber"]),
            ("Status", badge(plan_status(tenant, plan))),
            ("Effective", f"{plan['EffectiveStartDate']} to {plan['EffectiveEndDate']}"),
            ("Currencies", ", ".join(plan["ActiveCurrencies"])),
            *_custom(plan),
        ]
    )
    charges = table(headings, rows, caption=caption, empty="No charges yet.")
    return Markup(f'<section id="{plan["Id"]}">{charges}{head}</section>')


def _tier(tier: Row) -> tuple[Any, ...]:
    price = tier.get("Price", tier.get("DiscountAmount"))
    if "DiscountPercentage" in tier:
        price = f"{tier['DiscountPercentage']} %"
    return tier["Currency"], tier.get("StartingUnit"), tier.get("EndingUnit"), f"{price} {tier.get('PriceFormat', '')}"


def _account(tenant: Tenant, row: Row) -> bytes:
    contact = tenant.store.get("Contact", row["BillToId"]) or {}
    subscriptions = _latest(tenant.store.where("Subscription", "AccountId", row["Id"]))
    return page(
        row["Name"],
        "Customer account",
        facts(
            [
                ("Number", row["AccountNumber"]),
                ("Status", badge(row["Status"])),
                ("Currency", row["Currency"]),
                ("Balance", balance(tenant, row)),
                ("Bill cycle day", row.get("BillCycleDay") or "set by the first subscription"),
                ("Payment term", row["PaymentTerm"]),
                ("Auto pay", row["AutoPay"]),
                ("Bill to", f"{contact.get('FirstName', '')} {contact.get('LastName', '')}"),
                ("Country", contact.get("Country")),
                *_custom(row),
                ("Id", row["Id"]),
            ]
        ),
        table(
            SUBSCRIPTION_HEADINGS,
            map(_subscription_row, subscriptions),
            caption="Subscriptions",
            empty="No subscriptions.",
        ),
        _invoices(tenant, row["Id"]),
        _usage(tenant.store.where("Usage", "AccountId", row["Id"])),
    )


def _invoices(tenant: Tenant, account_id: str) -> Markup:
    rows = map(_invoice_row, tenant.store.where("Invoice", "AccountId", account_id))
    return table(INVOICE_HEADINGS, rows, caption="Invoices", empty="No invoices.")


def _usage(records: list[Row]) -> Markup:
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


def _subscription(tenant: Tenant, row: Row) -> bytes:
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
                ("Account", link(_address("account", owner), f"{owner['AccountNumber']} {owner['Name']}")),
                ("Term", f"{row['TermType']} from {row['TermStartDate']}"),
                ("Ends", row.get("SubscriptionEndDate") or "open"),
                ("Renews by itself", row["AutoRenew"]),
                ("Currency", row["Currency"]),
                ("Order", row["OrderNumber"]),
                *_custom(row),
                ("Id", row["Id"]),
            ]
        ),
        table(headings, charges, caption="Charges", empty="No charges."),
        table(
            SUBSCRIPTION_HEADINGS, map(_subscription_row, reversed(versions)), caption="Versions", empty="No versions."
        ),
        table(
            ["From", "Through", "Charge", "Quantity", "Amount"],
            items,
            caption="Invoiced",
            empty="Nothing invoiced yet.",
        ),
        _usage(tenant.store.where("Usage", "SubscriptionNumber", row["Name"])),
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


def _invoice(tenant: Tenant, row: Row) -> bytes:
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
                ("Account", link(_address("account", owner), f"{owner['AccountNumber']} {owner['Name']}")),
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


LISTS = frozenset({"account", "subscription", "usage", "invoice", "product"})
OBJECT_PAGES: dict[str, tuple[str, Callable[[Tenant, Row], bytes]]] = {
    "/apps/Product.do": ("Product", _product),
    "/apps/CustomerAccount.do": ("Account", _account),
    "/apps/Subscription.do": ("Subscription", _subscription),
    INVOICE_PREFIX: ("Invoice", _invoice),
}
