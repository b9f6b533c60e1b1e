from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.models import CancellationTime, Coupon, CouponType, Package, Price, PricingType
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.contract import (
    Cancellation,
    Contract,
    ContractCharge,
    ContractRatePlan,
    PlacedCharge,
    PlacedRatePlan,
)
from integrations.zuora.mapping.coupon import discount_key
from integrations.zuora.mapping.package import PERIOD_NAMES
from integrations.zuora.mapping.refusal import Refusals, Refused
from integrations.zuora.mapping.sale import Sale
from integrations.zuora.mapping.tenant import CUSTOMER_ID, ENTITY_URL, RESOURCE_ID, Tenant
from integrations.zuora.mapping.terms import terms_of
from subscriptions.models import Subscription


def rate_plan_keys(subscription: Subscription, *, coupon: Coupon | None) -> tuple[str, ...]:
    """Return the record keys of the rate plans that must be in Zuora before the subscription can be.

    A free or custom-priced plan has none, and a coupon nothing to discount then.

    Raises:
        Refused: there is something to bill, and no billing period.
    """
    parents = [keys.package_key(package) for package, _, _ in _billed(subscription)]
    if parents and not subscription.billing_period:
        raise Refused(f"Subscription {subscription.ref_id} has no billing period: choose monthly or annually.")
    if parents and coupon:
        parents.append(keys.coupon_key(coupon.ref_id))
    return tuple(keys.rate_plan_key(parent, subscription.billing_period) for parent in parents)


def contract(
    subscription: Subscription,
    *,
    prices: Mapping[str, Sequence[Price]],
    placed: Mapping[str, PlacedRatePlan],
    payer_account: str,
    owner_account: str,
    tenant: Tenant,
    coupon: Coupon | None = None,
    sent: Contract | None = None,
    number: str = "",
) -> Contract:
    """Return what Zuora should hold for the subscription.

    `prices` are, by package key, those of the version that was **sold**, with feature, amounts and tiers at hand.
    `placed` are the rate plans on sale in Zuora by record key; the account numbers are those of the customers' records.
    `coupon` is the subscription's own or its customer's. The subscription brings plan, customers, add-ons, quantities
    and price overrides. `number` is that of a subscription that somebody linked by hand.

    With `sent`, what a running subscription was sold stays as it is: a plan of the same version keeps its rate plan,
    though a successor is on sale, and the price it was sold at, though the list price changed.

    Raises:
        Refused: Zuora cannot hold it; every reason at once.
    """
    desk = _Desk(
        subscription=subscription,
        prices=prices,
        placed=placed,
        before={plan["key"]: plan for plan in sent["ratePlans"]} if sent else {},
        refusals=Refusals(),
    )
    who = f"Subscription {subscription.ref_id}"
    needed = rate_plan_keys(subscription, coupon=coupon)
    rate_plans = [desk.rate_plan(*billed) for billed in _billed(subscription)]
    if coupon and needed:
        rate_plans.append(desk.discount(coupon))
    terms = terms_of(subscription.metadata, who=who, refusals=desk.refusals)
    wanted: Contract = {
        "subscriptionNumber": number or keys.subscription_number(subscription.ref_id, prefix=tenant.key_prefix),
        "account": payer_account,
        "owner": owner_account,
        "currency": subscription.payer.billing_currency,
        "start": tenant.day(subscription.first_billed).isoformat(),
        "terms": terms,
        "customFields": _custom_fields(subscription, tenant, desk.refusals),
        "ratePlans": [plan for plan in rate_plans if plan],
        "cancellation": _cancellation(subscription, tenant, is_termed=terms["termType"] == "TERMED"),
    }
    if subscription.effective_from is not None:
        wanted["effectiveFrom"] = subscription.effective_from.astimezone(tenant.time_zone).isoformat()
    desk.refusals.answer()
    return wanted


def _billed(subscription: Subscription) -> Iterator[tuple[Package, int, int]]:
    """Yield package, version and quantity of what has to be billed: free and custom-priced ones have no rate plan."""
    items: list[tuple[Package, int, int]] = [(subscription.plan, subscription.plan_version_number, 1)]
    items += [(row.addon, row.addon_version_number, row.quantity) for row in subscription.addons.all()]
    return (item for item in items if item[0].pricing_type == PricingType.PAID)


@dataclass(frozen=True)
class _Desk:
    """Where the rate plans of one subscription are put together."""

    subscription: Subscription
    prices: Mapping[str, Sequence[Price]]
    placed: Mapping[str, PlacedRatePlan]
    before: Mapping[str, ContractRatePlan]
    refusals: Refusals

    def rate_plan(self, package: Package, version: int, quantity: int) -> ContractRatePlan | None:
        package_key, period = keys.package_key(package), self.subscription.billing_period
        key = keys.rate_plan_key(package_key, period)
        who = package_key.replace(":", " ", 1)
        sold = {
            keys.charge_key(package_key, price): price
            for price in self.prices.get(package_key, ())
            if price.billing_period == period
        }
        kept = self.before.get(key)
        if kept and kept["version"] != version:
            kept = None
        was = {charge["key"]: charge for charge in kept["charges"]} if kept else {}
        place = _placed(kept) if kept else self.placed.get(key)
        if place is None or (not kept and place.charges.keys() != sold.keys()):
            self._refuse_rate_plan(who, package=package, version=version, is_placed=place is not None)
            return None
        sale = Sale(self.subscription, package, version, quantity, was, self.refusals)
        charges = [
            sale.charge(sold[charge_key], key=charge_key, place=charge) if charge_key in sold else was[charge_key]
            for charge_key, charge in sorted(place.charges.items())
        ]
        return {"key": key, "version": version, "id": place.id, "number": place.number, "charges": charges}

    def discount(self, coupon: Coupon) -> ContractRatePlan | None:
        """Return the coupon's rate plan. It has one version and no override: Stigg does not change its value either."""
        key = keys.rate_plan_key(keys.coupon_key(coupon.ref_id), self.subscription.billing_period)
        charge_key = discount_key(coupon, self.subscription.billing_period)
        payer = self.subscription.payer
        if coupon.coupon_type == CouponType.FIXED and payer.billing_currency not in {
            row.currency for row in coupon.amounts.all()
        }:
            self.refusals.add(
                f"Coupon {coupon.ref_id} takes nothing off in {payer.billing_currency or 'no currency'}, the currency "
                f"of customer {payer.ref_id}: add an amount in that currency, or use another coupon."
            )
        place = _placed(self.before[key]) if key in self.before else self.placed.get(key)
        if place is None or charge_key not in place.charges:
            self.refusals.add(
                f"Zuora does not hold {key}, the discount of coupon {coupon.ref_id}: sync the coupon again."
            )
            return None
        charge = place.charges[charge_key]
        charges: list[ContractCharge] = [{"key": charge_key, "id": charge.id, "number": charge.number}]
        return {"key": key, "version": 1, "id": place.id, "number": place.number, "charges": charges}

    def _refuse_rate_plan(self, who: str, *, package: Package, version: int, is_placed: bool) -> None:
        period = PERIOD_NAMES[self.subscription.billing_period].lower()
        if is_placed:
            self.refusals.add(
                f"Subscription {self.subscription.ref_id} was sold version {version} of {who}, whose {period} charges "
                f"are not those that Zuora holds for it: move the subscription to version {package.version_number}."
            )
        else:
            self.refusals.add(
                f"Zuora holds no {period} rate plan of {who}: give it a price for that period and publish it, or "
                "choose another billing period."
            )


def _placed(kept: ContractRatePlan) -> PlacedRatePlan:
    charges = {charge["key"]: PlacedCharge(charge["id"], charge["number"]) for charge in kept["charges"]}
    return PlacedRatePlan(kept["key"], kept["id"], kept["number"], charges)


def _custom_fields(subscription: Subscription, tenant: Tenant, refusals: Refusals) -> dict[str, str]:
    values = {
        ENTITY_URL: tenant.entity_url("subscriptions", subscription.ref_id),
        CUSTOMER_ID: subscription.customer.ref_id,
        RESOURCE_ID: subscription.resource_id,
    }
    return tenant.custom("Subscription", refusals, **{name: value for name, value in values.items() if value})


def _cancellation(subscription: Subscription, tenant: Tenant, *, is_termed: bool) -> Cancellation | None:
    """Return how it ends, or nothing while nobody has cancelled it."""
    if not (subscription.is_ended or subscription.cancellation_date or subscription.cancellation_time):
        return None
    ended = subscription.effective_end_date if subscription.is_ended else None
    if moment := subscription.billed_until or subscription.cancellation_date or ended:
        day = max(tenant.day(moment), tenant.day(subscription.first_billed))
        return {"policy": "SpecificDate", "date": day.isoformat()}
    if subscription.cancellation_time == CancellationTime.END_OF_BILLING_PERIOD:
        return {"policy": "EndOfCurrentTerm" if is_termed else "EndOfLastInvoicePeriod", "date": ""}
    return {"policy": "SpecificDate", "date": ""}
