"""What the admin pages of all Stigg entities share."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

M = TypeVar("M", bound=models.Model)


class ObjectField(forms.JSONField):
    """JSON whose emptied box means an empty object, not NULL; Django would not even look at an empty list."""

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        return {} if cleaned in self.empty_values else cleaned


class EntityAdmin(admin.ModelAdmin[M]):
    """Keeps the reference id once it is given, and tells why something cannot be deleted.

    Whoever must keep a row refuses its deletion by raising `ProtectedError(sentence, {row})`, from a `pre_delete`
    receiver for example, as the database layer does for rows that others point at. Nothing of that request is deleted.
    """

    formfield_overrides = {models.JSONField: {"form_class": ObjectField}}
    #: Fields that stay as they are once the row exists.
    immutable_fields: tuple[str, ...] = ("ref_id",)

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> list[Any] | tuple[Any, ...]:
        readonly = super().get_readonly_fields(request, obj)
        return readonly if obj is None else (*readonly, *self.immutable_fields)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError as refusal:
            self._tell(request, refusal)
            return HttpResponseRedirect("../change/")

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet[M], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            with transaction.atomic():
                return super().response_action(request, queryset, *args, **kwargs)
        except ProtectedError as refusal:
            self._tell(request, refusal)
            return HttpResponseRedirect(request.get_full_path())

    def each(self, request: HttpRequest, rows: Iterable[M], *, verb: Callable[[M], object], done: str) -> None:
        """Do one thing to each row, and say for each whether it was done or why it was refused."""
        for row in rows:
            try:
                verb(row)
            except ValidationError as refusal:
                self.message_user(request, f"{row}: {' '.join(refusal.messages)}", messages.ERROR)
            else:
                self.message_user(request, f"{row}: {done}.", messages.SUCCESS)

    def _tell(self, request: HttpRequest, refusal: ProtectedError) -> None:
        self.message_user(request, f"Nothing was deleted. {refusal.args[0]}", messages.ERROR)
