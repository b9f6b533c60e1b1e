"""Loads the demo's data as an application would: with Stigg's own client, through the API of the running web server."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import stigg

from stigg_zuora.demo import people, pricelists, shapes

_NEW_CUSTOMERS: Any = "NEW_CUSTOMERS"


def load(client: stigg.Stigg, *, payment_methods: Mapping[str, str], now: datetime) -> None:
    """Send everything; `payment_methods` are Zuora's ids by customer. Dates are counted from `now`.

    What is there already stays as it is, so that a load that was interrupted goes on where it stopped.
    """
    for feature in pricelists.FEATURES:
        _feature(client, feature)
    for price_list in pricelists.PRICE_LISTS:
        _price_list(client, price_list)
    for coupon in people.COUPONS:
        _coupon(client, coupon)
    for customer in people.CUSTOMERS:
        _customer(client, customer, payment_methods.get(customer.ref, ""))
    for subscription in people.SUBSCRIPTIONS:
        _subscription(client, subscription, now)


def _feature(client: stigg.Stigg, feature: shapes.Feature) -> None:
    meter: Any = "None" if feature.meter == "NONE" else feature.meter
    with suppress(stigg.ConflictError):
        client.v1.features.create_feature(
            id=feature.ref,
            display_name=feature.name,
            feature_type="NUMBER",
            feature_units=feature.unit,
            feature_units_plural=feature.units,
            meter_type=meter,
        )


def _price_list(client: stigg.Stigg, price_list: shapes.PriceList) -> None:
    with suppress(stigg.ConflictError):
        client.v1.products.create_product(
            id=price_list.ref,
            display_name=price_list.name,
            description=f"As published: {price_list.source}.",
            multiple_subscriptions=True,
        )
    for addon in price_list.addons:
        _package(client.v1.addons, addon, price_list.ref)
    for plan in price_list.plans:
        _package(client.v1.plans, plan, price_list.ref, compatible_addon_ids=list(plan.addons))


def _package(packages: Any, package: shapes.Package, product: str, **more: Any) -> None:
    """Make a draft, give it its charges, and put it on sale; `packages` are the client's plans or add-ons."""
    with suppress(stigg.ConflictError):
        packages.create(
            id=package.ref,
            product_id=product,
            display_name=package.name,
            description=package.description,
            pricing_type=package.pricing,
        )
    if packages.retrieve(package.ref).data.status == "DRAFT":
        models = [_charge(charge) for charge in package.charges]
        charges = {"charges": {"pricing_type": package.pricing, "pricing_models": models}} if models else {}
        if charges or more:
            packages.update(package.ref, **charges, **more)
        packages.publish(package.ref, migration_type=_NEW_CUSTOMERS)


def _charge(charge: shapes.Charge) -> dict[str, Any]:
    periods = [
        {"billing_period": charge.period, "price": _money(amount, currency), **_block(charge)}
        for currency, amount in charge.amounts.items()
    ]
    periods += [
        {"billing_period": charge.period, "tiers": [_tier(step, currency) for step in steps], **_block(charge)}
        for currency, steps in charge.tiers.items()
    ]
    given = {
        "feature_id": charge.feature or None,
        "tiers_mode": charge.tiers_mode or None,
        "min_unit_quantity": charge.fewest,
        "max_unit_quantity": charge.most,
    }
    return {
        "billing_model": charge.model,
        "billing_cadence": charge.cadence,
        "price_periods": periods,
        **{name: value for name, value in given.items() if value is not None},
    }


def _block(charge: shapes.Charge) -> dict[str, int]:
    return {"block_size": charge.block_size} if charge.block_size else {}


def _tier(step: shapes.Step, currency: str) -> dict[str, Any]:
    tier: dict[str, Any] = {"up_to": step.up_to} if step.up_to is not None else {}
    tier |= {"unit_price": _money(step.unit, currency)} if step.unit else {}
    return tier | ({"flat_price": _money(step.flat, currency)} if step.flat else {})


def _money(amount: str, currency: str) -> dict[str, Any]:
    """Return an amount; the client takes a float, which writes these figures as they are."""
    return {"amount": float(amount), "currency": currency.lower()}


def _coupon(client: stigg.Stigg, coupon: shapes.Coupon) -> None:
    amounts: Any = [_money(amount, currency) for currency, amount in coupon.amounts.items()]
    with suppress(stigg.ConflictError):
        client.v1.coupons.create(
            id=coupon.ref,
            name=coupon.name,
            description=None,
            metadata=None,
            percent_off=float(coupon.percent) if coupon.percent else None,
            amounts_off=amounts or None,
            duration_in_months=coupon.months,
        )


def _customer(client: stigg.Stigg, customer: shapes.Customer, payment_method_id: str) -> None:
    address = {
        "line1": customer.line1,
        "city": customer.city,
        "state": customer.state,
        "postal_code": customer.postal_code,
        "country": customer.country,
    }
    zuora: Any = {"billing_address": {name: text for name, text in address.items() if text}}
    if customer.currency:
        zuora["currency"] = customer.currency.lower()
    if payment_method_id:
        zuora["payment_method_id"] = payment_method_id
    client.v1.customers.provision(
        id=customer.ref,
        name=customer.name,
        email=customer.email,
        billing_id=customer.billing_id or None,
        coupon_id=customer.coupon or None,
        metadata=dict(customer.metadata),
        passthrough={"zuora": zuora},
    )


def _subscription(client: stigg.Stigg, subscription: shapes.Subscription, now: datetime) -> None:
    def day(count: int | None) -> datetime | None:
        return None if count is None else now + timedelta(days=count)

    shared: dict[str, Any] = {
        "id": subscription.ref,
        "customer_id": subscription.customer,
        "plan_id": subscription.plan,
        "start_date": day(subscription.starts),
        "addons": _quantities(subscription.addons),
        "charges": [{**one, "type": "FEATURE"} for one in _quantities(subscription.quantities)],
        "metadata": dict(subscription.metadata),
    }
    given = {
        "billing_period": subscription.period or None,
        "billing_id": subscription.billing_id or None,
        "resource_id": subscription.resource or None,
    }
    shared |= {name: value for name, value in given.items() if value is not None}
    if subscription.ended:
        over: Any = {**shared, "end_date": day(subscription.cancels)}
        client.v1.subscriptions.import_(subscriptions=[over])
        return
    trial = {"is_trial": True, "trial_end_date": day(subscription.trial_ends)} if subscription.trial_ends else None
    more: dict[str, Any] = {
        "paying_customer_id": subscription.paid_by or None,
        "cancellation_date": day(subscription.cancels),
        "applied_coupon": {"coupon_id": subscription.coupon} if subscription.coupon else None,
        "trial_override_configuration": trial,
        "price_overrides": [
            {"feature_id": ref, "amount": float(amount)} for ref, amount in subscription.overrides.items()
        ],
    }
    with suppress(stigg.ConflictError):
        client.v1.subscriptions.provision(**shared, **{name: value for name, value in more.items() if value})


def _quantities(by_ref: Mapping[str, int]) -> Sequence[dict[str, Any]]:
    return [{"id": ref, "quantity": quantity} for ref, quantity in by_ref.items()]
