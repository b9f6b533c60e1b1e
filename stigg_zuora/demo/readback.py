"""Reads the far side through Zuora's own client, unmodified, and tells it in the words of `expectation`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from stigg_zuora.demo import people, sdk
from stigg_zuora.demo.expectation import Tree, number
from stigg_zuora.demo.tenant import CLIENT_ID, CLIENT_SECRET

PAGE = 40
CATALOG = "productrateplans.productrateplancharges.productrateplanchargetiers"
_configuration, _api_client = sdk.module("configuration"), sdk.module("api_client")
_logins, _queries, _subscriptions = (
    sdk.module(f"api.{name}_api") for name in ("o_auth", "object_queries", "subscriptions")
)


def read(address: str, *, client_id: str = CLIENT_ID, client_secret: str = CLIENT_SECRET) -> dict[str, Tree]:
    """Return everything that Zuora holds but for the product that was made there by hand."""
    zuora = _api_client.ApiClient(_configuration.Configuration(host=address))
    login = _logins.OAuthApi(zuora).create_token(client_id, client_secret, "client_credentials")
    zuora.set_default_header("Authorization", f"Bearer {login.access_token}")
    query = _queries.ObjectQueriesApi(zuora)
    products = {row.s_ku: _product(row) for row in _all(query.query_products, expand=[CATALOG])}
    products.pop(people.LEGACY_SKU, None)
    latest = _all(query.query_subscriptions, filter=["islatestversion.EQ:true"])
    subscriptions = _subscriptions.SubscriptionsApi(zuora)
    return {
        "products": products,
        "accounts": {row.account_number: _account(row) for row in _all(query.query_accounts, expand=["billto"])},
        "usage": {row.description: _usage(row) for row in _all(query.query_usages)},
        "subscriptions": {row.name: _subscription(subscriptions.get_subscription_by_key(row.name)) for row in latest},
    }


def _usage(row: Any) -> Tree:
    return {
        "account": row.account_number,
        "quantity": number(row.quantity),
        "begins": datetime.fromisoformat(row.start_date_time).astimezone(UTC).isoformat(),
        "unit": row.u_om,
    }


def _all(ask: Callable[..., Any], **how: Any) -> Iterator[Any]:
    cursor = None
    while True:
        page = ask(page_size=PAGE, cursor=cursor, **how)
        yield from page.data or []
        cursor = page.next_page
        if not cursor:
            return


def _product(row: Any) -> Tree:
    return {
        "name": row.name,
        "category": row.category,
        "ends": str(row.effective_end_date),
        "link": row.additional_properties.get("stiggEntityUrl__c", ""),
        "rate plans": {
            plan.name: {charge.name: _charge(charge) for charge in plan.product_rate_plan_charges or []}
            for plan in row.product_rate_plans or []
        },
    }


def _charge(row: Any) -> Tree:
    told: Tree = {
        "model": _plain(row.charge_model),
        "type": _plain(row.charge_type),
        "period": _plain(row.billing_period),
    }
    if told["model"].startswith("Discount"):
        lasts = f"{row.up_to_periods} {_plain(row.up_to_periods_type)}"
        told["lasts"] = lasts if _plain(row.end_date_condition) == "FixedPeriod" else "for ever"
    else:
        told["unit"] = row.u_om or ""
    tiers: dict[str, list[Any]] = {}
    for tier in sorted(row.product_rate_plan_charge_tiers or [], key=lambda tier: tier.tier):
        tiers.setdefault(tier.currency, []).append(tier)
    return told | {currency: _ladder(steps) for currency, steps in tiers.items()}


def _ladder(tiers: list[Any]) -> str | list[str]:
    first = tiers[0]
    if first.discount_percentage is not None:
        return f"{number(first.discount_percentage)} %"
    if first.discount_amount is not None:
        return f"{number(first.discount_amount)} off"
    if first.starting_unit is None:
        return number(first.price)
    return [_step(tier) for tier in tiers]


def _step(tier: Any) -> str:
    flat = " flat" if _plain(tier.price_format).replace(" ", "") == "FlatFee" else ""
    last = number(tier.ending_unit) if tier.ending_unit is not None else "any"
    return f"{number(tier.starting_unit)} to {last}: {number(tier.price)}{flat}"


def _account(row: Any) -> Tree:
    contact = row.bill_to
    return {
        "name": row.name,
        "currency": row.currency,
        "auto pay": bool(row.auto_pay),
        "payment method": row.default_payment_method_id or "",
        "customer": row.additional_properties.get("stiggCustomerId__c", ""),
        "link": row.additional_properties.get("stiggEntityUrl__c", ""),
        "contact": {
            "first name": contact.first_name,
            "last name": contact.last_name,
            "e-mail": contact.work_email or "",
            "line 1": contact.address1 or "",
            "city": contact.city or "",
            "state": contact.state or "",
            "postal code": contact.postal_code or "",
            "country": contact.country or "",
        },
    }


def _subscription(row: Any) -> Tree:
    own = row.additional_properties
    return {
        "owner": row.account_number,
        "payer": row.invoice_owner_account_number,
        "currency": row.currency,
        "status": _plain(row.status),
        "begins": str(row.contract_effective_date),
        "ends": str(row.subscription_end_date or ""),
        "customer": own.get("stiggCustomerId__c") or "",
        "resource": own.get("stiggResourceId__c") or "",
        "link": own.get("stiggEntityUrl__c") or "",
        "rate plans": {
            f"{plan.product_sku}, {plan.rate_plan_name}": {
                charge.name: _sold(charge) for charge in plan.rate_plan_charges or []
            }
            for plan in row.rate_plans or []
        },
    }


def _sold(charge: Any) -> Tree:
    if charge.discount_percentage is not None:
        return {"price": f"{number(charge.discount_percentage)} %"}
    if charge.discount_amount is not None:
        return {"price": f"{number(charge.discount_amount)} off"}
    price = number(charge.price) if charge.price is not None else [_step(tier) for tier in charge.tiers or []]
    counted = charge.uom and charge.type != "Usage"
    return {"price": price, "quantity": number(charge.quantity)} if counted else {"price": price}


def _plain(value: Any) -> str:
    """Return the word that went over the wire: the client makes some of them enumerations."""
    return str(getattr(value, "value", value) or "")
