"""What a charge costs a subscription on a day of the tenant: a price of its own, or the list's."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from catalog.models import BillingModel, Price, TiersMode
from integrations.zuora.mapping.amounts import localised
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.tenure import Stretch, own_price
from usage.selling import own_price_at, stretches_of


@dataclass(frozen=True, slots=True)
class BilledOtherwise:
    """So much was used in some terms, in words ("at 1 EUR under coupon launch"), and is billed in others; and why."""

    quantity: Decimal
    used: str
    billed: str
    why: str


#: What is paid, as JSON, and how its tiers count: equal where it comes to the same.
Paid = tuple[str, str]


class PricesOfDays:
    """The prices of a charge, given in any version, by days: Zuora has one for a day, the last that was sold on it."""

    def __init__(self, price: Price, held: Sequence[Stretch], tenant: Tenant) -> None:
        rows = Price.objects.filter(
            plan=price.plan_id,
            addon=price.addon_id,
            feature=price.feature_id,
            billing_period=price.billing_period,
            billing_model=BillingModel.USAGE_BASED,
        )
        self.versions = dict(rows.values_list("version_number", "pk"))
        self._addon, self._sold, self._zone = price.addon_id, stretches_of(held, price), tenant.time_zone

    def last(self, day: date) -> tuple[int, datetime] | None:
        """Return the price's id, and since when it was sold; None where none was sold until then."""
        price_id, since = next(iter(reversed(self.sold_by(day))), (None, None))
        return None if price_id is None or since is None else (price_id, since)

    def sold_by(self, day: date) -> list[tuple[int | None, datetime]]:
        """Return the prices that were sold one after the other until that day ended: their ids, and since when."""
        midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=self._zone)
        return [(self.versions.get(self._version_in(one)), one.start) for one in self._sold if one.start < midnight]

    def _version_in(self, one: Stretch) -> int:
        return one.terms.plan_version_number if self._addon is None else dict(one.terms.addons)[self._addon]


class Prices:
    """What some prices come to for a subscription: two that come to the same are equal."""

    def __init__(self, price_ids: Collection[int], held: Sequence[Stretch]) -> None:
        self._held, payer = held, held[0].subscription.payer
        self._currency = payer.billing_currency
        self._listed, self._modes = dict[int, str](), dict[int, str]()
        for price in Price.objects.filter(pk__in=price_ids).prefetch_related("amounts__tiers"):
            listed = localised(price.amounts.all(), currency=self._currency, country=payer.billing_country)
            self._listed[price.pk] = json.dumps(own_price(listed)) if listed else ""
            self._modes[price.pk] = price.tiers_mode

    def of(self, price_id: int, at: datetime) -> Paid:
        """Return the price of its own that it paid then, or else the list's, as JSON; and how its tiers count."""
        return own_price_at(self._held, price_id, at=at) or self._listed[price_id], self._modes[price_id]

    def in_words(self, price_id: int, at: datetime) -> str:
        """Return the same as people say it: "2.5 EUR", or "tiers (up to 100: 2, above: 1) EUR"."""
        paid, mode = self.of(price_id, at)
        amount, tiers = json.loads(paid) if paid else (None, [])
        if amount is None:
            steps = (f"{f'up to {end}' if end else 'above'}: {unit or f'{flat} flat'}" for end, unit, flat in tiers)
            amount = f"{mode.lower()} tiers ({', '.join(steps)})"
        return f"{amount} {self._currency}"


def has_tiers(paid: Paid) -> bool:
    """Whether what a unit costs hangs on how many there are."""
    return bool(paid[0] and json.loads(paid[0])[1])


def cost_of(paid: Paid, quantity: Decimal) -> Decimal:
    """Return what so much of one invoice line costs by tiers: each its part where they are graduated, else one of them.

    Source: https://docs.zuora.com/en/zuora-billing/set-up-zuora-billing/build-product-and-prices/charge-models---configure-any-pricing
    """
    _, tiers = json.loads(paid[0])
    total, below = Decimal(0), Decimal(0)
    for up_to, unit, flat in tiers:
        inside = (quantity if up_to is None else min(quantity, Decimal(up_to))) - below
        is_reached = inside > 0
        is_last = up_to is None or quantity <= Decimal(up_to)
        below = below if up_to is None else Decimal(up_to)
        if is_reached and paid[1] == TiersMode.GRADUATED:
            total += Decimal(unit or 0) * inside + Decimal(flat or 0)
        elif is_reached and is_last:
            total = Decimal(unit or 0) * quantity + Decimal(flat or 0)
        if is_last:
            break
    return total
