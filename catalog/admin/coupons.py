from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest

from catalog.admin.entity import EntityAdmin
from catalog.models import Coupon, CouponAmount
from catalog.publishing import archive_coupon
from catalog.validation import coupon_problems


class CouponAmountFormSet(BaseInlineFormSet[CouponAmount, Coupon, forms.ModelForm[CouponAmount]]):
    """Amounts that fit the type of their coupon."""

    def clean(self) -> None:
        super().clean()
        rows = [form.cleaned_data for form in self.forms if form.is_valid()]
        currencies = [row["currency"] for row in rows if row.get("currency") and not row.get("DELETE")]
        if problems := coupon_problems(coupon_type=self.instance.coupon_type, currencies=currencies):
            raise ValidationError(problems)


class CouponAmountInline(admin.TabularInline[CouponAmount, Coupon]):
    model = CouponAmount
    formset = CouponAmountFormSet
    extra = 1

    # What a coupon takes off is immutable in Stigg: those who have it were promised it.
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_delete_permission(request, obj)


@admin.register(Coupon)
class CouponAdmin(EntityAdmin[Coupon]):
    list_display = ("ref_id", "display_name", "coupon_type", "percent_off", "duration_in_months", "status")
    list_filter = ("status", "coupon_type")
    search_fields = ("ref_id", "display_name", "billing_id")
    immutable_fields = ("ref_id", "coupon_type", "percent_off", "duration_in_months")
    readonly_fields = ("status",)
    fieldsets = (
        (None, {"fields": ("ref_id", "display_name", "description", "status")}),
        (
            "What it takes off",
            {
                "fields": ("coupon_type", "percent_off", "duration_in_months"),
                "description": "A percentage, or an amount per currency below. It cannot be changed later.",
            },
        ),
        ("More", {"fields": ("billing_id", "metadata")}),
    )
    inlines = (CouponAmountInline,)
    actions = ("archive",)

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Coupon]) -> None:
        self.each(request, queryset, verb=lambda coupon: archive_coupon(coupon=coupon), done="archived")
