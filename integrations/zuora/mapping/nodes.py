"""What a mapping policy says about the catalog: a tree of what Zuora should hold.

Pushing walks the tree and knows nothing else, so that another policy (plan and add-on as rate plans of one product, the
period on the charge) is another function that returns the same nodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class UnitNode:
    """A unit of measure that a charge counts in."""

    name: str
    body: Body


@dataclass(frozen=True)
class TierNode:
    """One row of a charge's price table. Its price is the only thing Zuora lets us change later."""

    currency: str
    starting_unit: Decimal | None
    field: str  # "Price", "DiscountAmount" or "DiscountPercentage"
    value: Decimal


@dataclass(frozen=True)
class ChargeNode:
    """A charge: `body` is the create body without the rate plan's id.

    `shape` holds what Zuora cannot change in place (model, type, period, unit, tier bounds, currencies): when it differs
    from what was sent, the rate plan gets a successor. `texts` holds what a PUT may change (name, description).
    """

    key: str
    number: str
    body: Body
    shape: Mapping[str, Any]
    texts: Body
    tiers: tuple[TierNode, ...]
    unit: UnitNode | None = None


@dataclass(frozen=True)
class RatePlanNode:
    """A rate plan: `body` is the create body without the product's id, `update` what a PUT sends."""

    key: str
    number: str
    body: Body
    update: Body
    charges: tuple[ChargeNode, ...]


@dataclass(frozen=True)
class ProductNode:
    """A product with its rate plans: `body` is the create body, `update` what a PUT sends."""

    key: str
    sku: str
    body: Body
    update: Body
    rate_plans: tuple[RatePlanNode, ...] = field(default=())
