"""Django admin for subscriptions; importing a module registers its pages."""

from subscriptions.admin import coupons, subscriptions

__all__ = ["coupons", "subscriptions"]
