from django.db import models

from catalog.models.reference import Dated, metadata_field, ref_id_field


class FeatureType(models.TextChoices):
    BOOLEAN = "BOOLEAN"
    NUMBER = "NUMBER"
    ENUM = "ENUM"


class MeterType(models.TextChoices):
    NONE = "NONE"
    FLUCTUATING = "FLUCTUATING"
    INCREMENTAL = "INCREMENTAL"


class FeatureStatus(models.TextChoices):
    NEW = "NEW"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class Feature(Dated):
    """What a plan gives: seats, API calls, single sign-on. Its unit is what a charge counts."""

    ref_id = ref_id_field()
    display_name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    feature_type = models.CharField(max_length=7, choices=FeatureType, default=FeatureType.NUMBER)
    meter_type = models.CharField(max_length=11, choices=MeterType, default=MeterType.NONE)
    status = models.CharField(max_length=9, choices=FeatureStatus, default=FeatureStatus.ACTIVE)
    units_singular = models.CharField("unit, singular", max_length=255, blank=True, help_text="For example seat.")
    units_plural = models.CharField("unit, plural", max_length=255, blank=True, help_text="For example seats.")
    enum_configuration = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text='What an ENUM feature can be, for example [{"value": "gold", "displayName": "Gold"}].',
    )
    metadata = metadata_field()

    class Meta:
        ordering = ["ref_id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(meter_type="NONE") | models.Q(feature_type="NUMBER"),
                name="feature_only_numbers_are_metered",
                violation_error_message="Only a NUMBER feature has a meter: change its type, or set the meter to NONE.",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name
