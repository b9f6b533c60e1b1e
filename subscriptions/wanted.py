"""What somebody wants a subscription to hold, by reference ids: plain values, kept as JSON until their time comes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from catalog.tiers import Tier
from subscriptions.models import ChangeType


@dataclass(frozen=True, kw_only=True)
class Override:
    """What is paid instead of a list price: of the plan, or of `addon`; of its fee, or of what it asks per `feature`.

    `currency` is only held against the payer's, in which an override is; empty when nobody said it.
    """

    addon: str = ""
    feature: str = ""
    amount: Decimal | None = None
    tiers: tuple[Tier, ...] = ()
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a subscription is to hold beside its plan. None leaves a thing as it is; a list or a mapping replaces all.

    `addons` are quantities by add-on, `quantities` are units by feature, `unit_quantity` are those of the only charge
    per unit that the plan has. An empty `coupon` takes it away. `latest` moves plan and add-ons to what is on sale.
    """

    billing_period: str | None = None
    addons: Mapping[str, int] | None = None
    quantities: Mapping[str, int] | None = None
    unit_quantity: int | None = None
    price_overrides: Sequence[Override] | None = None
    coupon: str | None = None
    metadata: Mapping[str, str] | None = None
    billing_information: Mapping[str, Any] | None = None
    latest: bool = False

    def by_type(self) -> Iterator[tuple[ChangeType, dict[str, Any]]]:
        """Yield each type of change that it asks for, with that part of it as JSON."""
        for change_type, names in _NAMES.items():
            part = {name: getattr(self, name) for name in names if getattr(self, name) not in (None, False)}
            if not part:
                continue
            if change_type == ChangeType.PRICE_OVERRIDE:
                part = {"price_overrides": [_packed(one) for one in self.price_overrides or ()]}
            yield change_type, part

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, Any]]) -> Self:
        """Read parts that `by_type` yielded; the later one wins."""
        merged: dict[str, Any] = {}
        for part in parts:
            merged |= part
        if "price_overrides" in merged:
            merged["price_overrides"] = [_unpacked(one) for one in merged["price_overrides"]]
        return cls(**merged)

    @property
    def is_sold(self) -> bool:
        """Whether it is about what is sold: more than notes about it."""
        return not {change_type for change_type, _ in self.by_type()} <= _NOTES


_NAMES: dict[ChangeType, tuple[str, ...]] = {
    ChangeType.BILLING_PERIOD: ("billing_period",),
    ChangeType.ADDON: ("addons",),
    ChangeType.UNIT_AMOUNT: ("quantities", "unit_quantity"),
    ChangeType.PRICE_OVERRIDE: ("price_overrides",),
    ChangeType.COUPON: ("coupon",),
    ChangeType.MIGRATE_TO_LATEST: ("latest",),
    ChangeType.ADDITIONAL_META_DATA: ("metadata",),
    ChangeType.BILLING_INFO_METADATA: ("billing_information",),
}
_NOTES = {ChangeType.ADDITIONAL_META_DATA, ChangeType.BILLING_INFO_METADATA}


def _packed(override: Override) -> dict[str, Any]:
    tiers = [[tier.up_to, _text(tier.unit_price), _text(tier.flat_price)] for tier in override.tiers]
    return {
        "addon": override.addon,
        "feature": override.feature,
        "amount": _text(override.amount),
        "tiers": tiers,
        "currency": override.currency,
    }


def _unpacked(kept: Mapping[str, Any]) -> Override:
    tiers = tuple(Tier(up_to, _number(unit), _number(flat)) for up_to, unit, flat in kept["tiers"])
    return Override(**{**kept, "amount": _number(kept["amount"]), "tiers": tiers})


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
