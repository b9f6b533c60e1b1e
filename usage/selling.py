"""To whom usage is sold, and when: what some customers had in which subscriptions, and their prices by usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from django.db.models import prefetch_related_objects

from catalog.models import BillingModel, Plan, Price, PricingType
from subscriptions.models import PastTerms, Subscription, SubscriptionAddon
from subscriptions.tenure import TOLD_BY, Stretch, Terms, only_terms, stretches
from usage.spans import among

#: A charge of a subscription, whichever version of it was sold: the plan, or the add-on, that has it.
Owner = tuple[int | None, int | None]


@dataclass
class Sold:
    """What was sold to some customers, as far as some features are concerned; read once.

    `tenures` are the stretches in which a customer had a subscription for a resource, `stretches` those of a
    subscription, whoever had it; `versions` are the ids of a charge's prices, whatever they are by now. `in_advance`
    are the prices of the features that are not by usage.
    """

    prices: dict[tuple[Owner, int, str, int], Price] = field(default_factory=dict)
    in_advance: set[tuple[Owner, int, str, int]] = field(default_factory=set)
    versions: dict[tuple[Owner, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    tenures: dict[tuple[int, str], list[Stretch]] = field(default_factory=lambda: defaultdict(list))
    stretches: dict[int, list[Stretch]] = field(default_factory=lambda: defaultdict(list))

    def of(self, terms: Terms, *, feature_id: int) -> list[Price]:
        """Return the prices by usage of the feature, of plan and add-ons, in the versions that were sold."""
        keys = [(owner, version, terms.billing_period, feature_id) for owner, version in _held(terms)]
        return [self.prices[key] for key in keys if key in self.prices]

    def settles(self, terms: Terms, *, feature_id: int) -> bool:
        """Whether usage of the feature is charged, or paid for otherwise: in advance, or by a plan that is free."""
        if self.of(terms, feature_id=feature_id):
            return True
        keys = {(owner, version, terms.billing_period, feature_id) for owner, version in _held(terms)}
        return not self.in_advance.isdisjoint(keys) or terms.plan_id in self.free_plans

    @cached_property
    def free_plans(self) -> set[int]:
        """The plans that cost nothing; read when somebody asks."""
        return set(Plan.objects.filter(pricing_type=PricingType.FREE).order_by().values_list("pk", flat=True))

    def by_usage(self) -> set[int]:
        """Return the features of which the catalog has, or ever had, a price by usage."""
        return {feature_id for _, _, _, feature_id in self.prices}


def sold_to(*, customers: Collection[int], features: Collection[int]) -> Sold:
    """Return what these customers were sold; nine queries at the most, and one for `free_plans`, however many."""
    sold = Sold()
    for price in Price.objects.filter(feature_id__in=features).order_by("pk"):
        if price.feature_id is None:
            continue
        sold.versions[owner_of(price), price.feature_id].append(price.pk)
        key = owner_of(price), price.version_number, price.billing_period, price.feature_id
        if price.billing_model == BillingModel.USAGE_BASED:
            sold.prices[key] = price
        else:
            sold.in_advance.add(key)
    # Two queries: with one inside the other PostgreSQL reads all subscriptions.
    had = PastTerms.objects.filter(customer__in=among(customers)).order_by()
    told = Subscription.objects.only(*TOLD_BY)
    rows = {row.pk: row for row in told.filter(customer__in=among(customers)).order_by("pk")}
    if other := set(had.values_list("subscription_id", flat=True)).difference(rows):
        rows |= told.in_bulk(other)
    for one in stretches_of_all([rows[pk] for pk in sorted(rows)]):
        sold.tenures[one.terms.customer_id, one.terms.resource_id].append(one)
        sold.stretches[one.subscription.pk].append(one)
    return sold


def stretches_of_all(subscriptions: Sequence[Subscription]) -> Iterator[Stretch]:
    """Yield the stretches of these subscriptions; six queries at the most, and little for those that never changed."""
    ids = [row.pk for row in subscriptions]
    changed = set(
        PastTerms.objects.filter(subscription__in=among(ids)).order_by().values_list("subscription_id", flat=True)
    )
    read = ("addons", "past_terms", "price_overrides__tiers")
    prefetch_related_objects([row for row in subscriptions if row.pk in changed], *read)
    addons: dict[int, list[tuple[int, int]]] = defaultdict(list)
    held = SubscriptionAddon.objects.filter(subscription__in=among(ids))
    for subscription_id, addon_id, version in held.values_list("subscription_id", "addon_id", "addon_version_number"):
        addons[subscription_id].append((addon_id, version))
    for row in subscriptions:
        if row.pk in changed:
            yield from stretches(row)
        else:
            yield Stretch(row, only_terms(row, addons=addons.get(row.pk, ())), row.start_date, None)


def stretches_of(held: Iterable[Stretch], price: Price) -> list[Stretch]:
    """Return those of a subscription's stretches in which the charge was sold, in whichever version."""
    owner, period = owner_of(price), price.billing_period
    return [one for one in held if one.terms.billing_period == period and _version_of(owner, one.terms) is not None]


def unbroken(held: Iterable[Stretch], price: Price) -> list[Stretch]:
    """Return the same, those joined that follow each other without a gap or another holder: other add-ons, or seats."""
    joined: list[Stretch] = []
    for one in stretches_of(held, price):
        last = joined[-1] if joined else None
        if last is not None and (last.end, _holder(last)) == (one.start, _holder(one)):
            joined[-1] = replace(last, end=one.end)
        else:
            joined.append(one)
    return joined


def _holder(one: Stretch) -> tuple[int, str]:
    return one.terms.customer_id, one.terms.resource_id


def was_sold(held: Iterable[Stretch], price: Price) -> bool:
    """Whether this very price was sold in any of a subscription's stretches."""
    owner = owner_of(price)
    return any(_version_of(owner, one.terms) == price.version_number for one in stretches_of(held, price))


def ended_at(held: Sequence[Stretch], price: Price, *, at: datetime) -> datetime | None:
    """Return the moment from which this price was sold no longer, or for another amount than at a moment before.

    None while it is, or when it never was.
    """
    if all(one.end is None for one in held):
        return None  # nothing ever changed, as with most
    owner = owner_of(price)
    sold = [one for one in stretches_of(held, price) if _version_of(owner, one.terms) == price.version_number]
    own = own_price_at(sold, price.pk, at=at)
    same = [one for one in sold if dict(one.terms.own_prices).get(price.pk) == own]
    return None if not same or same[-1].end is None else same[-1].end


def own_price_at(held: Sequence[Stretch], price_id: int, *, at: datetime) -> str | None:
    """Return what was paid instead of a price at a moment, if it was another amount than the list's."""
    then = next((one.terms for one in reversed(held) if one.start <= at), None)
    return dict(then.own_prices).get(price_id) if then else None


def owner_of(price: Price) -> Owner:
    """Return the plan or the add-on that has the charge."""
    return price.plan_id, price.addon_id


def _version_of(owner: Owner, terms: Terms) -> int | None:
    """Return in which version plan or add-on was sold; None: not at all."""
    return next((version for had, version in _held(terms) if had == owner), None)


def _held(terms: Terms) -> Iterable[tuple[Owner, int]]:
    yield (terms.plan_id, None), terms.plan_version_number
    for addon_id, version in terms.addons:
        yield (None, addon_id), version
