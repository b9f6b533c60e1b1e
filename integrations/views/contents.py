"""What an entity holds, as its page shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q

from catalog.models import BillingPeriod, Coupon, Package, Price
from customers.models import Customer
from integrations.models import SyncRecord
from integrations.zuora.mapping.keys import charge_key, package_key, rate_plan_key
from subscriptions.models import OPEN, CustomerCoupon, PastTerms, ScheduleStatus, Subscription, SubscriptionStatus
from subscriptions.past import latest_contents
from usage.unattributed import customers_told

_SUBSCRIPTIONS_SHOWN = 100
#: So many of its earlier contents a subscription's page shows; raw rows hold all of them.
_PASTS_SHOWN = 20
_STATES = {
    SubscriptionStatus.NOT_STARTED: "Scheduled",
    SubscriptionStatus.PAYMENT_PENDING: "Pending payment",
    SubscriptionStatus.IN_TRIAL: "In trial",
    SubscriptionStatus.ACTIVE: "Active",
    SubscriptionStatus.CANCELED: "Canceled",
    SubscriptionStatus.EXPIRED: "Expired",
}


@dataclass(frozen=True)
class Charge:
    """A price of the version on sale, and the charge that it is in Zuora."""

    price: Price
    record: SyncRecord | None


@dataclass(frozen=True)
class Period:
    """A billing period with its charges, and the rate plan that it is in Zuora."""

    label: str
    record: SyncRecord | None
    charges: list[Charge]


def contents_of(entity: Model, records: Iterable[SyncRecord] = ()) -> dict[str, Any]:
    """Return the template's name as `contents`, and what that template shows; `records` are all of the entity's.

    `parts` are the records that ride along and that the template does not show by itself.
    """
    parts = {record.key: record for record in records if record.kind != record.root_kind}
    if isinstance(entity, Package):
        periods = _periods(entity, parts)
        return {"contents": "integrations/contents/package.html", "periods": periods, "parts": list(parts.values())}
    return {"parts": list(parts.values()), **_contents_of(entity)}


def _contents_of(entity: Model) -> dict[str, Any]:
    if isinstance(entity, Coupon):
        return {"contents": "integrations/contents/coupon.html", "amounts": entity.amounts.all()}
    if isinstance(entity, Customer):
        return {"contents": "integrations/contents/customer.html", **_customer(entity)}
    if isinstance(entity, Subscription):
        return {"contents": "integrations/contents/subscription.html", **_subscription(entity)}
    return {"contents": "integrations/contents/none.html"}


def _periods(package: Package, parts: dict[str, SyncRecord]) -> list[Period]:
    """Return what is on sale, period by period; what Zuora has of it is taken out of the parts."""
    prices = list(package.prices.of_version(package.version_number))
    key = package_key(package)
    return [
        Period(
            str(BillingPeriod(period).label),
            parts.pop(rate_plan_key(key, period), None),
            [
                Charge(price, parts.pop(charge_key(key, price), None))
                for price in prices
                if price.billing_period == period
            ],
        )
        for period in dict.fromkeys(price.billing_period for price in prices)
    ]


def _customer(customer: Customer) -> dict[str, Any]:
    held = Subscription.objects.filter(Q(customer=customer) | Q(paying_customer=customer))
    return {
        "subscriptions": held.select_related("plan", "customer").order_by("ref_id")[:_SUBSCRIPTIONS_SHOWN],
        "coupon": CustomerCoupon.objects.filter(customer=customer).select_related("coupon").first(),
        "is_billed_to_nobody": customers_told().filter(pk=customer.pk).exists(),
    }


def _subscription(subscription: Subscription) -> dict[str, Any]:
    changes = list(
        subscription.scheduled_changes.filter(status__in=[*OPEN, ScheduleStatus.FAILED]).select_related(
            "successor__plan"
        )
    )
    scheduled = [change for change in changes if change.status in OPEN]
    return {
        "addons": subscription.addons.select_related("addon"),
        "quantities": subscription.quantities.select_related("feature"),
        "overrides": subscription.price_overrides.select_related("price__feature"),
        "scheduled": scheduled,
        "failed_changes": [change for change in changes if change.status == ScheduleStatus.FAILED],
        "state": _state(subscription, is_updated=bool(scheduled)),
        "pasts": latest_contents(subscription, most=_PASTS_SHOWN),
        "pasts_shown": _PASTS_SHOWN,
        "owners": _owners(subscription),
    }


def _owners(subscription: Subscription) -> list[PastTerms]:
    """Return the last terms of each other customer who had it, the latest first."""
    terms = subscription.past_terms.exclude(customer=subscription.customer_id).select_related("customer")
    latest: dict[int, PastTerms] = {}
    for held in terms.order_by("-ends_at"):
        latest.setdefault(held.customer_id, held)
    return list(latest.values())


def _state(subscription: Subscription, *, is_updated: bool) -> str:
    """Return the state as Stigg's own pages call it."""
    if subscription.status == SubscriptionStatus.ACTIVE and subscription.cancellation_date:
        return "Cancellation pending"
    if subscription.status == SubscriptionStatus.ACTIVE and is_updated:
        return "Update scheduled"
    return _STATES[SubscriptionStatus(subscription.status)]
