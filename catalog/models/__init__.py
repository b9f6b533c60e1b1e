from catalog.models.coupon import Coupon, CouponAmount, CouponStatus, CouponType
from catalog.models.feature import Feature, FeatureStatus, FeatureType, MeterType
from catalog.models.package import Addon, Package, PackageStatus, Plan, PricingType
from catalog.models.price import (
    BillingCadence,
    BillingModel,
    BillingPeriod,
    Price,
    PriceAmount,
    PriceTier,
    TiersMode,
)
from catalog.models.product import Product, ProductStatus

__all__ = [
    "Addon",
    "BillingCadence",
    "BillingModel",
    "BillingPeriod",
    "Coupon",
    "CouponAmount",
    "CouponStatus",
    "CouponType",
    "Feature",
    "FeatureStatus",
    "FeatureType",
    "MeterType",
    "Package",
    "PackageStatus",
    "Plan",
    "Price",
    "PriceAmount",
    "PriceTier",
    "PricingType",
    "Product",
    "ProductStatus",
    "TiersMode",
]
