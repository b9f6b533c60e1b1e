"""What an application sends of subscriptions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from catalog.models import BillingPeriod, CancellationTime, PricingType, TrialEndBehavior
from catalog.tiers import Tier
from integrations.api.customers_schema import IntegrationId
from integrations.api.errors import bad_input, not_built
from integrations.api.money import Country, Currency, MoneyIn
from integrations.api.schema import (
    ByCreation,
    CommaList,
    Count,
    CountOrZero,
    Flag,
    Input,
    LongText,
    Metadata,
    Moment,
    Name,
    NotNegative,
    Positive,
    RefId,
    Text,
)
from subscriptions.models import PaymentCollectionMethod, SubscriptionStatus
from subscriptions.scheduling import Strategy
from subscriptions.wanted import Content, Override

_TAXES = "Zuora taxes by the account and the charge: set it there."
_BY_ZUORA = "Zuora bills by the settings of the account and the tenant: set it there."
_CREDITS = "credits are not kept here."
_NOT_BUILT = {
    "budget": "spending is not limited here.",
    "minimumSpend": "Zuora has no charge for it.",
    "entitlements": "entitlements are not kept here, and nothing of them is billed.",
    "salesforceId": "subscriptions are not synced with Salesforce here: keep the id in metadata.",
    "checkoutOptions": "there is no checkout page here: attach a payment method that Zuora holds.",
    "promotionCode": "promotion codes are not kept here: name the coupon.",
}


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
        "promotionCode": _NOT_BUILT["promotionCode"],
        "configuration": "a coupon begins with the change that brings it: schedule that.",
    }

    coupon_id: Text | None = None
    discount: DiscountIn | None = None


class BillingInformationIn(Input):
    """What is noted of the billing of this subscription."""

    NOT_BUILT = {
        **dict.fromkeys(("taxIds", "taxPercentage", "taxRateIds"), _TAXES),
        **dict.fromkeys(("invoiceDaysUntilDue", "prorationBehavior", "chargeOnBehalfOfAccount"), _BY_ZUORA),
        "billingAddress": "Zuora has one bill-to contact per account: change that of the paying customer.",
        "couponId": "name the coupon by appliedCoupon.",
        "isBackdated": "Zuora bills a subscription from its start on: begin it with the next billing period.",
    }

    integration_id: IntegrationId | None = None
    is_invoice_paid: Flag | None = None
    metadata: Metadata | None = None

    def kept(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {"metadata": self.metadata} if self.metadata is not None else {}


class TierIn(Input):
    """A step of a price, up to and including a unit; the last one has no end."""

    up_to: Count | None = None
    unit_price: MoneyIn | None = None
    flat_price: MoneyIn | None = None


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


class TrialIn(Input):
    """Whether nothing is paid at first, until when, and what comes then; what is left out is the plan's default."""

    is_trial: Flag
    trial_end_date: Moment | None = None
    trial_end_behavior: TrialEndBehavior | None = None


class ContentIn(Input):
    """What a subscription holds: a list replaces all that was there, what is left out stays as it is."""

    NOT_BUILT = _NOT_BUILT

    addons: list[AddonHeldIn] | None = Field(None, max_length=100)
    charges: list[ChargeIn] | None = Field(None, max_length=100)
    applied_coupon: AppliedCouponIn | None = None
    price_overrides: list[PriceOverrideIn] | None = Field(None, max_length=100)
    billing_period: BillingPeriod | None = None
    billing_information: BillingInformationIn | None = None
    billing_cycle_anchor: Literal["UNCHANGED", "NOW"] | None = None
    metadata: Metadata | None = None
    schedule_strategy: Strategy = Strategy.IMMEDIATE
    await_payment_confirmation: Flag = False

    @model_validator(mode="after")
    def _anchor_stays(self) -> "ContentIn":
        if self.billing_cycle_anchor == "NOW":
            raise not_built("billingCycleAnchor: periods are counted from the start on; provision a new subscription.")
        return self

    @property
    def awaits_payment(self) -> bool:
        """Whether it waits until its invoice is paid."""
        is_paid = self.billing_information is not None and self.billing_information.is_invoice_paid
        return self.await_payment_confirmation and not is_paid

    def content(self, *, coupon: str | None, unit_quantity: int | None = None) -> Content:
        """Return it as the domain has it; `coupon` is the id of the one that is applied."""
        return Content(
            billing_period=self.billing_period,
            addons=by_id(self.addons, "addons"),
            quantities=by_id(self.charges, "charges"),
            unit_quantity=unit_quantity,
            price_overrides=None if self.price_overrides is None else [one.override() for one in self.price_overrides],
            coupon=coupon,
            metadata=self.metadata,
            billing_information=self.billing_information.kept() if self.billing_information else None,
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


class SubscriptionIn(ContentIn):
    """A subscription."""

    id: RefId | None = Field(None, description="Left out, it is given one.")
    customer_id: RefId
    plan_id: RefId
    billing_country_code: Country | None = None
    billing_id: Text | None = Field(None, description="Links a subscription that Zuora has already.")
    cancellation_date: Moment | None = None
    paying_customer_id: RefId | None = None
    payment_collection_method: PaymentCollectionMethod | None = None
    resource_id: Text | None = None
    start_date: Moment | None = Field(None, description="Now, or when the trial ends whose place it takes.")
    trial_override_configuration: TrialIn | None = None
    unit_quantity: CountOrZero | None = Field(None, description="Of the only charge per unit that the plan has.")


class SubscriptionChange(ContentIn):
    """What of a subscription is to be different."""

    cancellation_date: Moment | None = Field(None, description="Null takes the cancellation back.")
    trial_end_date: Moment | None = None


class CancelIn(Input):
    """How it ends."""

    cancellation_action: Literal["DEFAULT", "REVOKE_ENTITLEMENTS"] | None = None
    cancellation_time: CancellationTime | None = Field(None, description="Left out, it is the product's.")
    end_date: Moment | None = Field(None, description="For SPECIFIC_DATE.")
    prorate: Flag | None = None

    @model_validator(mode="after")
    def _prorated_by_zuora(self) -> "CancelIn":
        if self.prorate is False:
            raise not_built("prorate: whether a cancellation is credited is a setting of the Zuora tenant.")
        return self


class DelegateIn(Input):
    """Who gets it."""

    target_customer_id: RefId


class TransferIn(Input):
    """What it will be for."""

    destination_resource_id: Name


class MigrateIn(Input):
    """When it moves to what is on sale."""

    subscription_migration_time: Literal["IMMEDIATE", "END_OF_BILLING_PERIOD"] = "IMMEDIATE"


class ImportedSubscriptionIn(Input):
    """A subscription of another system."""

    id: RefId
    customer_id: RefId
    plan_id: RefId
    addons: list[AddonHeldIn] | None = Field(None, max_length=100)
    charges: list[ChargeIn] | None = Field(None, max_length=100)
    billing_id: Text | None = None
    billing_period: BillingPeriod | None = None
    end_date: Moment | None = None
    metadata: Metadata | None = None
    resource_id: Text | None = None
    start_date: Moment | None = None


class ImportedSubscriptionsIn(Input):
    """A batch: all of it is stored, or nothing."""

    subscriptions: list[ImportedSubscriptionIn] = Field(min_length=1, max_length=1000)
    integration_id: IntegrationId | None = None


class SubscriptionQuery(ByCreation):
    """Which subscriptions."""

    customer_id: Text | None = None
    plan_id: Text | None = None
    resource_id: Text | None = None
    pricing_type: CommaList[PricingType] | None = None
    status: CommaList[SubscriptionStatus] | None = None
