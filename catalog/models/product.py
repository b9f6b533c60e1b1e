from django.core.exceptions import ValidationError
from django.db import models

from catalog.models.reference import Dated, metadata_field, ref_id_field


class ProductStatus(models.TextChoices):
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class CancellationTime(models.TextChoices):
    IMMEDIATE = "IMMEDIATE"
    END_OF_BILLING_PERIOD = "END_OF_BILLING_PERIOD"
    SPECIFIC_DATE = "SPECIFIC_DATE"


class Product(Dated):
    """Groups the plans and add-ons of which a customer holds one subscription (or one per resource)."""

    ref_id = ref_id_field()
    display_name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=9, choices=ProductStatus, default=ProductStatus.PUBLISHED)
    multiple_subscriptions = models.BooleanField(
        default=False, help_text="A customer may hold one subscription per resource."
    )
    cancellation_time = models.CharField(
        "cancellations take effect",
        max_length=21,
        choices=CancellationTime,
        default=CancellationTime.IMMEDIATE,
        help_text="Where a cancellation does not say it itself.",
    )
    downgrade_plan = models.ForeignKey(
        "catalog.Plan",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="downgraded_products",
        help_text="The free plan that a customer gets when a subscription or a trial runs out. Empty: none.",
    )
    metadata = metadata_field()

    class Meta:
        ordering = ["ref_id"]

    def __str__(self) -> str:
        return self.display_name

    def clean(self) -> None:
        """Check that what a customer falls back to is a free plan of this product."""
        plan = self.downgrade_plan
        if plan is not None and not (plan.product_id == self.pk and plan.is_free and plan.is_published):
            raise ValidationError(
                {"downgrade_plan": f"{plan} is no free plan of {self} that is on sale: choose one that is."}
            )
