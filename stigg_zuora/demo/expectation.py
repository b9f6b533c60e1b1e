"""What Zuora must hold, told from the domain's rows alone.

Written down a second time on purpose: nothing of `integrations` is asked, so a mistake of the mapping or of the rules
does not repeat itself here. It knows the shapes that the demo's data has, and no others.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import Addon, Coupon, Plan, Price
from customers.models import Customer
from stigg_zuora.demo import people
from stigg_zuora.demo.usage import USED
from subscriptions.models import Subscription
from usage.models import UsageEvent

Tree = dict[str, Any]
PERIODS = {"MONTHLY": ("Monthly", "Month"), "ANNUALLY": ("Annual", "Annual")}
FAR_END = "2099-12-31"


@dataclass(frozen=True)
class Expected:
    """`held`: the far side's content; `failing`: part of the sentence by which an entity fails; `left_out`: by rule."""

    held: dict[str, Tree]
    failing: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)


def expect(*, public_url: str) -> Expected:
    """Return what Zuora must hold by now."""
    return _Expectation(public_url).told()


class _Expectation:
    """Collects while it walks the rows."""

    def __init__(self, public_url: str) -> None:
        self._url = public_url
        self._expected = Expected({"products": {}, "accounts": {}, "subscriptions": {}, "usage": _usage()})
        self._currencies: set[str] = set()

    def told(self) -> Expected:
        packages: list[tuple[str, str, Plan | Addon]] = [
            *(("plan", "Base Products", plan) for plan in Plan.objects.exclude(status="DRAFT")),
            *(("addon", "Add On Services", addon) for addon in Addon.objects.exclude(status="DRAFT")),
        ]
        for kind, category, package in packages:
            self._package(kind, category, package)
        for coupon in Coupon.objects.all():
            self._coupon(coupon)
        for customer in Customer.objects.all():
            self._customer(customer)
        for subscription in Subscription.objects.all():
            self._subscription(subscription)
        return self._expected

    def _package(self, kind: str, category: str, package: Plan | Addon) -> None:
        prices = list(package.prices.filter(version_number=package.version_number))
        for price in prices:
            self._currencies.update(amount.currency for amount in price.amounts.all())
            if (price.block_size or 1) > 1:
                self._expected.failing[f"{kind}:{package.ref_id}"] = f"sold in packages of {price.block_size}"
        if f"{kind}:{package.ref_id}" in self._expected.failing:
            return
        rate_plans: Tree = {}
        for price in prices:
            name = PERIODS[price.billing_period][0]
            rate_plans.setdefault(name, {})[_charge_name(price)] = _charge(price)
        self._expected.held["products"][f"stigg--{kind}--{package.ref_id}"] = {
            "name": package.display_name,
            "category": category,
            "ends": FAR_END,
            "link": f"{self._url}/{kind}s/{package.ref_id}/",
            "rate plans": rate_plans,
        }

    def _coupon(self, coupon: Coupon) -> None:
        if coupon.percent_off is not None:
            rows = {currency: f"{number(coupon.percent_off)} %" for currency in self._currencies}
        else:
            rows = {row.currency: f"{number(row.amount)} off" for row in coupon.amounts.all()}
        model = "Discount-Percentage" if coupon.percent_off is not None else "Discount-Fixed Amount"
        months = f"{coupon.duration_in_months} Months" if coupon.duration_in_months else "for ever"
        self._expected.held["products"][f"stigg--coupon--{coupon.ref_id}"] = {
            "name": coupon.display_name,
            "category": "Miscellaneous Products",
            "ends": FAR_END,
            "link": f"{self._url}/coupons/{coupon.ref_id}/",
            "rate plans": {
                name: {"Discount": {"model": model, "type": "Recurring", "period": period, "lasts": months} | rows}
                for name, period in PERIODS.values()
            },
        }

    def _customer(self, customer: Customer) -> None:
        if not _is_synced(customer):
            self._expected.left_out.add(f"customer:{customer.ref_id}")
            return
        first, _, last = customer.name.rpartition(" ")
        self._expected.held["accounts"][accountnumber(customer)] = {
            "name": customer.name,
            "currency": customer.billing_currency,
            "auto pay": customer.payment_method_id != "",
            "payment method": customer.payment_method_id,
            "customer": customer.ref_id,
            "link": f"{self._url}/customers/{customer.ref_id}/",
            "contact": {
                "first name": first,
                "last name": last,
                "e-mail": customer.email,
                "line 1": customer.billing_line1,
                "city": customer.billing_city,
                "state": customer.billing_state,
                "postal code": customer.billing_postal_code,
                "country": customer.billing_country,
            },
        }

    def _subscription(self, row: Subscription) -> None:
        key = f"subscription:{row.ref_id}"
        if not (_is_forced(row) or _is_billable(row)):
            self._expected.left_out.add(key)
            return
        payer = row.paying_customer or row.customer
        parents = {
            f"customer:{payer.ref_id}",
            f"customer:{row.customer.ref_id}",
            f"plan:{row.plan.ref_id}",
            *(f"addon:{line.addon.ref_id}" for line in row.addons.all()),
        }
        if parents & (self._expected.left_out | self._expected.failing.keys()):
            self._expected.waiting.add(key)
            return
        if row.billing_id:
            self._expected.held["subscriptions"][row.billing_id] = _by_hand(row)
            return
        self._expected.held["subscriptions"][f"stigg--{row.ref_id}"] = {
            "owner": accountnumber(row.customer),
            "payer": accountnumber(payer),
            "currency": payer.billing_currency,
            "status": "Cancelled" if row.cancellation_date else "Active",
            "begins": _day(row.trial_end_date or row.start_date),
            "ends": _day(row.cancellation_date) or _end_of_term(row),
            "customer": row.customer.ref_id,
            "resource": row.resource_id,
            "link": f"{self._url}/subscriptions/{row.ref_id}/",
            "rate plans": dict(_sold(row, payer.billing_currency)),
        }


def accountnumber(customer: Customer) -> str:
    return customer.billing_id or f"stigg--{customer.ref_id}"


def _is_forced(row: Customer | Subscription) -> bool:
    return bool(row.billing_id) or any(key.startswith("ZUORA__") for key in row.metadata)


def _is_billable(row: Subscription) -> bool:
    return row.plan.pricing_type == "PAID" and row.status == "ACTIVE"


def _is_synced(customer: Customer) -> bool:
    subscriptions = [*customer.subscriptions.all(), *customer.paid_subscriptions.all()]
    complete = customer.billing_currency and customer.billing_country and customer.payment_method_id
    return _is_forced(customer) or bool(complete and any(_is_billable(row) for row in subscriptions))


def _charge_name(price: Price) -> str:
    name = price.feature.display_name if price.feature else "Flat fee"
    return f"{name} (usage)" if price.billing_model == "USAGE_BASED" else name


def _charge(price: Price) -> Tree:
    models = {"": "Per Unit Pricing", "VOLUME": "Volume Pricing", "GRADUATED": "Tiered Pricing"}
    told: Tree = {
        "model": models[price.tiers_mode] if price.feature else "Flat Fee Pricing",
        "type": "Usage" if price.billing_model == "USAGE_BASED" else "Recurring",
        "period": PERIODS[price.billing_period][1],
        "unit": price.feature.units_plural if price.feature else "",
    }
    for amount in price.amounts.all():
        told[amount.currency] = _ladder(amount.amount, amount.tiers.all())
    return told


def _ladder(amount: Decimal | None, tiers: Iterable[Any]) -> str | list[str]:
    """Return `16`, or `0 to 250: 270 flat`, `251 to 500: ...`."""
    if amount is not None:
        return number(amount)
    steps, first = [], 0
    for tier in tiers:
        price = number(tier.unit_price) if tier.unit_price is not None else f"{number(tier.flat_price)} flat"
        steps.append(f"{first} to {tier.up_to or 'any'}: {price}")
        first = (tier.up_to or 0) + 1
    return steps


def _sold(row: Subscription, currency: str) -> Iterable[tuple[str, Tree]]:
    quantities = {line.feature: line.quantity for line in row.quantities.all()}
    overrides = {line.price_id: line.amount for line in row.price_overrides.all()}
    packages: list[tuple[str, Plan | Addon, int, int]] = [
        ("plan", row.plan, row.plan_version_number, 1),
        *(("addon", line.addon, line.addon_version_number, line.quantity) for line in row.addons.all()),
    ]
    for kind, package, version, times in packages:
        charges: Tree = {}
        if package.pricing_type != "PAID":
            continue
        for price in package.prices.filter(billing_period=row.billing_period, version_number=version):
            amount = price.amounts.get(currency=currency)
            cost = _ladder(overrides.get(price.pk, amount.amount), amount.tiers.all())
            charges[_charge_name(price)] = {"price": cost}
            if price.billing_model == "PER_UNIT" and price.feature:
                charges[_charge_name(price)]["quantity"] = number(quantities[price.feature] * times)
        yield f"stigg--{kind}--{package.ref_id}, {PERIODS[row.billing_period][0]}", charges
    held = getattr(row.customer, "customer_coupon", None)
    coupon = row.coupon or (held.coupon if held else None)
    if coupon:
        off = (
            f"{number(coupon.percent_off)} %"
            if coupon.percent_off is not None
            else f"{number(coupon.amounts.get(currency=currency).amount)} off"
        )
        name = f"stigg--coupon--{coupon.ref_id}, {PERIODS[row.billing_period][0]}"
        yield name, {"Discount": {"price": off}}


def _usage() -> Tree:
    """Return the records of what was reported, by the keys that they carry: the hour's events added up."""
    hours: Tree = {}
    subscriptions = {(used.customer, used.feature): used.subscription for used in USED}
    for event in UsageEvent.objects.select_related("customer", "feature").order_by("occurred_at"):
        feature = event.feature.ref_id if event.feature else ""
        subscription = Subscription.objects.get(ref_id=subscriptions[event.customer.ref_id, feature])
        hour = event.occurred_at.replace(minute=0, second=0, microsecond=0)
        key = f"stigg--{subscription.ref_id}--plan--{subscription.plan.ref_id}--{feature}--{hour:%Y%m%dt%H%M%Sz}"
        told = hours.setdefault(key, {"account": accountnumber(subscription.customer), "quantity": Decimal(0)})
        told["quantity"] += event.value or 0
        told |= {"begins": hour.isoformat(), "unit": event.feature.units_plural if event.feature else ""}
    return {key: {**told, "quantity": number(told["quantity"])} for key, told in hours.items()}


def _by_hand(row: Subscription) -> Tree:
    """Return what was sold by hand before: a billing ID links it, and changes nothing there."""
    account = people.LEGACY_SUBSCRIPTION_ACCOUNT
    return {
        "owner": account,
        "payer": account,
        "currency": row.customer.billing_currency,
        "status": "Active",
        "begins": people.LEGACY_BEGIN,
        "ends": "",
        "customer": "",
        "resource": "",
        "link": "",
        "rate plans": {
            f"{people.LEGACY_SKU}, {people.LEGACY_RATE_PLAN}": {people.LEGACY_CHARGE: {"price": people.LEGACY_PRICE}}
        },
    }


def _end_of_term(row: Subscription) -> str:
    if row.metadata.get("ZUORA__TermType") != "TERMED":
        return ""
    months = row.start_date.month - 1 + int(row.metadata["ZUORA__InitialTerm"])
    return f"{row.start_date.year + months // 12}-{months % 12 + 1:02}-{row.start_date.day:02}"


def _day(moment: datetime | None) -> str:
    return moment.date().isoformat() if moment else ""


def number(value: Decimal | float | str) -> str:
    return f"{Decimal(str(value)).normalize():f}"
