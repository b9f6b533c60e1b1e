"""What every Stigg entity is known by."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

#: Stigg's reference ids are slugs of the caller's own: e-mail addresses and piped ids are met in practice.
REF_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:@|+-]*$"

validate_ref_id = RegexValidator(
    REF_ID_PATTERN,
    "Use letters, digits and . _ - : @ | + only, and begin with a letter or a digit.",
)

validate_currency = RegexValidator(r"^[A-Z]{3}$", "Give the ISO 4217 code in capitals, for example EUR.")

validate_country = RegexValidator(r"^[A-Z]{2}$", "Give the ISO 3166 code in capitals, for example DE.")


class _Digits(TypedDict):
    max_digits: int
    decimal_places: int


#: Whole currency units, as in Stigg (49 is 49.00). Zuora holds 13 digits before and 9 after the point.
MONEY: _Digits = {"max_digits": 22, "decimal_places": 9}


def plain_number(number: Decimal) -> str:
    """Return the number as people write it: without the zeros that the database keeps behind it."""
    return f"{number.normalize():f}"


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


class Dated(models.Model):
    """A row that knows when it was made and changed, whatever part of it was saved."""

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        fields = None if update_fields is None else {*update_fields, "updated_at"}
        super().save(*args, update_fields=fields, **kwargs)


def ref_id_field() -> "models.CharField[str, str]":
    """Return the field for an entity's immutable Stigg id."""
    return models.CharField(
        "reference id",
        max_length=255,
        unique=True,
        validators=[validate_ref_id],
        help_text="Stigg's own id. It cannot be changed later.",
    )


def metadata_field() -> "models.JSONField[Any, Any]":
    """Return the field for what a caller notes about an entity."""
    return models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_metadata],
        help_text='Texts by key, for example {"region": "emea"}.',
    )
