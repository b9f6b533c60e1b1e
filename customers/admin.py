from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from customers import archiving
from customers.models import Customer


class ObjectField(forms.JSONField):
    """JSON whose emptied box means an empty object, not NULL; Django would not even look at an empty list."""

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        return {} if cleaned in self.empty_values else cleaned


class IsArchived(admin.SimpleListFilter):
    title = "state"
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "In business"), ("yes", "Archived")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        return queryset.filter(archived_at__isnull=self.value() == "no") if self.value() else queryset


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin[Customer]):
    """Customers; a deletion that somebody refuses by raising ProtectedError is told, and nothing is deleted.

    The catalog's pages behave alike, but customers and catalog are strangers.
    """

    formfield_overrides = {models.JSONField: {"form_class": ObjectField}}
    list_display = ("ref_id", "name", "email", "billing_currency", "billing_country", "archived_at")
    list_filter = (IsArchived, "billing_currency", "billing_country")
    search_fields = ("ref_id", "name", "email", "billing_id")
    readonly_fields = ("archived_at", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("ref_id", "name", "email", "archived_at")}),
        (
            "Billing",
            {
                "fields": ("billing_currency", "payment_method_id", "billing_id"),
                "description": "Invoices need a currency and a country.",
            },
        ),
        (
            "Address",
            {
                "fields": (
                    "billing_line1",
                    "billing_line2",
                    ("billing_postal_code", "billing_city"),
                    ("billing_state", "billing_country"),
                )
            },
        ),
        ("More", {"fields": ("metadata", "created_at", "updated_at")}),
    )
    actions = ("archive", "unarchive")

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[Any] | tuple[Any, ...]:
        readonly = super().get_readonly_fields(request, obj)
        return readonly if obj is None else (*readonly, "ref_id")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError as refusal:
            self.message_user(request, f"Nothing was deleted. {refusal.args[0]}", messages.ERROR)
            return HttpResponseRedirect("../change/")

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Customer], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        try:
            with transaction.atomic():
                return super().response_action(request, queryset, *args, **kwargs)
        except ProtectedError as refusal:
            self.message_user(request, f"Nothing was deleted. {refusal.args[0]}", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        for customer in queryset:
            try:
                archiving.archive(customer=customer, now=timezone.now())
            except ValidationError as refusal:
                self.message_user(request, " ".join(refusal.messages), messages.ERROR)
            else:
                self.message_user(request, f"{customer}: archived.", messages.SUCCESS)

    @admin.action(description="Unarchive", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Customer]) -> None:
        for customer in queryset:
            try:
                archiving.unarchive(customer=customer)
            except ValidationError as refusal:
                self.message_user(request, " ".join(refusal.messages), messages.ERROR)
            else:
                self.message_user(request, f"{customer}: in business again.", messages.SUCCESS)
