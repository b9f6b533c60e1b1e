"""Brings a subscription with its add-ons, quantities and prices to what Stigg's is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from catalog.models import Addon, BillingModel, Coupon, Feature, Plan, Price, PricingType
from catalog.tiers import Tier
from customers.models import Customer
from integrations.stigg import reading
from integrations.stigg.account import Row
from integrations.stigg.reading import HeldAddon, Override, SubscriptionRow, Unreadable
from integrations.stigg.writing import Missing, Put, Write, by_ref_id, parent, put
from integrations.zuora.mapping.amounts import localised
from subscriptions.models import (
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)
from subscriptions.tenure import keep_past, present_terms


@dataclass(frozen=True)
class _Around:
    """What the subscriptions of a page refer to, by Stigg id."""

    customers: Mapping[str, Customer]
    plans: Mapping[str, Plan]
    addons: Mapping[str, Addon]
    features: Mapping[str, Feature]
    coupons: Mapping[str, Coupon]
    prices: Sequence[Price]

    def sold(self, package: Plan | Addon, version: int) -> list[Price]:
        """Return the prices of a version, of all its billing periods.

        Raises:
            Missing: the version is not here.
        """
        name = "plan_id" if isinstance(package, Plan) else "addon_id"
        of_it = [price for price in self.prices if getattr(price, name) == package.pk]
        found = [price for price in of_it if price.version_number == version]
        if version > package.version_number or (not found and package.pricing_type == PricingType.PAID):
            raise Missing(
                f"It was sold version {version} of {package}, which is not here: see why that was skipped, or import "
                "again if it was published just now."
            )
        return found


def subscriptions(rows: Sequence[Row], *, now: datetime) -> Write:
    """Return how to write subscriptions. One that ended before we knew of it is skipped: nobody will be billed for it.

    Where Stigg does not tell which version was sold, as its own cloud does not, it is the one on sale when the
    subscription is first seen. What it pays otherwise is an override.
    """
    held: dict[str, Subscription] = {
        one.ref_id: one
        for one in Subscription.objects.filter(ref_id__in=[row["id"] for row in rows])
        .select_related("plan", "customer", "paying_customer", "coupon")
        .prefetch_related("addons__addon", "quantities__feature", "price_overrides__tiers", "price_overrides__price")
        .order_by()
    }
    around = _around(rows)

    def write(row: Row) -> Put:
        before = held.get(row["id"])
        if before is None and row["status"] in {"CANCELED", "EXPIRED"}:
            raise Unreadable("It ended before it was imported: there is nothing to bill.")
        return _write(reading.subscription(row), before, around, now)

    return write


def _around(rows: Sequence[Row]) -> _Around:
    def ids(*names: str) -> set[str]:
        return {row[name] for row in rows for name in names if row.get(name)}

    def nested(name: str, key: str) -> set[str]:
        return {one[key] for row in rows for one in row.get(name) or () if one.get(key)}

    counted = nested("charges", "id") | nested("billableFeatures", "featureId") | nested("prices", "featureId")
    plans, addons = by_ref_id(Plan, ids("planId")), by_ref_id(Addon, nested("addons", "id"))
    prices = Price.objects.filter(Q(plan__in=plans.values()) | Q(addon__in=addons.values()))
    return _Around(
        customers=by_ref_id(Customer, ids("customerId", "payingCustomerId"), "customer_coupon"),
        plans=plans,
        addons=addons,
        features=by_ref_id(Feature, counted),
        coupons=by_ref_id(Coupon, nested("coupons", "id")),
        prices=list(prices.select_related("plan", "addon", "feature").prefetch_related("amounts__tiers")),
    )


def _write(row: SubscriptionRow, before: Subscription | None, around: _Around, now: datetime) -> Put:
    plan: Plan = parent(around.plans, row.plan, "plan")
    addons = {parent(around.addons, ref_id, "add-on"): held for ref_id, held in row.addons.items()}
    version, sold = _versions(row, before, plan, addons)
    offered = around.sold(plan, version)
    period = row.billing_period or _only_period(plan, offered)
    prices = [*offered, *(price for addon, held in sold.items() for price in around.sold(addon, held.version or 0))]
    prices = [price for price in prices if price.billing_period == period]
    terms = present_terms(before) if before else None
    done = put(before, Subscription, row.ref_id, _fields(row, around, plan, version, period))
    subscription: Subscription = done.row
    is_new = before is None
    done = done.also("add-ons", when=_write_addons(subscription, sold, is_new=is_new))
    done = done.also("quantities", when=_write_quantities(subscription, row, prices, around.features, is_new=is_new))
    done = done.also("prices", when=_write_overrides(subscription, row, prices, is_new=is_new))
    if terms and done.changed:
        # Read again: what was read before the change is still at hand.
        keep_past(Subscription.objects.get(pk=subscription.pk), before=terms, at=subscription.effective_from or now)
    return done


def _versions(
    row: SubscriptionRow, before: Subscription | None, plan: Plan, addons: Mapping[Addon, HeldAddon]
) -> tuple[int, dict[Addon, HeldAddon]]:
    """Return in which versions it holds its plan and its add-ons: as Stigg says, as before, or as on sale."""
    stays = before is not None and before.plan_id == plan.pk
    version = row.version or (before.plan_version_number if before and stays else plan.version_number)
    had = {one.addon_id: one.addon_version_number for one in before.addons.all()} if before else {}
    sold = {
        addon: HeldAddon(held.quantity, held.version or had.get(addon.pk, addon.version_number))
        for addon, held in addons.items()
    }
    return version, sold


def _fields(row: SubscriptionRow, around: _Around, plan: Plan, version: int, period: str) -> dict[str, Any]:
    customer: Customer = parent(around.customers, row.customer, "customer")
    payer = parent(around.customers, row.payer, "paying customer") if row.payer else None
    coupon = parent(around.coupons, row.coupon, "coupon") if row.coupon else None
    held = getattr(customer, "customer_coupon", None)
    return {
        **row.fields,
        "customer": customer,
        "paying_customer": None if payer == customer else payer,
        "plan": plan,
        "plan_version_number": version,
        "billing_period": period,
        # Its customer's is told too: that one comes and goes with the customer.
        "coupon": None if coupon and held and held.coupon_id == coupon.pk else coupon,
    }


def _only_period(plan: Plan, prices: Sequence[Price]) -> str:
    """Return the billing period of a plan that is sold for one; Stigg's API does not name a subscription's."""
    if plan.pricing_type != PricingType.PAID:
        return ""
    periods = {price.billing_period for price in prices}
    if len(periods) == 1:
        return periods.pop()
    raise Unreadable(f"Stigg does not say its billing period, and {plan} is sold for several: set it here by hand.")


def _write_addons(subscription: Subscription, wanted: Mapping[Addon, HeldAddon], *, is_new: bool) -> bool:
    stored = {} if is_new else {one.addon: one for one in subscription.addons.all()}
    before = {addon: HeldAddon(one.quantity, one.addon_version_number) for addon, one in stored.items()}
    for addon, one in stored.items():
        if addon not in wanted:
            one.delete()
    for addon, held in wanted.items():
        if before.get(addon) == held:
            continue
        row = stored.get(addon) or SubscriptionAddon(subscription=subscription, addon=addon)
        row.quantity, row.addon_version_number = held.quantity, held.version or addon.version_number
        row.validate_constraints()
        row.save()
    return before != dict(wanted)


def _write_quantities(
    subscription: Subscription,
    row: SubscriptionRow,
    prices: Sequence[Price],
    features: Mapping[str, Feature],
    *,
    is_new: bool,
) -> bool:
    stored = {} if is_new else {one.feature.ref_id: one for one in subscription.quantities.all()}
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
        if before.get(ref_id) == quantity:
            continue
        feature = parent(features, ref_id, "feature")
        held = stored.get(ref_id) or SubscriptionQuantity(subscription=subscription, feature=feature)
        held.quantity = quantity
        held.clean_fields()
        held.validate_constraints()
        held.save()
    return before != wanted


def _write_overrides(
    subscription: Subscription, row: SubscriptionRow, prices: Sequence[Price], *, is_new: bool
) -> bool:
    """Hold as overrides what it pays otherwise than the list says."""
    payer = subscription.payer
    wanted = {}
    for one in row.prices:
        if payer.billing_currency and one.amount.currency != payer.billing_currency:
            raise Unreadable(
                f"It pays in {one.amount.currency}, and {payer} is billed in {payer.billing_currency}: make them the "
                "same in Stigg."
            )
        price = _price_of(one, prices, payer)
        if not _is_listed(one, price, payer):
            wanted[price] = one.amount
    stored = {} if is_new else {one.price: one for one in subscription.price_overrides.all()}
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


def _price_of(one: Override, prices: Sequence[Price], payer: Customer) -> Price:
    found = [
        price
        for price in prices
        if (price.addon.ref_id if price.addon else "") == one.addon
        and (price.feature.ref_id if price.feature else "") == one.feature
        and one.model in {"", price.billing_model}
        and one.cadence in {"", price.billing_cadence}
    ]
    if len(found) > 1:  # a fee each month and one at the start: whose list price it is
        found = [price for price in found if _is_listed(one, price, payer)][:1] or found
    if len(found) != 1:
        what = f"{one.addon or 'its plan'}{' for ' + one.feature if one.feature else ''}"
        raise Unreadable(f"It has a price of {what}, which is not one charge of what it was sold: correct it in Stigg.")
    return found[0]


def _is_listed(one: Override, price: Price, payer: Customer) -> bool:
    """Tell whether this payer would pay that much by the list: another country's price is no reason to."""
    listed = localised(price.amounts.all(), currency=one.amount.currency, country=payer.billing_country)
    if listed is None:
        return False
    return (listed.amount, tuple(map(Tier.of, listed.tiers.all()))) == (one.amount.amount, one.amount.tiers)
