"""Django admin for the catalog; importing a module registers its pages."""

from catalog.admin import coupons, features, packages, prices

__all__ = ["coupons", "features", "packages", "prices"]
