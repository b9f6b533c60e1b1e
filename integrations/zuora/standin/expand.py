"""`expand[]` of Object Query: the objects one step, or two, away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import Kind, Refusal
from integrations.zuora.standin.objects import BY_NAME, Queryable, charges_shown, shown_value

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

# object -> member -> (other object, column here or None, look-up there or None)
LINKS: dict[str, dict[str, tuple[str, str | None, str | None]]] = {
    "Product": {"productrateplans": ("ProductRatePlan", None, "ProductId")},
    "ProductRatePlan": {
        "product": ("Product", "ProductId", None),
        "productrateplancharges": ("ProductRatePlanCharge", None, "ProductRatePlanId"),
    },
    "ProductRatePlanCharge": {
        "productrateplan": ("ProductRatePlan", "ProductRatePlanId", None),
        "productrateplanchargetiers": ("ProductRatePlanChargeTier", None, "ProductRatePlanChargeId"),
    },
    "ProductRatePlanChargeTier": {"productrateplancharge": ("ProductRatePlanCharge", "ProductRatePlanChargeId", None)},
    "Account": {
        "billto": ("Contact", "BillToId", None),
        "soldto": ("Contact", "SoldToId", None),
        "subscriptions": ("Subscription", None, "AccountId"),
        "usages": ("Usage", None, "AccountId"),
        "invoices": ("Invoice", None, "AccountId"),
        "paymentmethods": ("PaymentMethod", None, "AccountId"),
    },
    "Subscription": {"account": ("Account", "AccountId", None), "invoiceowner": ("Account", "InvoiceOwnerId", None)},
    "Usage": {"account": ("Account", "AccountId", None)},
    "Order": {"account": ("Account", "AccountId", None)},
    "Invoice": {"account": ("Account", "AccountId", None), "invoiceitems": ("InvoiceItem", None, "InvoiceId")},
    "InvoiceItem": {"invoice": ("Invoice", "InvoiceId", None)},
}
MEMBER_NAMES = {
    name.lower(): name
    for name in [
        "productRatePlans",
        "product",
        "productRatePlanCharges",
        "productRatePlan",
        "productRatePlanChargeTiers",
        "productRatePlanCharge",
        "billTo",
        "soldTo",
        "subscriptions",
        "usages",
        "invoices",
        "paymentMethods",
        "account",
        "invoiceOwner",
        "invoiceItems",
        "invoice",
        "ratePlans",
    ]
}
EXPANDED_MAXIMUM = 300


def expanded(tenant: Tenant, thing: Queryable, row: Row, path: str) -> dict[str, Any]:
    """The member that `path` names, each dot one object further.

    Raises:
        Refusal: the object has no such neighbour.
    """
    head, _, rest = path.partition(".")
    if thing.name == "Subscription" and head.lower() == "rateplans":
        if rest and rest.lower() != "rateplancharges":
            raise Refusal(Kind.QUERY_PARAMETER, f"'{rest[:60]}' cannot be expanded on RatePlan.")
        full = tenant.require("Subscription", row["Id"])
        return {"ratePlans": [_rate_plan(full, plan, with_charges=bool(rest)) for plan in full["RatePlans"]]}
    link = LINKS.get(thing.name, {}).get(head.lower())
    if link is None:
        raise Refusal(Kind.QUERY_PARAMETER, f"'{head[:60]}' cannot be expanded on {thing.name}.")
    other, column, lookup = link
    member = MEMBER_NAMES[head.lower()]
    if column is not None:
        found = tenant.store.get(other, row.get(column, ""))
        return {member: _shown(tenant, other, found, rest) if found else None}
    rows = tenant.store.where(other, lookup or "", row["Id"])[:EXPANDED_MAXIMUM]
    return {member: [_shown(tenant, other, one, rest) for one in rows]}


def _rate_plan(subscription: Row, plan: Row, *, with_charges: bool) -> dict[str, Any]:
    shown = {_camel(name): shown_value(value) for name, value in plan.items() if name != "Charges"}
    if with_charges:
        shown["ratePlanCharges"] = [
            {_camel(name): shown_value(value) for name, value in charge.items()}
            for charge in charges_shown(subscription, plan)
        ]
    return shown


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]


def _shown(tenant: Tenant, name: str, row: Row, rest: str) -> dict[str, Any]:
    thing = BY_NAME[name]
    values = {
        _camel(column): shown_value(value) for column, value in thing.shown(tenant, row).items() if value is not None
    }
    return {**values, **(expanded(tenant, thing, row, rest) if rest else {})}
