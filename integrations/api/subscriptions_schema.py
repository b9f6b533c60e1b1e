"""What an application sends of subscriptions."""

from typing import Literal

from pydantic import Field, model_validator

from catalog.models import BillingPeriod, CancellationTime, PricingType, TrialEndBehavior
from integrations.api.customers_schema import IntegrationId
from integrations.api.errors import not_built
from integrations.api.money import Country
from integrations.api.schema import (
    ByCreation,
    CommaList,
    CountOrZero,
    Flag,
    Input,
    Metadata,
    Moment,
    Name,
    RefId,
    Text,
)
from integrations.api.subscription_parts import (
    PROMOTION_CODE,
    AddonHeldIn,
    AppliedCouponIn,
    BillingInformationIn,
    ChargeIn,
    PriceOverrideIn,
    by_id,
)
from subscriptions.models import PaymentCollectionMethod, SubscriptionStatus
from subscriptions.scheduling import Strategy
from subscriptions.wanted import Content

_NOT_BUILT = {
    "budget": "spending is not limited here.",
    "minimumSpend": "Zuora has no charge for it.",
    "entitlements": "entitlements are not kept here, and nothing of them is billed.",
    "salesforceId": "subscriptions are not synced with Salesforce here: keep the id in metadata.",
    "checkoutOptions": "there is no checkout page here: attach a payment method that Zuora holds.",
    "promotionCode": PROMOTION_CODE,
}


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

    @model_validator(mode="after")
    def _has_begun(self) -> "SubscriptionChange":
        if self.billing_information is not None and self.billing_information.is_backdated:
            raise not_built("isBackdated: only a subscription that is provisioned can have been billed elsewhere.")
        return self


class CancelIn(Input):
    """How it ends."""

    cancellation_action: Literal["DEFAULT", "REVOKE_ENTITLEMENTS"] | None = None
    cancellation_time: CancellationTime | None = Field(None, description="Left out, it is the product's.")
    end_date: Moment | None = Field(None, description="For SPECIFIC_DATE.")
    prorate: Flag | None = Field(None, description="False: the period in which it ends is billed whole.")


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
