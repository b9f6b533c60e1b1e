"""A company's environment as its application made it through Stigg's own client, unmodified."""

from typing import Any

import stigg


def _in(currency: str, amount: float, period: str = "MONTHLY") -> dict[str, Any]:
    return {"billing_period": period, "price": {"amount": amount, "currency": currency}}


def _seats(currency: str, first: float, more: float) -> dict[str, Any]:
    prices = [{"amount": amount, "currency": currency} for amount in (first, more)]
    return {
        "billing_period": "MONTHLY",
        "tiers": [{"up_to": 10, "unit_price": prices[0]}, {"unit_price": prices[1]}],
    }


def _pro(fee: float) -> Any:
    return {
        "pricing_type": "PAID",
        "pricing_models": [
            {"billing_model": "FLAT_FEE", "price_periods": [_in("eur", fee), _in("usd", fee + 6)]},
            {
                "billing_model": "PER_UNIT",
                "feature_id": "seats",
                "tiers_mode": "GRADUATED",
                "price_periods": [_seats("eur", 8, 6.5), _seats("usd", 9, 7.5)],
            },
            {
                "billing_model": "USAGE_BASED",
                "feature_id": "calls",
                "price_periods": [_in("eur", 0.01), _in("usd", 0.012)],
            },
        ],
    }


def _team(fee: float) -> Any:
    periods = [_in("eur", fee), _in("usd", fee + 2), _in("eur", fee * 10, "ANNUALLY"), _in("usd", fee * 11, "ANNUALLY")]
    return {"pricing_type": "PAID", "pricing_models": [{"billing_model": "FLAT_FEE", "price_periods": periods}]}


def build_catalog(client: stigg.Stigg) -> None:
    """Make a product with two plans, an add-on and a coupon."""
    v1 = client.v1
    v1.products.create_product(id="app", display_name="App", multiple_subscriptions=True)
    v1.features.create_feature(
        id="seats", display_name="Seats", feature_type="NUMBER", feature_units="seat", feature_units_plural="seats"
    )
    v1.features.create_feature(
        id="calls", display_name="Calls", feature_type="NUMBER", meter_type="INCREMENTAL",
        feature_units="call", feature_units_plural="calls",
    )  # fmt: skip
    v1.coupons.create(
        id="ten", name="Ten", percent_off=10, duration_in_months=3, amounts_off=None, description=None, metadata=None
    )
    v1.addons.create(id="support", display_name="Support", product_id="app", max_quantity=5)
    model: Any = {"billing_model": "FLAT_FEE", "price_periods": [_in("eur", 5), _in("usd", 6)]}
    v1.addons.update("support", charges={"pricing_type": "PAID", "pricing_models": [model]})
    v1.addons.publish("support", migration_type="NEW_CUSTOMERS")
    for ref_id, name, charges in (("pro", "Pro", _pro(49)), ("team", "Team", _team(20))):
        v1.plans.create(id=ref_id, display_name=name, product_id="app")
        v1.plans.update(ref_id, charges=charges, compatible_addon_ids=["support"])
        v1.plans.publish(ref_id, migration_type="NEW_CUSTOMERS")


def raise_price(client: stigg.Stigg, plan: str, fee: float) -> None:
    """Put another version of a plan on sale."""
    client.v1.plans.create_draft(plan)
    client.v1.plans.update(plan, charges=_pro(fee) if plan == "pro" else _team(fee))
    client.v1.plans.publish(plan, migration_type="NEW_CUSTOMERS")


def sign_up(client: stigg.Stigg, ref_id: str, *, currency: Any, country: str, payment_method: str | None) -> None:
    address: Any = {"line1": "Way 1", "city": "Town", "postal_code": "10115", "country": country}
    if country == "US":
        address["state"] = "NY"
    passthrough: Any = {"zuora": {"billing_address": address, "payment_method_id": payment_method}}
    client.v1.customers.provision(
        id=ref_id,
        name=ref_id.title(),
        email=f"billing@{ref_id}.example",
        billing_currency=currency,
        passthrough=passthrough,
    )


def sell(client: stigg.Stigg, ref_id: str, *, customer: str, plan: str, seats: int = 0, **fields: Any) -> None:
    """Make a subscription, for a resource of its own."""
    charges: Any = [{"id": "seats", "type": "FEATURE", "quantity": seats}] if seats else []
    client.v1.subscriptions.provision(
        **{
            "id": ref_id,
            "customer_id": customer,
            "plan_id": plan,
            "resource_id": f"for-{ref_id}",
            "billing_period": "MONTHLY",
            "charges": charges,
            **fields,
        }
    )


def open_shop(client: stigg.Stigg, payment_methods: list[str]) -> None:
    """Make the catalog, customers, and subscriptions of every kind; one was sold before its plan became dearer."""
    build_catalog(client)
    sign_up(client, "acme", currency="eur", country="DE", payment_method=payment_methods[0])
    sign_up(client, "globex", currency="usd", country="US", payment_method=payment_methods[1])
    sign_up(client, "penniless", currency="eur", country="DE", payment_method=None)
    sell(client, "old", customer="acme", plan="pro", seats=7)
    raise_price(client, "pro", 59)
    sell(
        client, "new", customer="acme", plan="pro", seats=12,
        addons=[{"id": "support", "quantity": 2}],
        price_overrides=[{"base_charge": True, "amount": 39.5, "currency": "eur"}],
        applied_coupon={"coupon_id": "ten"},
    )  # fmt: skip
    sell(client, "dollars", customer="globex", plan="pro", seats=3)
    sell(client, "yearly", customer="globex", plan="team", billing_period="ANNUALLY")
    sell(client, "unpaid", customer="penniless", plan="team")
