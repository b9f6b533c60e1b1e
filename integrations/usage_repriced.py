"""What is billed at another price than it was used at: Zuora changes prices by whole days."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from catalog.models import Price
from integrations.models import Connection, UsageCharge, UsageRecord, UsageState
from integrations.usage_prices import Prices, PricesOfDays
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from subscriptions.periods import Period
from subscriptions.tenure import Stretch, stretches

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
    of_day = PricesOfDays(price, held, tenant)
    rows = [
        (one, one.slice) for one in records if one.slice is not None and one.wanted and one.state != UsageState.FAILED
    ]
    paid = Prices({*of_day.versions.values(), *(of.price_id for _, of in rows)}, held)
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
