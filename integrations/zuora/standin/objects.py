"""Every object that can be queried: where its rows come from and what Zuora adds when it shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.account_views import balance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

HIDDEN = frozenset(
    {
        "Entries",
        "Done",
        "ProcessingOptions",
        "RatePlans",
        "SuspendedCharges",
        "TaxInfo",
        "Tagging",
        "Charges",
        "Tiers",
        "StatusBefore",
        "InvoiceIds",
    }
)


def _stored(table: str) -> Callable[[Tenant], Iterable[Row]]:
    return lambda tenant: tenant.store.all(table)


def _plain(_tenant: Tenant, row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in HIDDEN}


def _account(tenant: Tenant, row: Row) -> Row:
    return {**_plain(tenant, row), "Balance": balance(tenant, row), "BillCycleDay": row.get("BillCycleDay", 0)}


def usage_row(tenant: Tenant, row: Row) -> Row:
    """A usage record as it is read: what it is filed under is looked up, not stored a million times."""
    account = tenant.store.get("Account", row["AccountId"])
    shown = {"SourceType": "API", "SubmissionDateTime": row["CreatedDate"], **row}
    shown["AccountNumber"] = account["AccountNumber"] if account else None
    subscription = tenant.store.find("Subscription", "Latest", row.get("SubscriptionNumber"))
    if subscription:
        shown["SubscriptionId"] = subscription["OriginalId"]
    return shown


def _usage(tenant: Tenant, row: Row) -> Row:
    return usage_row(tenant, row)


def _rate_plans(tenant: Tenant) -> Iterable[Row]:
    for subscription in tenant.store.all("Subscription"):
        for plan in subscription["RatePlans"]:
            yield _rate_plan(subscription, plan)


def _rate_plan(subscription: Row, plan: Row) -> Row:
    shown = {name: value for name, value in plan.items() if name not in HIDDEN and value is not None}
    kind = {"Add": "NewProduct", "Update": "UpdateProduct", "Remove": "RemoveProduct"}.get(plan["LastChangeType"])
    audit = {name: subscription[name] for name in ("CreatedById", "CreatedDate", "UpdatedById", "UpdatedDate")}
    return {**shown, "SubscriptionId": subscription["Id"], **({"AmendmentType": kind} if kind else {}), **audit}


def _rate_plan_charges(tenant: Tenant) -> Iterable[Row]:
    for subscription in tenant.store.all("Subscription"):
        for plan in subscription["RatePlans"]:
            yield from charges_shown(subscription, plan)


def charges_shown(subscription: Row, plan: Row) -> Iterable[Row]:
    """The charges of a rate plan that a subscription holds, each segment a row of its own."""
    audit = {name: subscription[name] for name in ("CreatedById", "CreatedDate", "UpdatedById", "UpdatedDate")}
    last = {one["ChargeNumber"]: one["Segment"] for one in sorted(plan["Charges"], key=lambda one: one["Segment"])}
    for charge in plan["Charges"]:
        shown = {name: value for name, value in charge.items() if name not in HIDDEN and value is not None}
        is_last = charge["Segment"] == last[charge["ChargeNumber"]]
        prices = [tier["Price"] for tier in charge["Tiers"] if "Price" in tier]
        price = {"Price": prices[0]} if len(prices) == 1 else {}
        yield {
            **shown,
            **price,
            "RatePlanId": plan["Id"],
            "IsLastSegment": is_last,
            "Currency": subscription["Currency"],
            **audit,
        }


def _rate_plan_tiers(tenant: Tenant) -> Iterable[Row]:
    for subscription in tenant.store.all("Subscription"):
        audit = {name: subscription[name] for name in ("CreatedById", "CreatedDate", "UpdatedById", "UpdatedDate")}
        for plan in subscription["RatePlans"]:
            for charge in plan["Charges"]:
                for tier in charge["Tiers"]:
                    tier_id = f"{charge['Id'][:28]}{tier['Tier']:04x}"
                    yield {
                        "Id": tier_id,
                        **tier,
                        "RatePlanChargeId": charge["Id"],
                        "Currency": subscription["Currency"],
                        **audit,
                    }


@dataclass(frozen=True)
class Queryable:
    """One object: its rows, its reading, and the fields that Object Query filters by, in lower case."""

    name: str
    rows: Callable[[Tenant], Iterable[Row]]
    shown: Callable[[Tenant, Row], Row] = _plain
    filters: frozenset[str] = frozenset()
    stored: bool = True
    key: str = ""
    # Lower-case filter to look-up of the table, so that a filter on it reads no other row.
    indexed: tuple[tuple[str, str], ...] = ()
    more_fields: tuple[str, ...] = ()


def _words(text: str) -> frozenset[str]:
    return frozenset(["id", "updateddate", *text.split()])


OBJECTS: dict[str, Queryable] = {
    "products": Queryable(
        "Product",
        _stored("Product"),
        filters=_words("sku productnumber name effectivestartdate effectiveenddate category"),
        key="SKU",
        indexed=(("sku", "sku"), ("productnumber", "productnumber")),
    ),
    "product-rate-plans": Queryable(
        "ProductRatePlan",
        _stored("ProductRatePlan"),
        filters=_words("productid name effectivestartdate effectiveenddate productrateplannumber"),
        key="ProductRatePlanNumber",
        indexed=(("productid", "ProductId"), ("productrateplannumber", "productrateplannumber")),
    ),
    "product-rate-plan-charges": Queryable(
        "ProductRatePlanCharge",
        _stored("ProductRatePlanCharge"),
        filters=_words("billcycleday chargemodel chargetype isprepaid productrateplanchargenumber productrateplanid"),
        key="ProductRatePlanChargeNumber",
        indexed=(
            ("productrateplanid", "ProductRatePlanId"),
            ("productrateplanchargenumber", "productrateplanchargenumber"),
        ),
    ),
    "product-rate-plan-charge-tiers": Queryable(
        "ProductRatePlanChargeTier",
        _stored("ProductRatePlanChargeTier"),
        filters=_words("productrateplanchargeid currency active price"),
        indexed=(("productrateplanchargeid", "ProductRatePlanChargeId"),),
    ),
    "accounts": Queryable(
        "Account",
        _stored("Account"),
        _account,
        _words(
            "accountnumber name crmid currency status balance batch parentid billcycleday soldtoid billtoid autopay"
        ),
        key="AccountNumber",
        indexed=(("accountnumber", "accountnumber"),),
    ),
    "contacts": Queryable(
        "Contact",
        _stored("Contact"),
        filters=_words("accountid firstname lastname workemail personalemail country state"),
        indexed=(("accountid", "AccountId"),),
    ),
    "payment-methods": Queryable(
        "PaymentMethod",
        _stored("PaymentMethod"),
        filters=_words("accountid type"),
        indexed=(("accountid", "AccountId"),),
    ),
    "subscriptions": Queryable(
        "Subscription",
        _stored("Subscription"),
        filters=_words(
            "accountid invoiceownerid name originalid previoussubscriptionid status islatestversion version "
            "termstartdate termenddate termtype contracteffectivedate subscriptionstartdate subscriptionenddate "
            "quotenumber__qt"
        ),
        key="Name",
        indexed=(("name", "name"), ("accountid", "AccountId")),
    ),
    "rate-plans": Queryable(
        "RatePlan", _rate_plans, filters=_words("subscriptionid productrateplanid name"), stored=False
    ),
    "rate-plan-charges": Queryable(
        "RatePlanCharge",
        _rate_plan_charges,
        filters=_words(
            "rateplanid chargenumber name originalid productrateplanchargeid effectivestartdate effectiveenddate"
        ),
        stored=False,
    ),
    "rate-plan-charge-tiers": Queryable(
        "RatePlanChargeTier", _rate_plan_tiers, filters=_words("rateplanchargeid"), stored=False
    ),
    "orders": Queryable(
        "Order",
        _stored("Order"),
        filters=_words("ordernumber orderdate accountid status category scheduleddate"),
        key="OrderNumber",
        indexed=(("accountid", "AccountId"), ("ordernumber", "ordernumber")),
    ),
    "usages": Queryable(
        "Usage",
        _stored("Usage"),
        _usage,
        _words("accountid accountnumber enddatetime quantity rbestatus startdatetime uom"),
        indexed=(("accountid", "AccountId"),),
    ),
    "invoices": Queryable(
        "Invoice",
        _stored("Invoice"),
        filters=_words("accountid invoicenumber invoicedate duedate status amount balance targetdate"),
        key="InvoiceNumber",
        indexed=(("accountid", "AccountId"),),
    ),
    "invoice-items": Queryable(
        "InvoiceItem",
        _stored("InvoiceItem"),
        filters=_words("invoiceid subscriptionid chargenumber servicestartdate serviceenddate"),
        indexed=(("invoiceid", "InvoiceId"),),
    ),
}
UNITS = Queryable("UnitOfMeasure", _stored("UnitOfMeasure"), filters=frozenset())
BY_NAME: dict[str, Queryable] = {one.name: one for one in [*OBJECTS.values(), UNITS]}


def shown_value(value: Any) -> Any:
    """Lists inside a row are written with commas, as a column is."""
    return ",".join(map(str, value)) if isinstance(value, list) else value
