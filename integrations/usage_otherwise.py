"""All that is billed in other terms than it was used in: a person credits or charges the difference."""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Exists

from catalog.models import Price
from integrations.models import Connection, UsageCharge, UsageRecord
from integrations.usage_made_up import MAKES_UP, made_up_in_other_terms
from integrations.usage_prices import BilledOtherwise
from integrations.usage_repriced import billed_at_another_price
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.tenant import tenant_of
from subscriptions.models import PastTerms, Subscription
from subscriptions.periods import Period
from subscriptions.tenure import Stretch, stretches


def billed_otherwise(
    charge: UsageCharge, records: Sequence[UsageRecord], *, price: Price, held: Sequence[Stretch], tenant: Tenant
) -> list[BilledOtherwise]:
    """Return what these records of a period bill in other terms than it was used in.

    `price` is the charge's in any version, `held` what the subscription held when.
    """
    return [
        *made_up_in_other_terms(charge, records, price=price, held=held, tenant=tenant),
        *billed_at_another_price(charge, records, price=price, held=held, tenant=tenant),
    ]


def billed_otherwise_in(
    subscription: Subscription, connection: Connection | None, period: Period
) -> dict[str, list[BilledOtherwise]]:
    """Return the same of a billing period by the key of the charge; two queries where there is nothing of the kind."""
    if connection is None:
        return {}
    inside = {"starts_at__gte": period.start, "starts_at__lt": period.end}
    # At one price for ever, all but what makes up for others is billed as it was used.
    has_changed = Exists(PastTerms.objects.filter(subscription=subscription))
    records = connection.usage_records.select_related("charge", "slice__price").order_by("starts_at")
    own = records.filter(MAKES_UP | has_changed, slice__in=subscription.slices.filter(**inside))
    # By themselves: each has an index of its own.
    corrections = records.filter(slice=None, charge__subscription=subscription, **inside)
    by_charge: dict[UsageCharge, list[UsageRecord]] = defaultdict(list)
    for one in (*own, *corrections):
        by_charge[one.charge].append(one)
    if not by_charge:
        return {}
    held, tenant = list(stretches(subscription)), tenant_of(connection)
    prices = {charge: _price_of(records) for charge, records in by_charge.items()}
    return {
        charge.key: billed_otherwise(charge, by_charge[charge], price=price, held=held, tenant=tenant)
        for charge, price in prices.items()
        if price is not None
    }


def _price_of(records: Sequence[UsageRecord]) -> Price | None:
    return next((one.slice.price for one in records if one.slice is not None), None)
