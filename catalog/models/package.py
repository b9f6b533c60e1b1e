from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from catalog.models.product import Product
from catalog.models.reference import Dated, metadata_field, ref_id_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog.models.price import PriceQuerySet


class PricingType(models.TextChoices):
    FREE = "FREE"
    PAID = "PAID"
    CUSTOM = "CUSTOM"


class PackageStatus(models.TextChoices):
    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    ARCHIVED = "ARCHIVED"


class TrialUnits(models.TextChoices):
    DAY = "DAY", "days"
    MONTH = "MONTH", "months"


class TrialEndBehavior(models.TextChoices):
    CONVERT_TO_PAID = "CONVERT_TO_PAID", "Becomes paid"
    CANCEL_SUBSCRIPTION = "CANCEL_SUBSCRIPTION", "Ends"


#: Nobody tries anything out for longer, in days or months; and every end of such a trial is on the calendar.
LONGEST_TRIAL = 1000


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

    @property
    def is_free(self) -> bool:
        return self.pricing_type == PricingType.FREE


class Addon(Package):
    """Something bought beside a plan."""

    max_quantity = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    dependencies = models.ManyToManyField(
        "self",
        symmetrical=False,
        blank=True,
        related_name="dependents",
        help_text="Add-ons that a subscription must hold to hold this one.",
    )

    class Meta(Package.Meta):
        verbose_name = "add-on"


class Plan(Package):
    """What a customer subscribes to.

    With a default trial, who buys it for the first time begins in trial, unless the order says otherwise.
    """

    compatible_addons = models.ManyToManyField(Addon, blank=True, related_name="compatible_plans")
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="children",
        verbose_name="parent plan",
        help_text="The plan whose entitlements it inherits in Stigg. Prices are not inherited.",
    )
    trial_duration = models.PositiveIntegerField("default trial", null=True, blank=True, help_text="Empty: none.")
    trial_units = models.CharField("in", max_length=5, choices=TrialUnits, default=TrialUnits.DAY)
    trial_end_behavior = models.CharField(
        "at the trial's end", max_length=19, choices=TrialEndBehavior, default=TrialEndBehavior.CONVERT_TO_PAID
    )

    class Meta(Package.Meta):
        constraints = [
            *Package.Meta.constraints,
            models.CheckConstraint(
                condition=Q(trial_duration__isnull=True) | Q(trial_duration__gte=1, trial_duration__lte=LONGEST_TRIAL),
                name="plan_trial_of_a_possible_length",
                violation_error_message=f"A trial lasts from 1 to {LONGEST_TRIAL} days or months.",
            ),
            models.CheckConstraint(
                condition=Q(trial_duration__isnull=True) | ~Q(pricing_type="FREE"),
                name="plan_trial_of_what_costs_something",
                violation_error_message="A free plan has no trial: there is nothing to pay afterwards.",
            ),
        ]

    def clean(self) -> None:
        """Check that no plan inherits from itself, however far away."""
        super().clean()
        if self.pk and any(plan.pk == self.pk for plan in self.ancestors()):
            raise ValidationError(
                f"{self} cannot have {self.parent} as its parent: that one inherits from {self}.",
                code="PlansCircularDependencyError",
            )

    def ancestors(self) -> "Iterator[Plan]":
        """Yield its parent, that one's parent and so on, each once."""
        seen: set[int] = set()
        plan = self.parent
        while plan is not None and plan.pk not in seen:
            seen.add(plan.pk)
            yield plan
            plan = plan.parent
