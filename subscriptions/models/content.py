"""What a subscription holds beside its plan."""

from django.db import models
from django.db.models import Q

from catalog.models import Addon, Coupon, Feature, Price
from catalog.models.reference import MONEY
from customers.models import Customer
from subscriptions.models.subscription import Subscription


class SubscriptionAddon(models.Model):
    """An add-on, so many times, in the version that it was sold."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="addons")
    addon = models.ForeignKey(
        Addon, on_delete=models.PROTECT, related_name="subscription_addons", verbose_name="add-on"
    )
    addon_version_number = models.PositiveIntegerField("add-on version", default=1)
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["addon__ref_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "addon"],
                name="subscription_addon_once",
                violation_error_message="The subscription has this add-on already: change its quantity.",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1),
                name="subscription_addon_at_least_one",
                violation_error_message="The quantity must be 1 or more: remove the add-on instead.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.addon}"


class SubscriptionQuantity(models.Model):
    """How many units of a feature the subscription commits to: its seats."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="quantities")
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT, related_name="subscription_quantities")
    quantity = models.PositiveIntegerField()

    class Meta:
        ordering = ["feature__ref_id"]
        verbose_name_plural = "subscription quantities"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "feature"],
                name="subscription_quantity_once_per_feature",
                violation_error_message="The subscription has a quantity of this feature already: change that one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.feature.units_plural or self.feature}"


class PriceOverride(models.Model):
    """What this subscription pays instead of a charge's list price, in the payer's currency."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="price_overrides")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="overrides")
    amount = models.DecimalField(
        **MONEY, null=True, blank=True, help_text="Whole currency units. Empty when there are tiers."
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "price"],
                name="price_override_once_per_price",
                violation_error_message="This price is overridden already: change that override.",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0),
                name="price_override_not_negative",
                violation_error_message="A price cannot be negative: a discount is a coupon.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price}: {self.amount if self.amount is not None else 'tiers'}"


class PriceOverrideTier(models.Model):
    """A step of an overridden tiered price; the last one has no upper end."""

    price_override = models.ForeignKey(PriceOverride, on_delete=models.CASCADE, related_name="tiers")
    up_to = models.PositiveBigIntegerField(null=True, blank=True)
    unit_price = models.DecimalField(**MONEY, null=True, blank=True)
    flat_price = models.DecimalField(**MONEY, null=True, blank=True)

    class Meta:
        ordering = [models.F("up_to").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(fields=["price_override", "up_to"], name="price_override_tier_once_per_bound"),
            models.UniqueConstraint(
                fields=["price_override"], condition=Q(up_to__isnull=True), name="price_override_tier_one_open_end"
            ),
            models.CheckConstraint(
                condition=Q(unit_price__isnull=False) | Q(flat_price__isnull=False),
                name="price_override_tier_has_a_price",
            ),
        ]

    def __str__(self) -> str:
        return f"up to {self.up_to if self.up_to is not None else 'any'}"


class CustomerCoupon(models.Model):
    """The one coupon a customer holds: it applies to every paid subscription without a coupon of its own.

    It lives here because customers and coupons are strangers: only subscriptions know both.
    """

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="customer_coupon")
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="customer_coupons")

    def __str__(self) -> str:
        return f"{self.customer}: {self.coupon}"
