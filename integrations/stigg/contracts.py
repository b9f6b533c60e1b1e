"""Brings subscriptions to what Stigg's are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import Prefetch, Q

from catalog.models import Addon, BillingPeriod, Coupon, Feature, Package, Plan, Price, PricingType
from customers.models import Customer
from integrations.stigg import reading_subscriptions as reading
from integrations.stigg.account import Row
from integrations.stigg.holdings import Hands
from integrations.stigg.reading_subscriptions import HeldAddon, SubscriptionRow
from integrations.stigg.saving import Saver
from integrations.stigg.scheduled import Schedule
from integrations.stigg.values import Unreadable
from integrations.stigg.writing import Missing, Put, Write, by_ref_id, parent, put
from subscriptions.models import OPEN, ScheduledChange, Subscription, SubscriptionStatus
from subscriptions.past import Present, keep_past, present
from subscriptions.periods import current_period

#: What is billed, and to whom: of the rest nothing has to be kept.
_SOLD = {"customer", "resource_id", "plan", "plan_version_number", "billing_period", "coupon"}
_SOLD |= {"add-ons", "quantities", "prices"}


@dataclass(frozen=True)
class _Around:
    """What the subscriptions of a page refer to, by Stigg id; `to_start` are the plans that wait, by customer."""

    customers: Mapping[str, Customer]
    plans: Mapping[str, Plan]
    addons: Mapping[str, Addon]
    features: Mapping[str, Feature]
    coupons: Mapping[str, Coupon]
    prices: Mapping[Package, Sequence[Price]]
    to_start: Mapping[str, frozenset[str]]

    def sold(self, package: Plan | Addon, version: int) -> list[Price]:
        """Return the prices of a version, of all its billing periods.

        Raises:
            Missing: the version is not here.
        """
        found = [price for price in self.prices.get(package, ()) if price.version_number == version]
        if version > package.version_number or (not found and package.pricing_type == PricingType.PAID):
            raise Missing(
                f"It was sold version {version} of {package}, which is not here: see why that was skipped, or import "
                "again if it was published just now."
            )
        return found


def subscriptions(rows: Sequence[Row], *, now: datetime, saver: Saver) -> Write:
    """Return how to write subscriptions. One that ended before we knew of it is skipped: nobody will be billed for it.

    Where Stigg does not tell which version was sold, as its own cloud does not, it is the one on sale when the
    subscription is first seen, if no other was ever sold or Stigg tells what it pays. What it pays otherwise is an
    override.
    """
    held: dict[str, Subscription] = {
        one.ref_id: one
        for one in Subscription.objects.filter(ref_id__in=[row["id"] for row in rows])
        .select_related("plan", "customer__customer_coupon__coupon", "paying_customer", "coupon")
        .prefetch_related("addons__addon", "quantities__feature", "price_overrides__tiers", "price_overrides__price")
        .prefetch_related(Prefetch("scheduled_changes", ScheduledChange.objects.filter(status__in=OPEN)))
        .order_by()
    }
    around = _around(rows)

    def write(row: Row) -> Put:
        before = held.get(row["id"])
        if before is None and row["status"] in {"CANCELED", "EXPIRED"}:
            raise Unreadable("It ended before it was imported: there is nothing to bill.")
        return _write(reading.subscription(row), before, around, saver, now)

    return write


def _around(rows: Sequence[Row]) -> _Around:
    def ids(*names: str) -> set[str]:
        return {row[name] for row in rows for name in names if row.get(name)}

    def nested(name: str, key: str) -> set[str]:
        return {one[key] for row in rows for one in row.get(name) or () if one.get(key)}

    counted = nested("charges", "id") | nested("billableFeatures", "featureId") | nested("prices", "featureId")
    plans, addons = by_ref_id(Plan, ids("planId")), by_ref_id(Addon, nested("addons", "id"))
    sold: dict[Package, list[Price]] = {}
    prices = Price.objects.filter(Q(plan__in=plans.values()) | Q(addon__in=addons.values()))
    for price in prices.select_related("plan", "addon", "feature").prefetch_related("amounts__tiers"):
        sold.setdefault(price.package, []).append(price)
    return _Around(
        customers=by_ref_id(Customer, ids("customerId", "payingCustomerId"), "customer_coupon"),
        plans=plans,
        addons=addons,
        features=by_ref_id(Feature, counted),
        coupons=by_ref_id(Coupon, nested("coupons", "id")),
        prices=sold,
        to_start=_to_start(rows),
    )


def _to_start(rows: Sequence[Row]) -> dict[str, frozenset[str]]:
    scheduled = {row["customerId"] for row in rows if row.get("futureUpdates")}
    stored = Subscription.objects.filter(customer__ref_id__in=scheduled, status=SubscriptionStatus.NOT_STARTED)
    found = set(stored.values_list("customer__ref_id", "plan__ref_id")) if scheduled else set()
    found |= {(row["customerId"], row["planId"]) for row in rows if row.get("status") == "NOT_STARTED"}
    return {customer: frozenset(plan for whose, plan in found if whose == customer) for customer in scheduled}


def _write(row: SubscriptionRow, before: Subscription | None, around: _Around, saver: Saver, now: datetime) -> Put:
    plan: Plan = parent(around.plans, row.plan, "plan")
    addons = {parent(around.addons, ref_id, "add-on"): held for ref_id, held in row.addons.items()}
    version, sold = _versions(row, before, plan, addons)
    offered = around.sold(plan, version)
    period = row.billing_period or _only_period(plan, offered)
    prices = [*offered, *(price for addon, held in sold.items() for price in around.sold(addon, held.version or 0))]
    prices = [price for price in prices if price.billing_period == period]
    if before is None and not row.fields["billing_id"]:
        told = {plan} if row.version else set()
        told |= {addon for addon, held in addons.items() if held.version}
        _refuse_to_guess(row, [price for price in prices if price.package not in told])
    was = present(before) if before else None
    done = put(before, Subscription, row.ref_id, _fields(row, around, plan, version, period), saver=saver)
    subscription: Subscription = done.row
    hands = Hands(subscription, is_new=before is None, saver=saver)
    done = done.also("add-ons", when=hands.addons(sold))
    done = done.also("quantities", when=hands.quantities(row, prices, around.features))
    done = done.also("prices", when=hands.overrides(row, prices))
    schedule = Schedule(
        subscription,
        is_new=before is None,
        saver=saver,
        plans=around.to_start.get(row.customer, frozenset()),
    )
    differs, to_check = schedule.bring(row.coming, now=now)
    done = replace(done.also("scheduled changes", when=differs), to_check=(*to_check, *_other_days(row, subscription)))
    if was and _SOLD & set(done.changed or ()):
        # Where Stigg does not say since when it is otherwise, it is since we hear of it.
        at = row.fields.get("effective_from") or max(now, subscription.start_date)
        saver.afterwards(partial(_keep_past, subscription.pk, was, at))
    return done


def _refuse_to_guess(row: SubscriptionRow, prices: Sequence[Price]) -> None:
    """Refuse to take prices for those that were sold, where an older version may have been and nobody tells."""
    paid = {(one.addon, one.feature) for one in row.prices}
    for price in prices:
        named = (price.addon.ref_id if price.addon else "", price.feature.ref_id if price.feature else "")
        was_on_sale = row.created is not None and row.created >= price.created_at
        if price.package.version_number > 1 and named not in paid and not was_on_sale:
            raise Unreadable(
                f"It may have been sold an older version of {price.package} than version {price.version_number}, and "
                "Stigg tells neither which nor what it pays. Give it its prices in Stigg, or move it to the latest "
                "version there, link it to Zuora by its billing ID, or make it here as it was sold; then import again."
            )


def _other_days(row: SubscriptionRow, subscription: Subscription) -> Iterator[str]:
    """Yield what to check where Stigg counts the billing periods from another day."""
    if row.anchor is None or not subscription.billing_period:
        return
    ours, theirs = subscription.billing_anchor, row.anchor
    period = current_period(
        start=min(ours, theirs), billing_period=BillingPeriod(subscription.billing_period), now=max(ours, theirs)
    )
    if period.start.date() != max(ours, theirs).date():
        yield (
            f"Stigg counts its billing periods from {theirs:%Y-%m-%d}, and here they are counted from {ours:%Y-%m-%d}: "
            "set the bill cycle day of the account in Zuora, and expect a first period that is shorter."
        )


def _keep_past(pk: int, before: Present, at: datetime) -> None:
    # Read again: what was read before the change is still at hand.
    keep_past(Subscription.objects.get(pk=pk), before=before, at=at)


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
