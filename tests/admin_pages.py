"""Django admin's pages, used as a browser uses them: what a page shows is what is posted back."""

from html import unescape
from typing import Any

from django import forms
from django.test import Client
from django.urls import reverse


def url(model: str, page: str, *args: Any) -> str:
    """Return the address of an admin page; `model` is written as app_model."""
    return reverse(f"admin:{model}_{page}", args=args)


def text(response: Any) -> str:
    return unescape(response.content.decode())


def shown(response: Any) -> dict[str, Any]:
    """Return what the browser would post if nobody touched the page, empty rows included."""
    data: dict[str, Any] = {}
    bound = [response.context["adminform"].form]
    for inline in response.context["inline_admin_formsets"]:
        bound += [inline.formset.management_form, *inline.formset.forms]
    for form in bound:
        for field in form:
            data |= _posted(field)
    return {name: value for name, value in data.items() if value is not None and value is not False}


def post(client: Client, address: str, **changes: Any) -> Any:
    """Open a page, change what is given (`__` stands for `-` in a name), post it, and return where that led."""
    data = shown(client.get(address)) | {name.replace("__", "-"): value for name, value in changes.items()}
    return client.post(address, data, follow=True)


def act(client: Client, model: str, action: str, *rows: Any, **more: Any) -> Any:
    """Run an action of a list on some rows, and return the list with what it says."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(url(model, "changelist"), data, follow=True)


def said(response: Any) -> list[str]:
    """Return the messages on top of a page."""
    return [str(message) for message in response.context["messages"]]


def complaints(response: Any) -> list[str]:
    """Return every error on a form's page."""
    form = response.context["adminform"].form
    found = [error for errors in form.errors.values() for error in errors]
    for inline in response.context["inline_admin_formsets"]:
        found += inline.formset.non_form_errors()
        found += [error for row in inline.formset.errors for errors in row.values() for error in errors]
    return [unescape(str(error)) for error in found]


def _posted(field: forms.BoundField) -> dict[str, Any]:
    value, widget = field.value(), field.field.widget
    if isinstance(widget, forms.MultiWidget):
        return {f"{field.html_name}_{i}": part for i, part in enumerate(widget.decompress(value) or [])}
    return {field.html_name: value}
