"""What an entity holds, as its page shows it."""

from typing import Any

from django.db.models import Model, Q

from catalog.models import Coupon, Package
from customers.models import Customer
from subscriptions.models import CustomerCoupon, Subscription

_SUBSCRIPTIONS_SHOWN = 100


def contents_of(entity: Model) -> dict[str, Any]:
    """Return the template's name as `contents`, and what that template shows."""
    if isinstance(entity, Package):
        prices = entity.prices.of_version(entity.version_number)
        return {"contents": "integrations/contents/package.html", "prices": prices}
    if isinstance(entity, Coupon):
        return {"contents": "integrations/contents/coupon.html", "amounts": entity.amounts.all()}
    if isinstance(entity, Customer):
        return {"contents": "integrations/contents/customer.html", **_customer(entity)}
    if isinstance(entity, Subscription):
        return {"contents": "integrations/contents/subscription.html", **_subscription(entity)}
    return {"contents": "integrations/contents/none.html"}


def _customer(customer: Customer) -> dict[str, Any]:
    held = Subscription.objects.filter(Q(customer=customer) | Q(paying_customer=customer))
    return {
        "subscriptions": held.select_related("plan", "customer").order_by("ref_id")[:_SUBSCRIPTIONS_SHOWN],
        "coupon": CustomerCoupon.objects.filter(customer=customer).select_related("coupon").first(),
    }


def _subscription(subscription: Subscription) -> dict[str, Any]:
    return {
        "addons": subscription.addons.select_related("addon"),
        "quantities": subscription.quantities.select_related("feature"),
        "overrides": subscription.price_overrides.select_related("price__feature"),
    }
