from django.db import models
from django.db.models import Q

from catalog.models.reference import MONEY, Dated, metadata_field, plain_number, ref_id_field, validate_currency


class CouponType(models.TextChoices):
    PERCENTAGE = "PERCENTAGE"
    FIXED = "FIXED"


class CouponStatus(models.TextChoices):
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class Coupon(Dated):
    """A discount: a percentage, or an amount per currency, for some months or for ever."""

    ref_id = ref_id_field()
    display_name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    coupon_type = models.CharField("type", max_length=10, choices=CouponType)
    percent_off = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    duration_in_months = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: it does not end.")
    status = models.CharField(max_length=8, choices=CouponStatus, default=CouponStatus.ACTIVE)
    billing_id = models.CharField("billing ID", max_length=255, blank=True)
    metadata = metadata_field()

    class Meta:
        ordering = ["ref_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(coupon_type="FIXED", percent_off__isnull=True)
                | Q(coupon_type="PERCENTAGE", percent_off__gt=0, percent_off__lte=100),
                name="coupon_percentage_from_0_to_100",
                violation_error_message=(
                    "A PERCENTAGE coupon takes more than 0 and at most 100 percent off; a FIXED one has amounts."
                ),
            ),
            models.CheckConstraint(
                condition=Q(duration_in_months__isnull=True) | Q(duration_in_months__gte=1),
                name="coupon_lasts_a_month_or_more",
                violation_error_message="A coupon lasts a month or more; leave the duration empty if it does not end.",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name


class CouponAmount(models.Model):
    """What a fixed coupon takes off in one currency."""

    coupon = models.ForeignKey(Coupon, on_delete=models.CASCADE, related_name="amounts")
    currency = models.CharField(max_length=3, validators=[validate_currency])
    amount = models.DecimalField(**MONEY)

    class Meta:
        ordering = ["currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "currency"],
                name="coupon_amount_once_per_currency",
                violation_error_message="There is an amount in this currency already: change that one.",
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0),
                name="coupon_amount_positive",
                violation_error_message="Give the amount to take off as a positive number.",
            ),
        ]

    def __str__(self) -> str:
        return f"{plain_number(self.amount)} {self.currency}"
