from django.contrib import admin

from catalog.admin.entity import EntityAdmin
from catalog.models import Feature, Product


@admin.register(Feature)
class FeatureAdmin(EntityAdmin[Feature]):
    list_display = ("ref_id", "display_name", "feature_type", "meter_type", "units_plural", "status")
    list_filter = ("feature_type", "meter_type", "status")
    search_fields = ("ref_id", "display_name")
    fieldsets = (
        (None, {"fields": ("ref_id", "display_name", "description", "status")}),
        ("What it counts", {"fields": ("feature_type", "meter_type", "units_singular", "units_plural")}),
        ("More", {"fields": ("metadata",)}),
    )


@admin.register(Product)
class ProductAdmin(EntityAdmin[Product]):
    autocomplete_fields = ("downgrade_plan",)
    list_display = ("ref_id", "display_name", "status", "multiple_subscriptions")
    list_filter = ("status", "multiple_subscriptions")
    search_fields = ("ref_id", "display_name")
    fieldsets = (
        (None, {"fields": ("ref_id", "display_name", "description", "status")}),
        ("Subscriptions", {"fields": ("multiple_subscriptions", "cancellation_time", "downgrade_plan")}),
        ("More", {"fields": ("metadata",)}),
    )
