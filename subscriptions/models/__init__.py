from subscriptions.models.content import (
    CustomerCoupon,
    PriceOverride,
    PriceOverrideTier,
    SubscriptionAddon,
    SubscriptionQuantity,
)
from subscriptions.models.past import PastContent, PastTerms
from subscriptions.models.schedule import OPEN, ChangeType, ScheduledChange, ScheduleStatus
from subscriptions.models.subscription import (
    CancelReason,
    PaymentCollection,
    PaymentCollectionMethod,
    Subscription,
    SubscriptionStatus,
)

__all__ = [
    "OPEN",
    "CancelReason",
    "ChangeType",
    "CustomerCoupon",
    "PastContent",
    "PastTerms",
    "PaymentCollection",
    "PaymentCollectionMethod",
    "PriceOverride",
    "PriceOverrideTier",
    "ScheduleStatus",
    "ScheduledChange",
    "Subscription",
    "SubscriptionAddon",
    "SubscriptionQuantity",
    "SubscriptionStatus",
]
