"""What a charge costs in one currency, as steps: the form in which every price reaches Zuora."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from catalog.models import Price, PriceAmount
from integrations.zuora.mapping.refusal import Refusals


class Tier(Protocol):
    """A row of PriceTier or PriceOverrideTier."""

    up_to: int | None
    unit_price: Decimal | None
    flat_price: Decimal | None


@dataclass(frozen=True)
class Step:
    """One price: of everything (no bounds), or from a unit to a unit (no end: all above)."""

    price: Decimal
    start: int | None = None
    end: int | None = None
    per_unit: bool = True


def steps(
    price: Price, *, amount: Decimal | None, tiers: Iterable[Tier], what: str, refusals: Refusals
) -> tuple[Step, ...]:
    """Return one step for a plain price, or one for each tier, and note what Zuora cannot hold.

    Zuora wants its tiers without gaps: each begins one unit after the last. The first begins at 0, as in Zuora's own
    rating formulas, so that zero units and parts of a unit have a price too; 1 to 100 units still cost the same.
    Source: https://docs.zuora.com/en/zuora-billing/bill-your-customer/billing-document-templates-configuration/configure-html-templates-for-billing-documents/customize-html-templates/configure-ratingdetails-in-html-template/ratingdetail-schema/example-tiered-pricing-mode
    """
    ladder = sorted(tiers, key=lambda tier: (tier.up_to is None, tier.up_to or 0))
    if price.tiers_mode and not ladder:
        refusals.add(f"{what} has no tiers, and its charge is {price.tiers_mode.lower()}: add them.")
        return ()
    if ladder and not price.tiers_mode:
        refusals.add(f"{what} has tiers, and its charge does not say how they count: set its tiers mode.")
        return ()
    if not ladder:
        if amount is None:
            refusals.add(f"{what} has no amount: fill it in, or take it out.")
            return ()
        return (Step(price=refusals.number(amount, what=what)),)
    if ladder[-1].up_to is not None:
        refusals.add(f"{what} ends at {ladder[-1].up_to}, so more has no price: leave the last tier's end empty.")
    return tuple(_rungs(ladder, what=what, refusals=refusals))


def localised(amounts: Iterable[PriceAmount], *, currency: str, country: str) -> PriceAmount | None:
    """Return what a payer of that currency and country pays: the country's amount, else the one for everybody."""
    fitting = {amount.billing_country_code: amount for amount in amounts if amount.currency == currency}
    return fitting.get(country) or fitting.get("")


def _rungs(ladder: Sequence[Tier], *, what: str, refusals: Refusals) -> Iterable[Step]:
    start = 0
    for tier in ladder:
        where = f"The tier from {start} of {what[0].lower()}{what[1:]}"
        unit, flat = tier.unit_price, tier.flat_price
        if unit and flat:
            refusals.add(
                f"{where} has both a price per unit and a flat price, and Zuora holds one of them: keep one, or move "
                "the flat price to a flat fee."
            )
        # Stigg fills in 0 for the price that a tier does not have.
        per_unit = unit is not None and not flat
        value = unit if per_unit else flat
        yield Step(
            price=refusals.number(value if value is not None else Decimal(0), what=where),
            start=start,
            end=tier.up_to,
            per_unit=per_unit,
        )
        start = (tier.up_to or 0) + 1
