from catalog.models.coupon import Coupon, CouponAmount, CouponStatus, CouponType
from catalog.models.feature import Feature, FeatureStatus, FeatureType, MeterType
from catalog.models.package import (
    LONGEST_TRIAL,
    Addon,
    Package,
    PackageStatus,
    Plan,
    PricingType,
    TrialEndBehavior,
    TrialUnits,
)
from catalog.models.price import (
    BillingCadence,
    BillingModel,
    BillingPeriod,
    Price,
    PriceAmount,
    PriceTier,
    TiersMode,
)
from catalog.models.product import CancellationTime, Product, ProductStatus

__all__ = [
    "LONGEST_TRIAL",
    "Addon",
    "BillingCadence",
    "BillingModel",
    "BillingPeriod",
    "CancellationTime",
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
    "TrialEndBehavior",
    "TrialUnits",
]
