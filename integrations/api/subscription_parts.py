"""What an application sends of the things that a subscription holds: add-ons, charges, discounts, prices of its own."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from catalog.tiers import Tier
from integrations.api.charges import TierIn
from integrations.api.customers_schema import IntegrationId
from integrations.api.errors import bad_input, not_built
from integrations.api.money import Currency, MoneyIn
from integrations.api.schema import (
    Count,
    CountOrZero,
    Flag,
    Input,
    LongText,
    Metadata,
    Name,
    NotNegative,
    Positive,
    RefId,
    Text,
)
from subscriptions.wanted import Override

_TAXES = "Zuora taxes by the account and the charge: set it there."
_BY_ZUORA = "Zuora bills by the settings of the account and the tenant: set it there."
_PRORATIONS = {
    "INVOICE_IMMEDIATELY": "Zuora invoices when its bill run comes, with what the change adds to the running period.",
    "NONE": "an order takes effect on its day: schedule the change for the end of the period by scheduleStrategy.",
}
_CREDITS = "credits are not kept here."
#: What is no coupon of the catalog.
PROMOTION_CODE = "promotion codes are not kept here: name the coupon."


class AddonHeldIn(Input):
    """An add-on, so many times."""

    id: RefId
    quantity: Count


class ChargeIn(Input):
    """So many units of a feature that the plan, or an add-on, is sold by."""

    id: RefId
    type: Literal["FEATURE", "CREDIT"]
    quantity: CountOrZero

    @model_validator(mode="after")
    def _no_credits(self) -> "ChargeIn":
        if self.type == "CREDIT":
            raise not_built(f"charges: {_CREDITS}")
        return self


class DiscountIn(Input):
    """A coupon of a percentage, or of amounts, for this subscription alone."""

    name: Name = "Discount"
    description: LongText | None = None
    percent_off: Annotated[Positive, Field(le=100)] | None = None
    amounts_off: list[MoneyIn] | None = Field(None, max_length=200)
    duration_in_months: Count | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "DiscountIn":
        if (self.percent_off is None) == (not self.amounts_off):
            raise ValueError("give percentOff or amountsOff: one of the two")
        return self

    def amounts(self) -> Mapping[str, Decimal]:
        """Return what is taken off, by currency."""
        return {one.currency: one.amount for one in self.amounts_off or ()}


class AppliedCouponIn(Input):
    """A coupon by its id, or a discount for this subscription alone."""

    NOT_BUILT = {
        "billingCouponId": "coupons are those of this catalog: name one by couponId.",
        "promotionCode": PROMOTION_CODE,
        "configuration": "a coupon begins with the change that brings it: schedule that.",
    }

    coupon_id: Text | None = None
    discount: DiscountIn | None = None


class BillingInformationIn(Input):
    """What is noted of the billing of this subscription."""

    NOT_BUILT = {
        **dict.fromkeys(("taxIds", "taxPercentage", "taxRateIds"), _TAXES),
        **dict.fromkeys(("invoiceDaysUntilDue", "chargeOnBehalfOfAccount"), _BY_ZUORA),
        "billingAddress": "Zuora has one bill-to contact per account: change that of the paying customer.",
        "couponId": "name the coupon by appliedCoupon.",
    }

    integration_id: IntegrationId | None = None
    is_backdated: Flag | None = Field(None, description="Billed elsewhere so far: here from the next period on.")
    is_invoice_paid: Flag | None = None
    metadata: Metadata | None = None
    proration_behavior: Literal["CREATE_PRORATIONS", "INVOICE_IMMEDIATELY", "NONE"] | None = None

    @model_validator(mode="after")
    def _prorated_by_zuora(self) -> "BillingInformationIn":
        if self.proration_behavior not in {None, "CREATE_PRORATIONS"}:
            raise not_built(f"prorationBehavior {self.proration_behavior}: {_PRORATIONS[str(self.proration_behavior)]}")
        return self

    def kept(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {"metadata": self.metadata} if self.metadata is not None else {}


class PriceOverrideIn(Input):
    """What is paid instead of a list price: of the fee or what is asked per feature, of the plan or an add-on."""

    NOT_BUILT = {
        **dict.fromkeys(("creditGrantCadence", "creditRate", "currencyId"), _CREDITS),
        "billingCountryCode": "an override is for this subscription alone, wherever it is.",
        "blockSize": "Zuora has no price per block.",
    }

    addon_id: RefId | None = None
    feature_id: RefId | None = None
    base_charge: Flag | None = None
    amount: NotNegative | None = None
    currency: Currency | None = None
    tiers: list[TierIn] | None = Field(None, max_length=100)

    @model_validator(mode="after")
    def _one_of_two(self) -> "PriceOverrideIn":
        if self.base_charge and self.feature_id:
            raise ValueError("a base charge counts no feature: give baseCharge or featureId")
        return self

    def override(self) -> Override:
        """Return it as the domain has it.

        Raises:
            ApiError: it is in two currencies.
        """
        steps = [price for tier in self.tiers or () for price in (tier.unit_price, tier.flat_price) if price]
        currencies = {self.currency, *(price.currency for price in steps)} - {None}
        if len(currencies) > 1:
            raise bad_input(f"priceOverrides: it is in {' and '.join(sorted(map(str, currencies)))}: choose one.")
        tiers = tuple(
            Tier(
                tier.up_to,
                tier.unit_price.amount if tier.unit_price else None,
                tier.flat_price.amount if tier.flat_price else None,
            )
            for tier in self.tiers or ()
        )
        return Override(
            addon=self.addon_id or "",
            feature=self.feature_id or "",
            amount=self.amount,
            tiers=tiers,
            currency=next((code for code in currencies if code), ""),
        )


def by_id(rows: "list[AddonHeldIn] | list[ChargeIn] | None", what: str) -> dict[str, int] | None:
    """Return quantities by id.

    Raises:
        ApiError: an id comes twice.
    """
    if rows is None:
        return None
    found = {one.id: one.quantity for one in rows}
    if len(found) < len(rows):
        raise bad_input(f"{what}: an id comes twice; give each its whole quantity once.")
    return found
