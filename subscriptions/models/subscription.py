from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from catalog.models import (
    BillingPeriod,
    CancellationTime,
    Coupon,
    CouponStatus,
    PackageStatus,
    Plan,
    Price,
    PricingType,
    TrialEndBehavior,
)
from catalog.models.reference import metadata_field, ref_id_field
from customers.models import Customer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from subscriptions.models.content import SubscriptionAddon


class SubscriptionStatus(models.TextChoices):
    NOT_STARTED = "NOT_STARTED"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    IN_TRIAL = "IN_TRIAL"
    ACTIVE = "ACTIVE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class CancelReason(models.TextChoices):
    """Why it ended, as Stigg's REST API spells it."""

    UPGRADE_OR_DOWNGRADE = "UPGRADE_OR_DOWNGRADE", "Upgrade or downgrade"
    CANCELLED_BY_BILLING = "CANCELLED_BY_BILLING", "Cancelled in the billing system"
    EXPIRED = "EXPIRED", "Expired"
    DETACH_BILLING = "DETACH_BILLING", "Billing was detached"
    TRIAL_ENDED = "TRIAL_ENDED", "The trial ended"
    TRIAL_CONVERTED = "TRIAL_CONVERTED", "The trial was converted"
    PENDING_PAYMENT_EXPIRED = "PENDING_PAYMENT_EXPIRED", "The payment never came"
    IMMEDIATE = "Immediate", "Cancelled at once"
    SCHEDULED = "ScheduledCancellation", "Cancelled for that date"
    CUSTOMER_ARCHIVED = "CustomerArchived", "The customer was archived"
    AUTO_RULE = "AutoCancellationRule", "By a rule"


class PaymentCollection(models.TextChoices):
    NOT_REQUIRED = "NOT_REQUIRED", "Not required"
    PROCESSING = "PROCESSING", "Processing"
    ACTION_REQUIRED = "ACTION_REQUIRED", "Action required"
    FAILED = "FAILED", "Failed"


class PaymentCollectionMethod(models.TextChoices):
    CHARGE = "CHARGE", "Charge"
    INVOICE = "INVOICE", "Invoice"
    NONE = "NONE", "None"


def validate_object(value: Any) -> None:
    """Refuse, with ValidationError, what is not a JSON object."""
    if not isinstance(value, dict):
        raise ValidationError('Give an object, for example {"taxPercentage": "19"}.')


class Subscription(models.Model):
    """A customer's plan, add-ons and quantities, from a start to an end.

    It keeps the version of the plan that it was sold, and so that version's prices. `cancellation_date` is when it ends
    once somebody has cancelled it; `cancellation_time` is the policy by which that date was chosen.
    """

    ref_id = ref_id_field()
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    paying_customer = models.ForeignKey(
        Customer,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="paid_subscriptions",
        help_text="Empty: the customer pays.",
    )
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    plan_version_number = models.PositiveIntegerField("plan version", blank=True, help_text="Empty: the one on sale.")
    billing_period = models.CharField(
        max_length=8, choices=BillingPeriod, blank=True, help_text="Empty for a free plan."
    )
    status = models.CharField(max_length=15, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE)
    start_date = models.DateTimeField()
    trial_end_date = models.DateTimeField(null=True, blank=True)
    trial_end_behavior = models.CharField(
        "at the trial's end", max_length=19, choices=TrialEndBehavior, default=TrialEndBehavior.CONVERT_TO_PAID
    )
    cancellation_date = models.DateTimeField(null=True, blank=True)
    cancellation_time = models.CharField(max_length=21, choices=CancellationTime, blank=True)
    cancel_reason = models.CharField(max_length=23, choices=CancelReason, blank=True)
    effective_end_date = models.DateTimeField(null=True, blank=True)
    effective_from = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When what it holds now took effect; empty: at its start."
    )
    billed_from = models.DateTimeField(
        null=True,
        blank=True,
        help_text="A billing period begins here, and what came before is billed elsewhere. Empty: all is billed.",
    )
    billed_until = models.DateTimeField(
        null=True, blank=True, help_text="Billed up to here, though it ended before. Empty: up to its end."
    )
    payment_collection = models.CharField(
        max_length=15, choices=PaymentCollection, default=PaymentCollection.NOT_REQUIRED
    )
    payment_collection_method = models.CharField(max_length=7, choices=PaymentCollectionMethod, blank=True)
    resource_id = models.CharField(
        max_length=255, blank=True, help_text="The workspace, site or other scope it is for."
    )
    coupon = models.ForeignKey(Coupon, null=True, blank=True, on_delete=models.PROTECT, related_name="subscriptions")
    billing_id = models.CharField(
        "billing ID",
        max_length=255,
        blank=True,
        help_text="Links a subscription that exists in the billing system already.",
    )
    billing_information = models.JSONField(default=dict, blank=True, validators=[validate_object])
    metadata = metadata_field()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    #: Add-ons of a form or a request, while they are checked before any row is saved; None: those that are stored.
    proposed_addons: "Sequence[SubscriptionAddon] | None" = None

    class Meta:
        ordering = ["ref_id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="IN_TRIAL") | Q(trial_end_date__isnull=False),
                name="subscription_trial_has_an_end",
                violation_error_message="A trial needs the date on which it ends: fill in the trial end date.",
            ),
            models.CheckConstraint(
                condition=Q(cancellation_date__isnull=True) | Q(cancellation_date__gte=F("start_date")),
                name="subscription_not_cancelled_before_start",
                violation_error_message="A subscription cannot end before it starts: choose a later cancellation date.",
            ),
            models.CheckConstraint(
                condition=~Q(cancellation_time="SPECIFIC_DATE") | Q(cancellation_date__isnull=False),
                name="subscription_specific_date_is_given",
                violation_error_message="Cancelling at a specific date needs the date: fill in the cancellation date.",
            ),
        ]
        # What the clock looks for each minute, among however many subscriptions that stay as they are.
        indexes = [
            models.Index(fields=["start_date"], condition=Q(status="NOT_STARTED"), name="subscription_to_start"),
            models.Index(fields=["trial_end_date"], condition=Q(status="IN_TRIAL"), name="subscription_trial_to_end"),
            models.Index(
                fields=["cancellation_date"],
                condition=Q(cancellation_date__isnull=False) & ~Q(status__in=["CANCELED", "EXPIRED"]),
                name="subscription_to_end",
            ),
        ]

    def __str__(self) -> str:
        return self.ref_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.take_version_on_sale()
        super().save(*args, **kwargs)

    @property
    def payer(self) -> Customer:
        """Who gets the invoice."""
        return self.paying_customer or self.customer

    @property
    def is_ended(self) -> bool:
        return self.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED}

    @property
    def is_running(self) -> bool:
        """Whether its customer has it now: paid, free, or in trial."""
        return self.status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.IN_TRIAL}

    @property
    def is_trial(self) -> bool:
        return self.status == SubscriptionStatus.IN_TRIAL

    @property
    def billing_anchor(self) -> datetime:
        """When its billing periods began: at the start, or when the trial ended."""
        return self.trial_end_date or self.start_date

    @property
    def first_billed(self) -> datetime:
        """When the first of its billing periods began that is billed by us."""
        return self.billed_from or self.billing_anchor

    def take_version_on_sale(self) -> None:
        """Sell the version that is on sale, unless a version was named."""
        if not self.plan_version_number:
            self.plan_version_number = self.plan.version_number

    def held_addons(self) -> "Sequence[SubscriptionAddon]":
        """Return its add-ons: those proposed, or those stored."""
        if self.proposed_addons is not None:
            return self.proposed_addons
        return list(self.addons.select_related("addon")) if self.pk else []

    def prices(self) -> list[Price]:
        """Return what it is charged: the prices of its plan and its add-ons, as sold, for its billing period."""
        sold = Q(plan=self.plan_id, version_number=self.plan_version_number)
        for held in self.held_addons():
            held.take_version_on_sale()
            sold |= Q(addon=held.addon_id, version_number=held.addon_version_number)
        prices = Price.objects.filter(sold, billing_period=self.billing_period)
        return list(prices.select_related("plan", "addon", "feature"))

    def clean(self) -> None:
        """Check what lies beyond this row: what is sold, in which version, for which billing period."""
        if not self.plan_id:
            return  # the field has said so
        self.take_version_on_sale()
        errors: dict[str, str] = {}
        if self._state.adding:
            errors |= self._unsaleable()
        if self.plan_version_number > self.plan.version_number:
            errors["plan_version_number"] = (
                f"{self.plan} is on sale in version {self.plan.version_number}: choose up to that one, or none."
            )
        elif self.plan.pricing_type == PricingType.PAID:
            errors |= self._wrong_period()
        is_dateless = self.cancellation_time == CancellationTime.SPECIFIC_DATE and not self.cancellation_date
        if bool(self.cancellation_date) != bool(self.cancellation_time) and not is_dateless:  # a constraint says that
            errors["cancellation_date"] = (
                "Give both the cancellation's time and its date, or neither; the actions of the list find the date "
                "of a cancellation now or at the end of the billing period."
            )
        if errors:
            raise ValidationError(errors)

    def _unsaleable(self) -> dict[str, str]:
        errors = {}
        if self.plan.status != PackageStatus.PUBLISHED:
            errors["plan"] = f"{self.plan} is not on sale: publish it first, or choose a published plan."
        if self.customer_id and self.customer.archived_at:
            errors["customer"] = f"{self.customer} is archived: unarchive the customer first."
        if self.coupon and self.coupon.status != CouponStatus.ACTIVE:
            errors["coupon"] = f"{self.coupon} is archived: choose an active coupon."
        return errors

    def _wrong_period(self) -> dict[str, str]:
        prices = self.plan.prices.filter(version_number=self.plan_version_number)
        periods = sorted(set(prices.values_list("billing_period", flat=True)))
        if self.billing_period in periods:
            return {}
        offered = " or ".join(periods) or "no billing period"
        return {
            "billing_period": f"{self.plan}, version {self.plan_version_number}, has prices for {offered}: choose it."
        }
