from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.admin.entity import EntityAdmin
from subscriptions.models import CustomerCoupon
from subscriptions.past import changed_with_customer


@admin.register(CustomerCoupon)
class CustomerCouponAdmin(EntityAdmin[CustomerCoupon]):
    """The coupon that a customer holds; it has no page at the customer, who knows nothing of coupons."""

    list_display = ("customer", "coupon")
    list_select_related = ("customer", "coupon")
    search_fields = ("customer__ref_id", "customer__name", "coupon__ref_id", "coupon__display_name")
    autocomplete_fields = ("customer", "coupon")
    immutable_fields = ("customer",)

    def save_model(self, request: HttpRequest, obj: CustomerCoupon, form: Any, change: Any) -> None:
        with changed_with_customer(customer_id=obj.customer_id, at=timezone.now()):
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: CustomerCoupon) -> None:
        with changed_with_customer(customer_id=obj.customer_id, at=timezone.now()):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CustomerCoupon]) -> None:
        for row in queryset:
            self.delete_model(request, row)
