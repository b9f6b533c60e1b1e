"""What an id in a request stands for."""

from typing import TypeVar

from django.db import models

from integrations.api.errors import not_found
from usage.checking import is_storable

_Row = TypeVar("_Row", bound=models.Model)


def find(rows: models.QuerySet[_Row], ref_id: str) -> _Row:
    """Return the row with this id of Stigg's.

    Raises:
        ApiError: there is none, or it is none of `rows`.
    """
    found = rows.filter(ref_id=ref_id).first() if is_storable(ref_id) else None
    if found is None:
        code = f"{rows.model.__name__}NotFound"
        raise not_found(code, f"No {rows.model._meta.verbose_name} has the id {ref_id!r}.")  # noqa: SLF001 - Django's public name for it
    return found
