"""Secrets at rest."""

from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


def _cipher() -> MultiFernet:
    if not settings.ENCRYPTION_KEYS:
        raise ImproperlyConfigured("Set ENCRYPTION_KEYS: without a key no secret can be stored or read.")
    return _cipher_with(*settings.ENCRYPTION_KEYS)


@cache
def _cipher_with(*keys: str) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedField(models.TextField[str, str]):
    """Text that is encrypted in the database: the first of ENCRYPTION_KEYS encrypts, all of them decrypt.

    Raises:
        ImproperlyConfigured: if the key that encrypted the stored text is not among ENCRYPTION_KEYS.
    """

    def get_prep_value(self, value: Any) -> Any:
        return _cipher().encrypt(value.encode()).decode() if value else ""

    def from_db_value(self, value: Any, *_: Any) -> str:
        if not value:
            return ""
        try:
            return _cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            raise ImproperlyConfigured(
                "A stored secret was encrypted with a key that is not among ENCRYPTION_KEYS: add it at the end."
            ) from None
