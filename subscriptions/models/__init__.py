from subscriptions.models.content import (
    CustomerCoupon,
    PriceOverride,
    PriceOverrideTier,
    SubscriptionAddon,
    SubscriptionQuantity,
)
from subscriptions.models.subscription import CancellationTime, Subscription, SubscriptionStatus

__all__ = [
    "CancellationTime",
    "CustomerCoupon",
    "PriceOverride",
    "PriceOverrideTier",
    "Subscription",
    "SubscriptionAddon",
    "SubscriptionQuantity",
    "SubscriptionStatus",
]
