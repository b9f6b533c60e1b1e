"""To whom usage is sold: the subscriptions of some customers, and their prices by usage."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from catalog.models import BillingModel, Price
from subscriptions.models import Subscription

#: A charge of a subscription, whichever version of it was sold: the plan, or the add-on, that has it.
Owner = tuple[int | None, int | None]


@dataclass
class Sold:
    """What was sold to some customers, as far as some features are concerned; read once."""

    prices: dict[tuple[Owner, int, str, int], Price] = field(default_factory=dict)
    subscriptions: dict[tuple[int, str], list[Subscription]] = field(default_factory=lambda: defaultdict(list))

    def of(self, subscription: Subscription, *, feature_id: int) -> list[Price]:
        """Return its prices by usage of the feature, of its plan and its add-ons, in the versions that were sold."""
        held: list[tuple[Owner, int]] = [((subscription.plan_id, None), subscription.plan_version_number)]
        held += [((None, row.addon_id), row.addon_version_number) for row in subscription.addons.all()]
        keys = [(owner, version, subscription.billing_period, feature_id) for owner, version in held]
        return [self.prices[key] for key in keys if key in self.prices]

    def is_sold_by_usage(self, feature_id: int) -> bool:
        """Whether the catalog has, or ever had, a price by usage of the feature."""
        return any(feature == feature_id for _, _, _, feature in self.prices)


def sold_to(*, customers: Collection[int], features: Collection[int]) -> Sold:
    """Return what these customers were sold; two queries and one for the add-ons, however many they are."""
    sold = Sold()
    for price in Price.objects.filter(billing_model=BillingModel.USAGE_BASED, feature_id__in=features):
        if price.feature_id is not None:
            sold.prices[owner_of(price), price.version_number, price.billing_period, price.feature_id] = price
    rows = Subscription.objects.filter(customer_id__in=customers).order_by("pk").prefetch_related("addons")
    for row in rows:
        sold.subscriptions[row.customer_id, row.resource_id].append(row)
    return sold


def owner_of(price: Price) -> Owner:
    """Return the plan or the add-on that has the charge."""
    return price.plan_id, price.addon_id
