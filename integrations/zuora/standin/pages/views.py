"""The pages: home, product, account, subscription, invoice, at the paths that Zuora's own UI has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.account_views import balance
from integrations.zuora.standin.catalog_views import plan_status
from integrations.zuora.standin.charges import tiers_of
from integrations.zuora.standin.pages.contracts import invoice_page, subscription_page
from integrations.zuora.standin.pages.html import Markup, badge, facts, link, page, table
from integrations.zuora.standin.pages.pieces import (
    INVOICE_HEADINGS,
    INVOICE_PREFIX,
    SHOWN,
    SUBSCRIPTION_HEADINGS,
    address_of,
    custom_fields,
    invoice_row,
    latest,
    subscription_row,
    usage_table,
)
from integrations.zuora.standin.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

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


def _home(tenant: Tenant) -> bytes:
    store = tenant.store
    products = [
        (link(address_of("product", row), row["Name"]), row["SKU"], row["EffectiveEndDate"])
        for row in list(store.all("Product"))[-SHOWN:]
    ]
    accounts = [
        (link(address_of("account", row), row["AccountNumber"]), row["Name"], row["Currency"])
        for row in list(store.all("Account"))[-SHOWN:]
    ]
    subscriptions = [subscription_row(row) for row in latest(list(store.all("Subscription"))[-SHOWN * 5 :])[-SHOWN:]]
    invoices = [invoice_row(row) for row in list(store.all("Invoice"))[-SHOWN:]]
    return page(
        "Tenant",
        "Home",
        facts([(name, store.count(name)) for name in ("Product", "Account", "Subscription", "Usage", "Invoice")]),
        table(["Name", "SKU", "Effective until"], products, caption="Products", empty="No products yet."),
        table(["Number", "Name", "Currency"], accounts, caption="Accounts", empty="No accounts yet."),
        table(SUBSCRIPTION_HEADINGS, subscriptions, caption="Subscriptions", empty="No subscriptions yet."),
        table(INVOICE_HEADINGS, invoices, caption="Invoices", empty="No invoices yet."),
    )


def _product(tenant: Tenant, row: Row) -> bytes:
    parts: list[str] = [
        facts(
            [
                ("SKU", row["SKU"]),
                ("Product number", row["ProductNumber"]),
                ("Category", row.get("Category")),
                ("Effective", f"{row['EffectiveStartDate']} to {row['EffectiveEndDate']}"),
                ("Description", row.get("Description")),
                *custom_fields(row),
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
            *custom_fields(plan),
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
    subscriptions = latest(tenant.store.where("Subscription", "AccountId", row["Id"]))
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
                *custom_fields(row),
                ("Id", row["Id"]),
            ]
        ),
        table(
            SUBSCRIPTION_HEADINGS,
            map(subscription_row, subscriptions),
            caption="Subscriptions",
            empty="No subscriptions.",
        ),
        _invoices(tenant, row["Id"]),
        usage_table(tenant.store.where("Usage", "AccountId", row["Id"])),
    )


def _invoices(tenant: Tenant, account_id: str) -> Markup:
    rows = map(invoice_row, tenant.store.where("Invoice", "AccountId", account_id))
    return table(INVOICE_HEADINGS, rows, caption="Invoices", empty="No invoices.")


LISTS = frozenset({"account", "subscription", "usage", "invoice", "product"})
OBJECT_PAGES: dict[str, tuple[str, Callable[[Tenant, Row], bytes]]] = {
    "/apps/Product.do": ("Product", _product),
    "/apps/CustomerAccount.do": ("Account", _account),
    "/apps/Subscription.do": ("Subscription", subscription_page),
    INVOICE_PREFIX: ("Invoice", invoice_page),
}
