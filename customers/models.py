from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q


def validate_metadata(value: Any) -> None:
    """Stigg's metadata is one flat object of texts; anything else raises ValidationError."""
    if not isinstance(value, dict):
        raise ValidationError('Metadata is an object of texts, for example {"region": "emea"}.')
    for key, text in value.items():
        if not isinstance(text, str):
            raise ValidationError(
                'Metadata holds texts only: write the value of "%(key)s" in quotes, without lists or objects in it.',
                params={"key": key},
            )


class Customer(models.Model):
    """Who buys. Card data never comes here: the payment method is an id of the billing system's."""

    ref_id = models.CharField(
        "reference id",
        max_length=255,
        unique=True,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9_.:@|+-]*$",
                "Use letters, digits and . _ - : @ | + only, and begin with a letter or a digit.",
            )
        ],
        help_text="Stigg's own id. It cannot be changed later.",
    )
    name = models.CharField(max_length=255, blank=True)
    email = models.EmailField(blank=True)
    billing_currency = models.CharField(
        max_length=3,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{3}$", "Give the ISO 4217 code in capitals, for example EUR.")],
    )
    billing_line1 = models.CharField("address, line 1", max_length=255, blank=True)
    billing_line2 = models.CharField("address, line 2", max_length=255, blank=True)
    billing_city = models.CharField("city", max_length=255, blank=True)
    billing_state = models.CharField("state", max_length=255, blank=True)
    billing_postal_code = models.CharField("postal code", max_length=32, blank=True)
    billing_country = models.CharField(
        "country",
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{2}$", "Give the ISO 3166 code in capitals, for example DE.")],
    )
    payment_method_id = models.CharField(
        max_length=255,
        blank=True,
        help_text="Id of a payment method that the billing system holds. Never a card number.",
    )
    billing_id = models.CharField(
        "billing ID",
        max_length=255,
        blank=True,
        help_text="Links an account that exists in the billing system already.",
    )
    metadata = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_metadata],
        help_text='Texts by key, for example {"region": "emea"}.',
    )
    billing_metadata = models.JSONField(
        default=dict, blank=True, validators=[validate_metadata], help_text="Texts for the billing system alone."
    )
    language = models.CharField(max_length=35, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["ref_id"]
        indexes = [models.Index(fields=["name", "ref_id"], name="customer_by_name")]
        constraints = [
            models.CheckConstraint(
                condition=Q(billing_currency="") | Q(billing_currency__regex=r"^[A-Z]{3}$"),
                name="customer_currency_is_a_code",
                violation_error_message="Give the ISO 4217 code in capitals, for example EUR.",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.ref_id

    @property
    def has_billing_information(self) -> bool:
        """Whether it can be billed at all: an invoice needs a currency and a country."""
        return bool(self.billing_currency and self.billing_country)

    @property
    def has_payment_method(self) -> bool:
        return bool(self.payment_method_id)
