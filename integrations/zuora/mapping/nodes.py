"""What a mapping policy says about the catalog: a tree of what Zuora should hold.

Pushing walks the tree and knows nothing else, so that another policy (plan and add-on as rate plans of one product, the
period on the charge) is another function that returns the same nodes.
"""

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
    """One row of a charge's price table. Its value is the only thing that Zuora lets us change later.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProductRatePlanChargeTier/
    """

    currency: str
    starting_unit: Decimal | None
    field: str  # "Price", "DiscountAmount" or "DiscountPercentage"
    value: Decimal


@dataclass(frozen=True)
class ChargeNode:
    """A charge: `body` is the create body without the rate plan's id.

    `shape` holds what Zuora cannot change in place (model, type, period, unit, tier bounds, currencies), as plain JSON:
    when it differs from what was sent, the rate plan gets a successor; when only the rest of `body` does (name, default
    quantity, prices), `update` is sent. `tiers` are in the order of the rows in `body`.
    """

    key: str
    number: str
    body: Body
    shape: Body
    tiers: tuple[TierNode, ...]
    unit: UnitNode | None = None
    billing_id: str = ""  # of a charge that Zuora has already

    @property
    def update(self) -> Body:
        """What a PUT sends, without the rate plan's id: the whole charge but what names its kind.

        Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_PUTProductRatePlanCharge/
        """
        fixed = {"ProductRatePlanChargeNumber", "ChargeType"}
        return {name: value for name, value in self.body.items() if name not in fixed}


@dataclass(frozen=True)
class RatePlanNode:
    """A rate plan: `body` is the create body without the product's id, `update` what a PUT sends."""

    key: str
    number: str
    body: Body
    update: Body
    charges: tuple[ChargeNode, ...]

    @property
    def shape(self) -> Body:
        """What a change of this rate plan must not touch: when it differs from what was sent, a successor is due.

        Its charges belong to it: a subscription takes a rate plan whole, so that one with another set of charges is
        another rate plan. Plain JSON.
        """
        return {charge.key: charge.shape for charge in self.charges}


@dataclass(frozen=True)
class ProductNode:
    """A product with its rate plans: `body` is the create body, `update` what a PUT sends."""

    key: str
    sku: str
    body: Body
    update: Body
    rate_plans: tuple[RatePlanNode, ...] = field(default=())
