from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, ProtectedError, QuerySet
from django.http import HttpRequest

from catalog.admin.entity import EntityAdmin
from catalog.admin.tiers import TieredAmountForm, TieredAmountFormSet, TieredAmountInline
from catalog.models import Package, Price, PriceAmount
from catalog.publishing import drafted_version
from catalog.validation import NO_AMOUNT

ON_SALE = "This version is on sale, and stays as it is: start a draft, change the price there, and publish the draft."


class PriceForm(forms.ModelForm[Price]):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        package = cleaned.get("plan") or cleaned.get("addon")
        if not self.instance.pk and package is not None:
            draft = drafted_version(package=package)
            if draft is None:
                raise ValidationError(f"{package} has no draft: start one, then add the price.")
            self.instance.version_number = draft
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # Django leaves out constraints that touch a field the form does not show: here the version, and on the change
        # page the plan and the add-on. They are set all the same, and two equal charges would be a server error.
        left_out: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # not in the stubs
        return left_out - {"plan", "addon", "version_number"}


class PriceAmountForm(TieredAmountForm[PriceAmount]):
    """An amount with its tiers."""


class PriceAmountFormSet(TieredAmountFormSet[PriceAmount, Price]):
    def clean(self) -> None:
        super().clean()
        kept = self.kept_forms()
        for form in kept:
            form.check_amount(tiers_mode=self.instance.tiers_mode)
        if not kept and all(form.is_valid() for form in self.forms):
            raise ValidationError(NO_AMOUNT)


class PriceAmountInline(TieredAmountInline[PriceAmount, Price]):
    model = PriceAmount
    form = PriceAmountForm
    formset = PriceAmountFormSet
    fields = ("currency", "billing_country_code", "amount", "tiers")
    extra = 1

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_sold)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and not (obj and obj.is_sold)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_sold)


@admin.register(Price)
class PriceAdmin(EntityAdmin[Price]):
    """One charge, with its amounts and tiers: editable in a draft, shown as it is once it was sold."""

    form = PriceForm
    list_display = (
        "package",
        "version_number",
        "billing_model",
        "billing_cadence",
        "billing_period",
        "feature",
        "costs",
    )
    list_filter = ("billing_model", "billing_cadence", "billing_period")
    list_select_related = ("plan", "addon", "feature")
    search_fields = ("plan__ref_id", "plan__display_name", "addon__ref_id", "addon__display_name", "feature__ref_id")
    autocomplete_fields = ("plan", "addon", "feature")
    readonly_fields = ("version_number",)
    immutable_fields = ("plan", "addon")
    inlines = (PriceAmountInline,)

    def get_fieldsets(self, request: HttpRequest, obj: Price | None = None) -> Any:
        told = ON_SALE if obj and obj.is_sold else "It belongs to the draft of its plan or add-on."
        return (
            (None, {"fields": ("plan", "addon", "version_number"), "description": told}),
            ("Charge", {"fields": ("billing_model", "feature", "billing_cadence", "billing_period")}),
            ("Quantity", {"fields": ("tiers_mode", "block_size", "min_unit_quantity", "max_unit_quantity")}),
            ("More", {"fields": ("billing_id",)}),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        return super().get_queryset(request).prefetch_related("amounts")

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_sold)

    def delete_model(self, request: HttpRequest, obj: Price) -> None:
        keep_what_is_sold([obj])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> None:
        keep_what_is_sold(queryset)
        super().delete_queryset(request, queryset)

    @admin.display(description="plan or add-on")
    def package(self, price: Price) -> Package:
        return price.package

    @admin.display(description="amounts")
    def costs(self, price: Price) -> str:
        return costs(price)


def costs(price: Price) -> str:
    """Write what a price costs, in each of its currencies."""
    return ", ".join(str(amount) for amount in price.amounts.all())


def keep_what_is_sold(prices: Iterable[Price]) -> None:
    """Raise ProtectedError if one of the prices was sold."""
    sold: set[Model] = {price for price in prices if price.is_sold}
    if sold:
        raise ProtectedError(ON_SALE, sold)
