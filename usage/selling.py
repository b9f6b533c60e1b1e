"""To whom usage is sold, and when: what some customers had in which subscriptions, and their prices by usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from catalog.models import BillingModel, Price
from subscriptions.models import Subscription
from subscriptions.tenure import Stretch, Terms, stretches

#: A charge of a subscription, whichever version of it was sold: the plan, or the add-on, that has it.
Owner = tuple[int | None, int | None]


@dataclass
class Sold:
    """What was sold to some customers, as far as some features are concerned; read once.

    `tenures` are the stretches in which a customer had a subscription for a resource.
    """

    prices: dict[tuple[Owner, int, str, int], Price] = field(default_factory=dict)
    tenures: dict[tuple[int, str], list[Stretch]] = field(default_factory=lambda: defaultdict(list))

    def of(self, terms: Terms, *, feature_id: int) -> list[Price]:
        """Return the prices by usage of the feature, of plan and add-ons, in the versions that were sold."""
        keys = [(owner, version, terms.billing_period, feature_id) for owner, version in _held(terms)]
        return [self.prices[key] for key in keys if key in self.prices]

    def is_sold_by_usage(self, feature_id: int) -> bool:
        """Whether the catalog has, or ever had, a price by usage of the feature."""
        return any(feature == feature_id for _, _, _, feature in self.prices)


def sold_to(*, customers: Collection[int], features: Collection[int]) -> Sold:
    """Return what these customers were sold; four queries, however many they are."""
    sold = Sold()
    for price in Price.objects.filter(billing_model=BillingModel.USAGE_BASED, feature_id__in=features):
        if price.feature_id is not None:
            sold.prices[owner_of(price), price.version_number, price.billing_period, price.feature_id] = price
    had = Subscription.objects.filter(past_terms__customer__in=customers).order_by().values("pk")
    rows = Subscription.objects.filter(Q(customer__in=customers) | Q(pk__in=had)).order_by("pk")
    for row in rows.prefetch_related("addons", "past_terms"):
        for one in stretches(row):
            sold.tenures[one.terms.customer_id, one.terms.resource_id].append(one)
    return sold


def stretches_of(subscription: Subscription, price: Price) -> list[Stretch]:
    """Return when the charge was sold in the subscription, in whichever version."""
    return [
        one
        for one in stretches(subscription)
        if one.terms.billing_period == price.billing_period and owner_of(price) in dict(_held(one.terms))
    ]


def ended_at(subscription: Subscription, price: Price) -> datetime | None:
    """Return the moment from which this price was sold no longer; None while it is, or when it never was."""
    end = None
    for one in stretches_of(subscription, price):
        if dict(_held(one.terms))[owner_of(price)] == price.version_number:
            if one.end is None:
                return None
            end = one.end
    return end


def owner_of(price: Price) -> Owner:
    """Return the plan or the add-on that has the charge."""
    return price.plan_id, price.addon_id


def _held(terms: Terms) -> Iterable[tuple[Owner, int]]:
    yield (terms.plan_id, None), terms.plan_version_number
    for addon_id, version in terms.addons:
        yield (None, addon_id), version
