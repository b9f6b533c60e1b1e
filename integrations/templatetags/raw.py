"""Links between a page of the console and the raw row behind it: `{% load raw %}`."""

from typing import Any
from urllib.parse import quote

from django import template
from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import NoReverseMatch, reverse

from integrations.models import ApiKey, AuditEntry, Connection, Delivery, Request, SyncJob, SyncRecord
from integrations.sections import SECTIONS, url_of_key

register = template.Library()
#: The page of a row by its model, and whether the address names the row.
_PAGES: dict[type[Model], tuple[str, bool]] = {
    Request: ("request", True),
    Connection: ("zuora", False),
    ApiKey: ("api_keys", False),
    User: ("person", True),
}


@register.inclusion_tag("integrations/tags/raw_row.html", takes_context=True)
def raw_row(context: template.Context, row: Model | None) -> dict[str, str]:
    """Link the row in Django admin, for whoever may look at it there."""
    user = context.get("user")
    if row is None or user is None or not user.is_staff:
        return {"url": ""}
    options = row._meta  # noqa: SLF001 - Django's public name for it
    if not user.has_perm(f"{options.app_label}.view_{options.model_name}"):
        return {"url": ""}
    try:
        return {"url": reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])}
    except NoReverseMatch:
        return {"url": ""}


@register.simple_tag
def console_url(row: Any) -> str:
    """Return the address of the page that shows a raw row, or nothing where there is none."""
    if isinstance(row, SyncRecord | SyncJob):
        return url_of_key(row.key)
    if isinstance(row, Delivery):
        return url_of_key(row.job.key)
    if isinstance(row, AuditEntry):
        return f"{reverse('audit_log')}?subject={quote(row.subject)}"
    if section := next((one for one in SECTIONS.values() if isinstance(row, one.model)), None):
        return section.url(row.ref_id)
    name, has_number = _PAGES.get(type(row), ("", False))
    return reverse(name, args=[row.pk] if has_number else []) if name else ""
