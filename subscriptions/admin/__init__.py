"""Django admin for subscriptions; importing a module registers its pages."""

from subscriptions.admin import coupons, past, subscriptions

__all__ = ["coupons", "past", "subscriptions"]
