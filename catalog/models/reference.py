"""What every Stigg entity is known by."""

from django.core.validators import RegexValidator
from django.db import models

#: Stigg's reference ids are slugs of the caller's own: e-mail addresses and piped ids are met in practice.
validate_ref_id = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9_.:@|+-]*$",
    "Use letters, digits and . _ - : @ | + only, and begin with a letter or a digit.",
)

validate_currency = RegexValidator(r"^[A-Z]{3}$", "Give the ISO 4217 code in capitals, for example EUR.")

#: Whole currency units, as in Stigg (49 is 49.00). Zuora holds 13 digits before and 9 after the point.
MONEY = {"max_digits": 22, "decimal_places": 9}


def ref_id_field() -> "models.CharField[str, str]":
    """Return the field for an entity's immutable Stigg id."""
    return models.CharField(
        "reference id",
        max_length=255,
        unique=True,
        validators=[validate_ref_id],
        help_text="Stigg's own id. It cannot be changed later.",
    )
