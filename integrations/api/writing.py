"""How what was sent becomes a row: checked as in a form, and refused when its id is taken."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.db import models

from integrations.api.errors import conflict
from integrations.api.schema import Input
from usage.checking import Reason

_Row = TypeVar("_Row", bound=models.Model)


def values(
    body: Input, *, kind: type[models.Model], renamed: Mapping[str, str], without: Collection[str] = ()
) -> dict[str, Any]:
    """Return what was sent, by the names of the model's fields; null clears what cannot be null itself."""
    found = {}
    for name, value in body.given().items():
        if name in without:
            continue
        field = kind._meta.get_field(renamed.get(name, name))  # noqa: SLF001 - Django's public name for it
        if value is None and isinstance(field, models.Field) and not field.null:
            value = field.get_default()  # noqa: PLW2901 - what is stored in its place
        found[field.name] = value
    return found


def create(row: _Row, *, ref_id: str) -> _Row:
    """Store a new row.

    Raises:
        ApiError: its id is taken.
        ValidationError: it breaks a rule.
    """
    kind = type(row)
    if kind._default_manager.filter(ref_id=ref_id).exists():  # noqa: SLF001 - Django's public name for it
        name = kind._meta.verbose_name  # noqa: SLF001 - as above
        raise conflict(Reason.DUPLICATE, f"There is a {name} with the id {ref_id!r} already: change that one.")
    row.full_clean()
    row.save()
    return row


def update(row: _Row, changes: Mapping[str, Any]) -> _Row:
    """Change a row; when nothing changes nothing is saved, and nobody is told of it.

    Raises:
        ValidationError: it breaks a rule.
    """
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.full_clean()
        row.save(update_fields=changed)
    return row
