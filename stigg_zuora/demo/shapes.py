"""The shapes in which the demo's data is written down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MONTHLY, ANNUALLY = "MONTHLY", "ANNUALLY"
FLAT_FEE, PER_UNIT, USAGE_BASED = "FLAT_FEE", "PER_UNIT", "USAGE_BASED"
VOLUME, GRADUATED = "VOLUME", "GRADUATED"
FREE, PAID, CUSTOM = "FREE", "PAID", "CUSTOM"


@dataclass(frozen=True)
class Feature:
    ref: str
    name: str
    unit: str
    units: str
    meter: str = "NONE"


@dataclass(frozen=True)
class Step:
    """A tier: its last unit (None: no end) and what it costs per unit or flat."""

    up_to: int | None
    unit: str = ""
    flat: str = ""


@dataclass(frozen=True)
class Charge:
    """A price: amounts by currency, or tiers by currency, in whole currency units."""

    model: str
    period: str
    amounts: Mapping[str, str] = field(default_factory=dict)
    feature: str = ""
    tiers_mode: str = ""
    tiers: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    cadence: str = "RECURRING"
    block_size: int | None = None
    fewest: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Package:
    """A plan or an add-on."""

    ref: str
    name: str
    description: str
    pricing: str = PAID
    charges: tuple[Charge, ...] = ()
    addons: tuple[str, ...] = ()


@dataclass(frozen=True)
class PriceList:
    """One vendor's list: `source` is where the figures were published."""

    ref: str
    name: str
    source: str
    plans: tuple[Package, ...]
    addons: tuple[Package, ...] = ()


@dataclass(frozen=True)
class Coupon:
    ref: str
    name: str
    percent: str = ""
    amounts: Mapping[str, str] = field(default_factory=dict)
    months: int | None = None


@dataclass(frozen=True)
class Customer:
    """`pays`: Zuora keeps a payment method for it; `billing_id` names an account that was made there by hand."""

    ref: str
    name: str
    email: str
    currency: str = ""
    country: str = ""
    city: str = ""
    line1: str = ""
    postal_code: str = ""
    state: str = ""
    pays: bool = True
    billing_id: str = ""
    coupon: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Subscription:
    """Days are counted from the day on which the demo is loaded: `starts` -30 is thirty days ago."""

    ref: str
    customer: str
    plan: str
    period: str = ""
    starts: int = 0
    quantities: Mapping[str, int] = field(default_factory=dict)
    addons: Mapping[str, int] = field(default_factory=dict)
    coupon: str = ""
    trial_ends: int | None = None
    cancels: int | None = None
    ended: bool = False
    cancellation: str = ""
    paid_by: str = ""
    resource: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    billing_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
