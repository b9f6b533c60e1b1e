from django.contrib import admin

from catalog.admin.entity import EntityAdmin
from subscriptions.models import CustomerCoupon


@admin.register(CustomerCoupon)
class CustomerCouponAdmin(EntityAdmin[CustomerCoupon]):
    """The coupon that a customer holds; it has no page at the customer, who knows nothing of coupons."""

    list_display = ("customer", "coupon")
    list_select_related = ("customer", "coupon")
    search_fields = ("customer__ref_id", "customer__name", "coupon__ref_id", "coupon__display_name")
    autocomplete_fields = ("customer", "coupon")
    immutable_fields = ("customer",)
