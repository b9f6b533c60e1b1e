"""What a quantity costs under a charge model, in full digits; rounding is for the invoice line."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import TYPE_CHECKING

from integrations.zuora.standin.dates import MONTHS_OF

if TYPE_CHECKING:
    from integrations.zuora.standin.billing.periods import Period
    from integrations.zuora.standin.store import Row

WITHOUT_CENTS = frozenset({"JPY"})
ZERO = Decimal(0)


def rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1) if currency in WITHOUT_CENTS else Decimal("0.01"), ROUND_HALF_UP)


def rounded_quantity(quantity: Decimal, unit: Row | None) -> Decimal:
    """A unit of measure says how many decimals count, and which way the rest goes."""
    if unit is None:
        return quantity
    step = Decimal(1).scaleb(-int(unit["DecimalPlaces"]))
    return quantity.quantize(step, ROUND_DOWN if unit["RoundingMode"] == "Down" else ROUND_UP)


def rate(charge: Row, quantity: Decimal) -> Decimal:
    """The price of a quantity for one whole period."""
    model, tiers = charge["ChargeModel"], charge["Tiers"]
    if model == "Flat Fee Pricing":
        return Decimal(tiers[0]["Price"])
    if model == "Per Unit Pricing":
        return Decimal(tiers[0]["Price"]) * quantity
    if model == "Overage Pricing":
        return Decimal(tiers[0]["Price"]) * max(quantity - Decimal(charge.get("IncludedUnits", 0)), ZERO)
    if model == "Volume Pricing":
        return _volume(tiers, quantity)
    return _tiered(tiers, quantity)


def _tiered(tiers: list[Row], quantity: Decimal) -> Decimal:
    """Each tier prices the part of the quantity that falls into it; a flat tier costs its price once reached."""
    total, below = ZERO, ZERO
    for tier in tiers:
        end = tier.get("EndingUnit")
        inside = (quantity if end is None else min(quantity, Decimal(end))) - below
        if inside > 0:
            price = Decimal(tier["Price"])
            total += price if tier["PriceFormat"] == "Flat Fee" else price * inside
        if end is None:
            break
        below = Decimal(end)
    return total


def _volume(tiers: list[Row], quantity: Decimal) -> Decimal:
    """The one tier that the whole quantity reaches prices all of it."""
    chosen = next(
        (tier for tier in tiers if tier.get("EndingUnit") is None or quantity <= tier["EndingUnit"]), tiers[-1]
    )
    price = Decimal(chosen["Price"])
    if chosen["PriceFormat"] == "Flat Fee":
        return price if quantity else ZERO
    return price * quantity


def for_period(charge: Row, price: Decimal, period: Period) -> Decimal:
    """A list price for the whole billing period, whatever base it is quoted on."""
    base = charge.get("ListPriceBase", "Per Billing Period")
    if base == "Per Billing Period":
        return price
    name = charge.get("BillingPeriod", "Month")
    months = int(charge.get("SpecificBillingPeriod", 1)) if name == "Specific Months" else MONTHS_OF.get(name, 1)
    if base == "Per Month":
        return price * months
    if base == "Per Year":
        return price * months / 12
    if base == "Per Week":
        return price * period.days / 7
    return price
