from django.db import models

from catalog.models.reference import Dated, metadata_field, ref_id_field


class ProductStatus(models.TextChoices):
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class Product(Dated):
    """Groups the plans and add-ons of which a customer holds one subscription (or one per resource)."""

    ref_id = ref_id_field()
    display_name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=9, choices=ProductStatus, default=ProductStatus.PUBLISHED)
    multiple_subscriptions = models.BooleanField(
        default=False, help_text="A customer may hold one subscription per resource."
    )
    metadata = metadata_field()

    class Meta:
        ordering = ["ref_id"]

    def __str__(self) -> str:
        return self.display_name
