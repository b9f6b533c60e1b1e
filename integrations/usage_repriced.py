"""What is billed at another price than it was used at: Zuora changes prices by whole days."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from catalog.models import Price
from integrations.models import UsageCharge, UsageRecord, UsageState
from integrations.usage_prices import BilledOtherwise, Prices, PricesOfDays
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.tenure import Stretch

#: Whether Zuora rates anew what is on an invoice is not known.
_OR_EARLIER = ", or at an earlier price of that day if they were billed before it came (see their invoices)"


_WHY = "Zuora has one price for a day, its last one. Credit or charge what the two prices differ by in Zuora."


def billed_at_another_price(
    charge: UsageCharge, records: Iterable[UsageRecord], *, price: Price, held: Sequence[Stretch], tenant: Tenant
) -> list[BilledOtherwise]:
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
        words = f"at {paid.in_words(*billed_at)}"
        if record.is_billed and day == used_on:
            if day != charge.time_of(record.charge_number)[0]:
                continue  # it was billed before another price came, or it would have been moved
            if record.accepted_at is None or record.accepted_at < billed_at[1]:
                words += _OR_EARLIER
        found[f"at {paid.in_words(*used_at)}", words] += record.wanted
    return [BilledOtherwise(quantity, *prices, why=_WHY) for prices, quantity in found.items()]
