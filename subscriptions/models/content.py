"""What a subscription holds beside its plan."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from catalog.models import Addon, BillingModel, Coupon, Feature, PackageStatus, Price, PricingType
from catalog.models.price import PriceQuerySet, tier_constraints
from catalog.models.reference import MONEY, plain_number
from customers.models import Customer
from subscriptions.models.subscription import Subscription


class SubscriptionAddon(models.Model):
    """An add-on, so many times, in the version that it was sold."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="addons")
    addon = models.ForeignKey(
        Addon, on_delete=models.PROTECT, related_name="subscription_addons", verbose_name="add-on"
    )
    addon_version_number = models.PositiveIntegerField(
        "add-on version", blank=True, help_text="Empty: the one on sale."
    )
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.take_version_on_sale()
        super().save(*args, **kwargs)

    def take_version_on_sale(self) -> None:
        """Sell the version that is on sale, unless a version was named."""
        if not self.addon_version_number:
            self.addon_version_number = self.addon.version_number

    def clean(self) -> None:
        """Check that the plan goes with this add-on, and that it is sold so often and for that billing period."""
        if not (self.addon_id and self.subscription.plan_id):
            return  # the fields have said so
        self.take_version_on_sale()
        plan, period = self.subscription.plan, self.subscription.billing_period
        compatible = list(plan.compatible_addons.all())
        errors: dict[str, str | ValidationError] = {}
        if self._state.adding and self.addon.status != PackageStatus.PUBLISHED:
            errors["addon"] = f"{self.addon} is not on sale: publish it first, or choose a published add-on."
        elif compatible and self.addon not in compatible:
            offered = ", ".join(str(addon) for addon in compatible)
            errors["addon"] = ValidationError(
                f"{plan} does not go with {self.addon}: choose {offered}, or add it to the plan.",
                code="IncompatibleSubscriptionAddon",
            )
        elif self.addon.pricing_type == PricingType.PAID and not self._prices(period).exists():
            errors["addon"] = (
                f"{self.addon}, version {self.addon_version_number}, has no {period} price: add one first."
            )
        if self.addon_version_number > self.addon.version_number:
            errors["addon_version_number"] = (
                f"{self.addon} is on sale in version {self.addon.version_number}: choose up to that one, or none."
            )
        if self.addon.max_quantity is not None and (self.quantity or 0) > self.addon.max_quantity:
            errors["quantity"] = ValidationError(
                f"{self.addon} is sold {self.addon.max_quantity} times at most: lower the quantity.",
                code="AddonQuantityExceedsLimitError",
            )
        if errors:
            raise ValidationError(errors)

    def _prices(self, billing_period: str) -> PriceQuerySet:
        return self.addon.prices.filter(version_number=self.addon_version_number, billing_period=billing_period)


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

    def clean(self) -> None:
        """Check that a plan or an add-on of the subscription is sold by this unit, and in this quantity."""
        if not (self.feature_id and self.subscription.plan_id) or self.quantity is None:
            return  # the fields have said so
        per_unit = [
            price
            for price in self.subscription.prices()
            if price.billing_model == BillingModel.PER_UNIT and price.feature_id == self.feature_id
        ]
        if not per_unit:
            raise ValidationError(
                {
                    "feature": f"Neither the plan nor an add-on of this subscription is sold per {self.feature}: "
                    "choose a feature that is, or delete this quantity."
                }
            )
        for price in per_unit:
            fewest, most = price.min_unit_quantity or 1, price.max_unit_quantity
            if self.quantity < fewest or (most is not None and self.quantity > most):
                limits = f"at least {fewest}" if most is None else f"{fewest} to {most}"
                raise ValidationError({"quantity": f"{price.package} is sold for {limits}: change the quantity."})


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
        return f"{self.price}: {'tiers' if self.amount is None else plain_number(self.amount)}"

    def clean(self) -> None:
        """Check that the subscription is charged this price at all."""
        if not (self.price_id and self.subscription.plan_id):
            return  # the fields have said so
        if self.price not in self.subscription.prices():
            raise ValidationError(
                {
                    "price": f"{self.price.package}, version {self.price.version_number}, {self.price.billing_period}, "
                    "is not what this subscription holds: choose a price of its plan or of its add-ons, or delete "
                    "this override."
                }
            )


class PriceOverrideTier(models.Model):
    """A step of an overridden tiered price; the last one has no upper end."""

    price_override = models.ForeignKey(PriceOverride, on_delete=models.CASCADE, related_name="tiers")
    up_to = models.PositiveBigIntegerField(null=True, blank=True)
    unit_price = models.DecimalField(**MONEY, null=True, blank=True)
    flat_price = models.DecimalField(**MONEY, null=True, blank=True)

    class Meta:
        ordering = [models.F("up_to").asc(nulls_last=True)]
        constraints = tier_constraints("price_override_tier", of="price_override")

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
