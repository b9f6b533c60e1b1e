"""What Zuora should hold for a subscription: plain JSON, kept as what was sent and compared with what is wanted.

Numbers are text without trailing zeros, dates are `yyyy-mm-dd`. `order` turns it into orders.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from integrations.zuora.mapping.terms import Terms


class ContractTier(TypedDict):
    start: str
    end: NotRequired[str]
    price: str
    format: str  # FlatFee or PerUnit


class ContractCharge(TypedDict):
    """`pricing` is the member of an order's pricing; a discount has none, for its value is its coupon's.

    `listed`: the price is the list price that the rate plan has today, so that creating need not send it.
    """

    key: str
    id: str
    number: str
    pricing: NotRequired[str]
    quantity: NotRequired[str]
    price: NotRequired[str]
    tiers: NotRequired[list[ContractTier]]
    listed: NotRequired[bool]


class ContractRatePlan(TypedDict):
    """`version` is the version of the plan or add-on that was sold."""

    key: str
    version: int
    id: str
    number: str
    charges: list[ContractCharge]


class Cancellation(TypedDict):
    """`date` is empty when the policy finds it, or when it is the day of the order."""

    policy: str
    date: str


class Contract(TypedDict):
    """`account` gets the invoices, `owner` has the subscription.

    `effectiveFrom` is when what it holds took effect, in ISO 8601 by the tenant's clock; without it, at its start.
    """

    subscriptionNumber: str
    account: str
    owner: str
    currency: str
    start: str
    terms: Terms
    customFields: dict[str, str]
    ratePlans: list[ContractRatePlan]
    cancellation: Cancellation | None
    effectiveFrom: NotRequired[str]


@dataclass(frozen=True)
class PlacedCharge:
    """A charge that Zuora holds."""

    id: str
    number: str


@dataclass(frozen=True)
class PlacedRatePlan:
    """A rate plan that Zuora holds, with all of its charges by record key."""

    key: str
    id: str
    number: str
    charges: Mapping[str, PlacedCharge]
