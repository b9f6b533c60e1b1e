"""The place that Stigg gives to one subscription at a time, and how nobody else takes it meanwhile."""

from django.db import models

from customers.models import Customer
from subscriptions.models import Subscription


def in_place_of(subscription: Subscription) -> models.QuerySet[Subscription]:
    """Return the others that have the place which Stigg gives to one: per customer, product and, if so sold, resource.

    A trial and a subscription that is none do not take each other's place.
    """
    product = subscription.plan.product
    others = Subscription.objects.filter(customer_id=subscription.customer_id, plan__product=product)
    if product.multiple_subscriptions:
        others = others.filter(resource_id=subscription.resource_id)
    return others.exclude(pk=subscription.pk).select_related("plan__product")


def lock(subscription: Subscription) -> None:
    """Lock the customer, then the subscription: everybody in this order."""
    lock_customer(subscription.customer)
    subscription.refresh_from_db(from_queryset=Subscription.objects.select_for_update(of=("self",)))


def lock_customer(customer: Customer) -> None:
    """Let nobody else give the customer, or take from it, a subscription meanwhile."""
    Customer.objects.select_for_update(no_key=True).filter(pk=customer.pk).values_list("pk").first()
