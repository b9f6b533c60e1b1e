from typing import TYPE_CHECKING

from django.db import models

from catalog.models.product import Product
from catalog.models.reference import Dated, metadata_field, ref_id_field

if TYPE_CHECKING:
    from catalog.models.price import PriceQuerySet


class PricingType(models.TextChoices):
    FREE = "FREE"
    PAID = "PAID"
    CUSTOM = "CUSTOM"


class PackageStatus(models.TextChoices):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class Package(Dated):
    """A plan or an add-on: Stigg calls both packages, and prices both the same way.

    The row is the package for good; its prices carry the version they belong to, so that a running subscription keeps
    the prices of the version it was sold. `version_number` is the version on sale (the first one while still a draft).
    """

    ref_id = ref_id_field()
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="%(class)ss")
    display_name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    pricing_type = models.CharField(
        max_length=6,
        choices=PricingType,
        blank=True,
        help_text="Empty: not decided yet, and so it cannot be published.",
    )
    status = models.CharField(max_length=9, choices=PackageStatus, default=PackageStatus.DRAFT)
    version_number = models.PositiveIntegerField("version", default=1)
    billing_id = models.CharField(
        "billing ID", max_length=255, blank=True, help_text="Links an object that exists in the billing system already."
    )
    metadata = metadata_field()

    if TYPE_CHECKING:
        prices: PriceQuerySet

    class Meta:
        abstract = True
        ordering = ["ref_id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(version_number__gte=1),
                name="%(class)s_version_from_one",
                violation_error_message="Versions count from 1.",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def is_published(self) -> bool:
        """Whether it is, or was, on sale: a draft that was never published is nobody's business."""
        return self.status != PackageStatus.DRAFT


class Addon(Package):
    """Something bought beside a plan."""

    max_quantity = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit.")

    class Meta(Package.Meta):
        verbose_name = "add-on"


class Plan(Package):
    """What a customer subscribes to."""

    compatible_addons = models.ManyToManyField(Addon, blank=True, related_name="compatible_plans")
