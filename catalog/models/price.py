from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from catalog.models.feature import Feature
from catalog.models.package import Addon, Package, Plan, PricingType
from catalog.models.reference import MONEY, plain_number, validate_country, validate_currency


class BillingModel(models.TextChoices):
    FLAT_FEE = "FLAT_FEE"
    PER_UNIT = "PER_UNIT"
    USAGE_BASED = "USAGE_BASED"
    CREDIT_BASED = "CREDIT_BASED"
    MINIMUM_SPEND = "MINIMUM_SPEND"


class BillingCadence(models.TextChoices):
    RECURRING = "RECURRING"
    ONE_OFF = "ONE_OFF"


class BillingPeriod(models.TextChoices):
    MONTHLY = "MONTHLY"
    ANNUALLY = "ANNUALLY"


class TiersMode(models.TextChoices):
    VOLUME = "VOLUME"
    GRADUATED = "GRADUATED"


class PriceQuerySet(models.QuerySet["Price"]):
    def of_version(self, version_number: int | models.F) -> Self:
        """Return the prices of one version, with all that a reader of prices needs."""
        return self.filter(version_number=version_number).select_related("feature").prefetch_related("amounts__tiers")


class Price(models.Model):
    """A charge of one version of a plan or an add-on.

    What it costs hangs on its amounts (one per currency and, where localised, country); tiers hang on the amounts.
    """

    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.CASCADE, related_name="prices")
    addon = models.ForeignKey(
        Addon, null=True, blank=True, on_delete=models.CASCADE, related_name="prices", verbose_name="add-on"
    )
    version_number = models.PositiveIntegerField("version", default=1)
    billing_model = models.CharField(max_length=13, choices=BillingModel)
    billing_cadence = models.CharField(max_length=9, choices=BillingCadence, default=BillingCadence.RECURRING)
    billing_period = models.CharField(max_length=8, choices=BillingPeriod)
    feature = models.ForeignKey(Feature, null=True, blank=True, on_delete=models.PROTECT, related_name="prices")
    tiers_mode = models.CharField(max_length=9, choices=TiersMode, blank=True)
    block_size = models.PositiveIntegerField(
        null=True, blank=True, help_text="Units per block; more than 1 is package pricing."
    )
    min_unit_quantity = models.PositiveIntegerField("fewest units", null=True, blank=True)
    max_unit_quantity = models.PositiveIntegerField("most units", null=True, blank=True)
    billing_id = models.CharField("billing ID", max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PriceQuerySet.as_manager()

    class Meta:
        ordering = ["billing_period", "billing_model", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(plan__isnull=False, addon__isnull=True) | Q(plan__isnull=True, addon__isnull=False),
                name="price_of_a_plan_or_of_an_addon",
                violation_error_message="A price belongs to a plan or to an add-on: choose one of them.",
            ),
            models.CheckConstraint(
                condition=~Q(billing_model__in=["PER_UNIT", "USAGE_BASED"]) | Q(feature__isnull=False),
                name="price_per_unit_names_its_feature",
                violation_error_message="A price per unit or by usage needs the feature that is counted: choose one.",
            ),
            models.CheckConstraint(
                condition=~Q(billing_model="FLAT_FEE") | Q(feature__isnull=True, tiers_mode=""),
                name="price_flat_fee_counts_nothing",
                violation_error_message="A flat fee has no feature and no tiers: clear both, or change the model.",
            ),
            models.CheckConstraint(
                condition=Q(billing_cadence="RECURRING") | ~Q(billing_model="USAGE_BASED"),
                name="price_usage_recurs",
                violation_error_message="Usage is billed every period: set the cadence to RECURRING.",
            ),
            models.CheckConstraint(
                condition=Q(min_unit_quantity__isnull=True)
                | Q(max_unit_quantity__isnull=True)
                | Q(min_unit_quantity__lte=models.F("max_unit_quantity")),
                name="price_unit_limits_in_order",
                violation_error_message="The fewest units must not be more than the most units.",
            ),
            models.CheckConstraint(
                condition=Q(block_size__isnull=True) | Q(block_size__gte=1),
                name="price_block_of_one_or_more",
                violation_error_message="A block holds at least one unit; leave its size empty if there are no blocks.",
            ),
            # One charge per shape of a version: this is also what names it in the billing system, so that it stays the
            # same charge from version to version. Four constraints, because NULLs never collide.
            *(
                models.UniqueConstraint(
                    fields=[owner, "version_number", "billing_period", "billing_cadence", "billing_model", *feature],
                    condition=Q(feature__isnull=not feature, **{f"{owner}__isnull": False}),
                    name=f"price_once_per_{owner}_{'feature' if feature else 'fee'}",
                    violation_error_message=(
                        "This version has such a charge for that billing period already: change that one."
                    ),
                )
                for owner in ("plan", "addon")
                for feature in ([], ["feature"])
            ),
        ]

    def __str__(self) -> str:
        counted = f" per {self.feature.units_singular or self.feature}" if self.feature else ""
        return f"{self.get_billing_period_display()} {self.get_billing_model_display()}{counted}"

    @property
    def package(self) -> Package:
        """The plan or add-on that it prices."""
        package = self.plan or self.addon
        if package is None:
            msg = "a price without a plan and an add-on was read before it was validated"
            raise ValueError(msg)
        return package

    @property
    def is_sold(self) -> bool:
        """Whether its version is or was on sale: it must stay as it is, for those who have it."""
        return self.package.is_published and self.version_number <= self.package.version_number

    def clean(self) -> None:
        """Check what lies beyond this row, against the other prices of the version.

        Usage is billed monthly: Stigg allows pay-as-you-go only where that is the sole billing period
        (https://docs.stigg.io, "Defining plan pricing", pay-as-you-go charges).
        """
        if bool(self.plan_id) == bool(self.addon_id):
            return  # the constraint has said so
        if self.package.pricing_type != PricingType.PAID:
            raise ValidationError(
                "%(package)s is %(type)s, and only a PAID plan or add-on has prices: change its pricing type first.",
                params={"package": self.package, "type": self.package.pricing_type},
            )
        others = self.package.prices.filter(version_number=self.version_number).exclude(pk=self.pk)
        charges = [(self.billing_model, self.billing_period), *others.values_list("billing_model", "billing_period")]
        if any(model == BillingModel.USAGE_BASED for model, _ in charges) and any(
            period == BillingPeriod.ANNUALLY for _, period in charges
        ):
            raise ValidationError(
                "Usage is billed only where MONTHLY is the sole billing period: make this price MONTHLY, or move the "
                "annual prices or the usage to a plan of their own."
            )


class PriceAmount(models.Model):
    """What a charge costs in one currency: an amount, or tiers."""

    price = models.ForeignKey(Price, on_delete=models.CASCADE, related_name="amounts")
    currency = models.CharField(max_length=3, validators=[validate_currency])
    billing_country_code = models.CharField(
        "country",
        max_length=2,
        blank=True,
        validators=[validate_country],
        help_text="ISO 3166 code of a localised price; empty for everybody else.",
    )
    amount = models.DecimalField(
        **MONEY, null=True, blank=True, help_text="Whole currency units. Empty when there are tiers."
    )

    class Meta:
        ordering = ["currency", "billing_country_code"]
        constraints = [
            models.UniqueConstraint(
                fields=["price", "currency", "billing_country_code"],
                name="price_amount_once_per_currency_and_country",
                violation_error_message="There is an amount in this currency already: change that one.",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0),
                name="price_amount_not_negative",
                violation_error_message="An amount cannot be negative: a discount is a coupon.",
            ),
        ]

    def __str__(self) -> str:
        return f"{'tiers' if self.amount is None else plain_number(self.amount)} {self.currency}"


def tier_constraints(name: str, *, of: str) -> list[models.BaseConstraint]:
    """Return what holds for the tiers `of` one amount: their bounds differ, and each has a price."""
    return [
        models.UniqueConstraint(
            fields=[of, "up_to"],
            name=f"{name}_once_per_bound",
            violation_error_message="Two tiers end at the same unit: give each its own end.",
        ),
        models.UniqueConstraint(
            fields=[of],
            condition=Q(up_to__isnull=True),
            name=f"{name}_one_open_end",
            violation_error_message="Only the last tier has no end: give the others theirs.",
        ),
        models.CheckConstraint(
            condition=Q(unit_price__isnull=False) | Q(flat_price__isnull=False),
            name=f"{name}_has_a_price",
            violation_error_message="A tier needs a price per unit, a flat price, or both.",
        ),
        models.CheckConstraint(
            condition=(Q(unit_price__isnull=True) | Q(unit_price__gte=0))
            & (Q(flat_price__isnull=True) | Q(flat_price__gte=0)),
            name=f"{name}_not_negative",
            violation_error_message="A tier's price cannot be negative.",
        ),
    ]


class PriceTier(models.Model):
    """A step of a tiered amount; the last one has no upper end."""

    price_amount = models.ForeignKey(PriceAmount, on_delete=models.CASCADE, related_name="tiers")
    up_to = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Last unit of the tier; empty for the last tier."
    )
    unit_price = models.DecimalField(**MONEY, null=True, blank=True)
    flat_price = models.DecimalField(**MONEY, null=True, blank=True)

    class Meta:
        ordering = [models.F("up_to").asc(nulls_last=True)]
        constraints = tier_constraints("price_tier", of="price_amount")

    def __str__(self) -> str:
        return f"up to {self.up_to if self.up_to is not None else 'any'}"
