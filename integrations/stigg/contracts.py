"""Brings a subscription with its add-ons, quantities and prices to what Stigg's is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.models import Addon, BillingModel, Coupon, Feature, Plan, Price, PriceAmount, PricingType
from catalog.tiers import Tier
from customers.models import Customer
from integrations.stigg import reading
from integrations.stigg.account import Row
from integrations.stigg.reading import Override, SubscriptionRow, Unreadable
from integrations.stigg.writing import Put, Write, by_ref_id, parent, put
from subscriptions.models import (
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)


@dataclass(frozen=True)
class _Around:
    """What the subscriptions of a page refer to, by Stigg id."""

    customers: Mapping[str, Customer]
    plans: Mapping[str, Plan]
    addons: Mapping[str, Addon]
    features: Mapping[str, Feature]
    coupons: Mapping[str, Coupon]


def subscriptions(rows: Sequence[Row]) -> Write:
    """Return how to write subscriptions. One that ended before we knew of it is skipped: nobody will be billed for it.

    The plan's version is the one on sale when the subscription is first seen, and what it pays otherwise an override.
    """
    held: dict[str, Subscription] = {
        one.ref_id: one
        for one in Subscription.objects.filter(ref_id__in=[row["id"] for row in rows])
        .select_related("plan", "customer", "paying_customer", "coupon")
        .prefetch_related("addons__addon", "quantities__feature", "price_overrides__tiers", "price_overrides__price")
    }
    around = _around(rows)

    def write(row: Row) -> Put:
        before = held.get(row["id"])
        if before is None and row["status"] in {"CANCELED", "EXPIRED"}:
            raise Unreadable("It ended before it was imported: there is nothing to bill.")
        return _write(reading.subscription(row), before, around)

    return write


def _around(rows: Sequence[Row]) -> _Around:
    def ids(*names: str) -> set[str]:
        return {row[name] for row in rows for name in names if row.get(name)}

    def nested(name: str, key: str) -> set[str]:
        return {one[key] for row in rows for one in row.get(name) or () if one.get(key)}

    counted = nested("charges", "id") | nested("billableFeatures", "featureId") | nested("prices", "featureId")
    return _Around(
        customers=by_ref_id(Customer, ids("customerId", "payingCustomerId")),
        plans=by_ref_id(Plan, ids("planId")),
        addons=by_ref_id(Addon, nested("addons", "id")),
        features=by_ref_id(Feature, counted),
        coupons=by_ref_id(Coupon, nested("coupons", "id")),
    )


def _write(row: SubscriptionRow, before: Subscription | None, around: _Around) -> Put:
    plan = parent(around.plans, row.plan, "plan")
    fields: dict[str, Any] = {
        **row.fields,
        "customer": parent(around.customers, row.customer, "customer"),
        "paying_customer": parent(around.customers, row.payer, "paying customer") if row.payer else None,
        "plan": plan,
        "billing_period": row.billing_period or _only_period(plan),
        "coupon": parent(around.coupons, row.coupon, "coupon") if row.coupon else None,
    }
    if before is None or before.plan_id != plan.pk:
        fields["plan_version_number"] = plan.version_number
    if fields["paying_customer"] == fields["customer"]:
        fields["paying_customer"] = None
    addons = {parent(around.addons, ref_id, "add-on"): count for ref_id, count in row.addons.items()}
    done = put(before, Subscription, row.ref_id, fields)
    subscription: Subscription = done.row
    done = done.also("add-ons", when=_write_addons(subscription, addons))
    subscription.proposed_addons = None
    prices = subscription.prices() if subscription.billing_period else []
    done = done.also("quantities", when=_write_quantities(subscription, row, prices, around.features))
    return done.also("prices", when=_write_overrides(subscription, row, prices))


def _only_period(plan: Plan) -> str:
    """Return the billing period of a plan that is sold for one; Stigg's API does not name a subscription's."""
    if plan.pricing_type != PricingType.PAID:
        return ""
    periods = set(plan.prices.filter(version_number=plan.version_number).values_list("billing_period", flat=True))
    if len(periods) == 1:
        return str(periods.pop())
    raise Unreadable(f"Stigg does not say its billing period, and {plan} is sold for several: set it here by hand.")


def _write_addons(subscription: Subscription, wanted: Mapping[Addon, int]) -> bool:
    stored = {one.addon: one for one in subscription.addons.select_related("addon")}
    before = {addon: one.quantity for addon, one in stored.items()}
    for addon, one in stored.items():
        if addon not in wanted:
            one.delete()
    for addon, quantity in wanted.items():
        row = stored.get(addon) or SubscriptionAddon(subscription=subscription, addon=addon)
        if row.pk is None or row.quantity != quantity:
            row.quantity = quantity
            row.validate_constraints()
            row.save()
    return before != dict(wanted)


def _write_quantities(
    subscription: Subscription, row: SubscriptionRow, prices: Sequence[Price], features: Mapping[str, Feature]
) -> bool:
    stored = {one.feature.ref_id: one for one in subscription.quantities.select_related("feature")}
    counted = {one.feature.ref_id for one in prices if one.billing_model == BillingModel.PER_UNIT and one.feature}
    if row.quantities is None:
        if unknown := sorted(counted - stored.keys()):
            raise Unreadable(
                f"Stigg's API does not say how many {', '.join(unknown)} it has, and a guess would be a wrong invoice: "
                "make the subscription here with its quantities, then import again."
            )
        return False
    before = {ref_id: one.quantity for ref_id, one in stored.items()}
    wanted = {ref_id: quantity for ref_id, quantity in row.quantities.items() if ref_id in counted}
    for ref_id, one in stored.items():
        if ref_id not in wanted:
            one.delete()
    for ref_id, quantity in wanted.items():
        held = stored.get(ref_id) or SubscriptionQuantity(
            subscription=subscription, feature=parent(features, ref_id, "feature")
        )
        if held.pk is None or held.quantity != quantity:
            held.quantity = quantity
            held.full_clean()
            held.save()
    return before != wanted


def _write_overrides(subscription: Subscription, row: SubscriptionRow, prices: Sequence[Price]) -> bool:
    """Hold as overrides what it pays otherwise than the list says."""
    currency = subscription.payer.billing_currency
    wanted = {}
    for one in row.prices:
        if currency and one.amount.currency != currency:
            raise Unreadable(
                f"It pays in {one.amount.currency}, and {subscription.payer} is billed in {currency}: make them the "
                "same in Stigg."
            )
        price = _price_of(one, prices)
        if not _is_listed(one, price):
            wanted[price] = one.amount
    stored = {one.price: one for one in subscription.price_overrides.select_related("price").prefetch_related("tiers")}
    changed = False
    for price, held in stored.items():
        if price not in wanted:
            held.delete()
            changed = True
    for price, amount in wanted.items():
        before = stored.get(price)
        if before and (before.amount, tuple(map(Tier.of, before.tiers.all()))) == (amount.amount, amount.tiers):
            continue
        if before:
            before.delete()
        _store_override(PriceOverride(subscription=subscription, price=price, amount=amount.amount), amount.tiers)
        changed = True
    return changed


def _store_override(override: PriceOverride, tiers: Sequence[Tier]) -> None:
    override.validate_constraints()
    override.save()
    for tier in tiers:
        row = PriceOverrideTier(
            price_override=override, up_to=tier.up_to, unit_price=tier.unit_price, flat_price=tier.flat_price
        )
        row.full_clean()
        row.save()


def _price_of(one: Override, prices: Sequence[Price]) -> Price:
    found = [
        price
        for price in prices
        if (price.addon.ref_id if price.addon else "") == one.addon
        and (price.feature.ref_id if price.feature else "") == one.feature
    ]
    if len(found) != 1:
        what = f"{one.addon or 'its plan'}{' for ' + one.feature if one.feature else ''}"
        raise Unreadable(f"It has a price of {what}, which is not one charge of what it was sold: correct it in Stigg.")
    return found[0]


def _is_listed(one: Override, price: Price) -> bool:
    amounts: Sequence[PriceAmount] = list(price.amounts.filter(currency=one.amount.currency).prefetch_related("tiers"))
    listed = {row.billing_country_code: row for row in amounts}
    row = listed.get(one.amount.country) or listed.get("")
    if row is None:
        return False
    return (row.amount, tuple(map(Tier.of, row.tiers.all()))) == (one.amount.amount, one.amount.tiers)
