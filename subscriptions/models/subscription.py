from django.db import models
from django.db.models import F, Q

from catalog.models import BillingPeriod, Coupon, Plan
from catalog.models.reference import ref_id_field
from customers.models import Customer


class SubscriptionStatus(models.TextChoices):
    NOT_STARTED = "NOT_STARTED"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    IN_TRIAL = "IN_TRIAL"
    ACTIVE = "ACTIVE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class CancellationTime(models.TextChoices):
    IMMEDIATE = "IMMEDIATE"
    END_OF_BILLING_PERIOD = "END_OF_BILLING_PERIOD"
    SPECIFIC_DATE = "SPECIFIC_DATE"


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
    plan_version_number = models.PositiveIntegerField("plan version", default=1)
    billing_period = models.CharField(
        max_length=8, choices=BillingPeriod, blank=True, help_text="Empty for a free plan."
    )
    status = models.CharField(max_length=15, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE)
    start_date = models.DateTimeField()
    trial_end_date = models.DateTimeField(null=True, blank=True)
    cancellation_date = models.DateTimeField(null=True, blank=True)
    cancellation_time = models.CharField(max_length=21, choices=CancellationTime, blank=True)
    effective_end_date = models.DateTimeField(null=True, blank=True)
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
    billing_information = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

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

    def __str__(self) -> str:
        return self.ref_id

    @property
    def payer(self) -> Customer:
        """Who gets the invoice."""
        return self.paying_customer or self.customer

    @property
    def is_ended(self) -> bool:
        return self.status in {SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED}

    @property
    def is_trial(self) -> bool:
        return self.status == SubscriptionStatus.IN_TRIAL
