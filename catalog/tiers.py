"""Tiered prices as values: what makes them sound, and how a person writes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Protocol, Self

from django.core.exceptions import ValidationError
from django.core.validators import DecimalValidator

from catalog.models.reference import MONEY

#: How a tier is written, one per line.
TIERS_SYNTAX = (
    "One tier per line: its last unit (* for the last tier), the price per unit, and the flat price if there is one; "
    "- stands for no price. For example: 10 5.00, then 100 4.50, then * 4.00 20.00."
)
_OPEN_END, _NO_PRICE = "*", "-"
_MOST_UNITS = 2**63 - 1
_check_digits = DecimalValidator(**MONEY)


class TierRow(Protocol):
    """A stored tier, of a list price or of an override."""

    up_to: int | None
    unit_price: Decimal | None
    flat_price: Decimal | None


@dataclass(frozen=True)
class Tier:
    """A step of a price: up to and including this unit; None for the last one."""

    up_to: int | None
    unit_price: Decimal | None
    flat_price: Decimal | None

    @classmethod
    def of(cls, row: TierRow) -> Self:
        return cls(up_to=row.up_to, unit_price=row.unit_price, flat_price=row.flat_price)


def tier_problems(tiers: Sequence[Tier]) -> list[str]:
    """Return a sentence for each thing that is wrong with the tiers, in their order."""
    problems = []
    for number, tier in enumerate(tiers, start=1):
        prices = [price for price in (tier.unit_price, tier.flat_price) if price is not None]
        if not prices:
            problems.append(f"Tier {number} needs a price per unit, a flat price, or both.")
        if any(price < 0 for price in prices):
            problems.append(f"Tier {number} has a negative price: a discount is a coupon.")
        is_last = number == len(tiers)
        if is_last and tier.up_to is not None:
            problems.append(f"The last tier ends at {tier.up_to}, and nothing is priced beyond: leave its end open.")
        if not is_last and tier.up_to is None:
            problems.append(f"Tier {number} has no end, and is not the last: give it its last unit.")
        if tier.up_to is not None and tier.up_to <= _end_before(tiers, number):
            problems.append(
                f"Tier {number} ends at {tier.up_to}, not after the tier before it: put the tiers in order."
            )
    return problems


def amount_problems(*, amount: Decimal | None, tiers: Sequence[Tier], tiers_mode: str) -> list[str]:
    """Return a sentence for each thing that is wrong with an amount and its tiers, under the price's tiers mode."""
    problems = []
    if tiers_mode and not tiers:
        problems.append(f"A {tiers_mode} price needs tiers: give them, or clear the tiers mode.")
    if tiers_mode and amount is not None:
        problems.append("The tiers are the price: leave the amount empty, or clear the tiers mode.")
    if tiers and not tiers_mode:
        problems.append("There are tiers, but no tiers mode: choose VOLUME or GRADUATED, or delete the tiers.")
    if not tiers_mode and not tiers and amount is None:
        problems.append("Give the amount; 0 is one.")
    return problems + tier_problems(tiers)


def format_tiers(tiers: Iterable[Tier]) -> str:
    """Write the tiers as a person does, one per line; the inverse of parse_tiers."""
    return "\n".join(_format_tier(tier) for tier in tiers)


def parse_tiers(text: str) -> list[Tier]:
    """Read the tiers that a person wrote.

    Raises:
        ValidationError: with a sentence per line that cannot be read.
    """
    tiers, problems = [], []
    for number, line in enumerate(text.strip().splitlines(), start=1):
        try:
            tiers.append(_parse_tier(line))
        except ValueError as problem:
            problems.append(f"Line {number}: {problem}")
    if problems:
        raise ValidationError([*problems, TIERS_SYNTAX])
    return tiers


def _end_before(tiers: Sequence[Tier], number: int) -> int:
    return max((tier.up_to or 0 for tier in tiers[: number - 1]), default=0)


def _format_tier(tier: Tier) -> str:
    end = _OPEN_END if tier.up_to is None else str(tier.up_to)
    return " ".join(
        [
            end,
            _format_price(tier.unit_price),
            *([_format_price(tier.flat_price)] if tier.flat_price is not None else []),
        ]
    )


def _format_price(price: Decimal | None) -> str:
    if price is None:
        return _NO_PRICE
    whole, _, fraction = f"{price:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def _parse_tier(line: str) -> Tier:
    match line.split():
        case [end, unit_price]:
            flat_price = _NO_PRICE
        case [end, unit_price, flat_price]:
            pass
        case _:
            raise ValueError(f"“{line}” is not a tier.")
    return Tier(up_to=_parse_end(end), unit_price=_parse_price(unit_price), flat_price=_parse_price(flat_price))


def _parse_end(text: str) -> int | None:
    if text == _OPEN_END:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_UNITS):
        raise ValueError(f"“{text}” is not a whole number of units.")
    return int(text)


def _parse_price(text: str) -> Decimal | None:
    if text == _NO_PRICE:
        return None
    try:
        price = Decimal(text)
        _check_digits(price)
    except InvalidOperation:
        raise ValueError(f"“{text}” is not a price.") from None
    except ValidationError as problem:
        raise ValueError(f"“{text}” is not a price: {' '.join(problem.messages)}") from None
    return price
