"""What is billed, or made up for, at another price than it was used at, or billed: Zuora changes prices by whole days.

Within a charge's number only the quantity is made up for.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from catalog.models import BillingModel, Price
from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from integrations.zuora.mapping.amounts import localised
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from subscriptions.periods import Period
from subscriptions.tenure import Stretch, own_price, stretches
from usage.selling import own_price_at, stretches_of

ZERO = Decimal(0)
#: Whether Zuora rates anew what is on an invoice is not known.
_OR_EARLIER = ", or at an earlier price of that day if they were billed before it came (see their invoices)"


@dataclass(frozen=True, slots=True)
class Repriced:
    """So much was used at one price, in words, and is billed at another."""

    quantity: Decimal
    used_at: str
    billed_at: str


def billed_at_another_price(
    charge: UsageCharge, records: Iterable[UsageRecord], *, price: Price, held: Sequence[Stretch], tenant: Tenant
) -> list[Repriced]:
    """Return what these records bill at another price than it was used at, by both prices.

    A day has one price in Zuora, its last one: of others that were paid on that day, nothing can be billed. What was
    billed on a charge's first day, perhaps before its last price came, may be billed at an earlier one: that is said,
    too. `price` is the charge's in any version, `held` what the subscription held when.
    """
    if len(held) == 1:
        return []
    of_day = _PricesOfDays(price, held, tenant)
    rows = [
        (one, one.slice) for one in records if one.slice is not None and one.wanted and one.state != UsageState.FAILED
    ]
    paid = _Paid({*of_day.versions.values(), *(of.price_id for _, of in rows)}, held)
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for record, of in rows:
        day, used_on = tenant.day(record.starts_at), tenant.day(of.starts_at)
        used_at, billed_at = (of.price_id, of.starts_at), of_day.last(day)
        if billed_at is None or paid.of(*used_at) == paid.of(*billed_at):
            continue
        words = paid.in_words(*billed_at)
        if record.is_billed and day == used_on:
            if day != charge.time_of(record.charge_number)[0]:
                continue  # it was billed before another price came, or it would have been moved
            if record.accepted_at is None or record.accepted_at < billed_at[1]:
                words += _OR_EARLIER
        found[paid.in_words(*used_at), words] += record.wanted
    return [Repriced(quantity, *prices) for prices, quantity in found.items()]


def repriced_in(subscription: Subscription, connection: Connection | None, period: Period) -> dict[str, list[Repriced]]:
    """Return the same of a billing period by the key of the charge; one query where nothing ever changed."""
    if connection is None or not subscription.past_terms.exists():
        return {}
    held = list(stretches(subscription))
    slices = subscription.slices.filter(starts_at__gte=period.start, starts_at__lt=period.end)
    rows = UsageRecord.objects.filter(connection=connection, slice__in=slices).order_by("starts_at")
    by_charge: dict[UsageCharge, list[UsageRecord]] = defaultdict(list)
    for one in rows.select_related("charge", "slice__price"):
        by_charge[one.charge].append(one)
    tenant = tenant_of(connection)
    return {
        charge.key: billed_at_another_price(charge, records, price=records[0].slice.price, held=held, tenant=tenant)
        for charge, records in by_charge.items()
        if records[0].slice is not None
    }


def taken_at_another_price(charge: UsageCharge, records: Iterable[UsageRecord], *, held: Sequence[Stretch]) -> Decimal:
    """Return what these records give for billed ones that were sold at another price.

    `held` is what the subscription held when.
    """
    givers = [(one, one.slice.price_id, one.slice.starts_at) for one in records if one.taken and one.slice is not None]
    if not givers:
        return ZERO
    owing = charge.records.filter(is_billed=True, owed__lt=0, slice__isnull=False)
    sold = list(owing.values_list("charge_number", "slice__price", "slice__starts_at"))
    terms = _Paid({pk for _, pk, _ in [*givers, *sold]}, held)
    others = {(charge.pool_of(number), terms.of(pk, at)) for number, pk, at in sold}
    return sum(
        (
            one.taken
            for one, pk, at in givers
            if any(pool == charge.pool_of(one.charge_number) and other != terms.of(pk, at) for pool, other in others)
        ),
        ZERO,
    )


def added_at_another_price(
    charge: UsageCharge, records: Iterable[UsageRecord], *, price: Price, held: Sequence[Stretch], tenant: Tenant
) -> Decimal:
    """Return what corrections among these records add for billed ones that were sold at another price.

    `price` is the charge's in any version, `held` what the subscription held when. A correction is billed at the last
    price of its day.
    """
    added = [one for one in records if one.slice is None and one.wanted > 0 and one.starts_at is not None]
    if not added:
        return ZERO
    owing = charge.records.filter(is_billed=True, owed__gt=0, slice__isnull=False)
    owed = list(owing.values_list("charge_number", "slice__price", "slice__starts_at", "owed"))
    of_day = _PricesOfDays(price, held, tenant)
    terms = _Paid({*of_day.versions.values(), *(pk for _, pk, _, _ in owed)}, held)
    total = ZERO
    for one in added:
        now = of_day.last(tenant.day(one.starts_at))
        others = (
            quantity
            for number, pk, at, quantity in owed
            if charge.pool_of(number) == charge.pool_of(one.charge_number)
            and (now is None or terms.of(pk, at) != terms.of(*now))
        )
        total += min(one.wanted, sum(others, ZERO))
    return total


class _PricesOfDays:
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
        midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=self._zone)
        last = next((one for one in reversed(self._sold) if one.start < midnight), None)
        version = self.versions.get(self._version_in(last)) if last else None
        return None if last is None or version is None else (version, last.start)

    def _version_in(self, one: Stretch) -> int:
        return one.terms.plan_version_number if self._addon is None else dict(one.terms.addons)[self._addon]


class _Paid:
    """What some prices come to for a subscription: two that come to the same are equal."""

    def __init__(self, price_ids: Collection[int], held: Sequence[Stretch]) -> None:
        self._held, payer = held, held[0].subscription.payer
        self._currency = payer.billing_currency
        self._listed, self._modes = dict[int, str](), dict[int, str]()
        for price in Price.objects.filter(pk__in=price_ids).prefetch_related("amounts__tiers"):
            listed = localised(price.amounts.all(), currency=self._currency, country=payer.billing_country)
            self._listed[price.pk] = json.dumps(own_price(listed)) if listed else ""
            self._modes[price.pk] = price.tiers_mode

    def of(self, price_id: int, at: datetime) -> tuple[str, str]:
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
