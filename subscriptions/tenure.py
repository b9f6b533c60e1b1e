"""Who had a subscription when, and what was sold in it then: its past, and its present."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from subscriptions.models import Subscription

#: The columns from which a subscription's stretches, windows and days are told: the others cost when many are read.
TOLD_BY = (
    "ref_id",
    "customer_id",
    "resource_id",
    "plan_id",
    "plan_version_number",
    "billing_period",
    "status",
    "start_date",
    "trial_end_date",
    "cancellation_date",
    "effective_end_date",
)


@dataclass(frozen=True)
class Terms:
    """Whose it is, and in which versions it was sold what; `addons` are pairs of a row id and a version."""

    customer_id: int
    resource_id: str
    plan_id: int
    plan_version_number: int
    billing_period: str
    addons: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Stretch:
    """A subscription under the same terms, from `start` up to, and without, `end`; None: to this day and on."""

    subscription: Subscription
    terms: Terms
    start: datetime
    end: datetime | None


def present_terms(subscription: Subscription, *, addons: Iterable[tuple[int, int]] | None = None) -> Terms:
    """Return what it is now; reads `addons`, which a list prefetches, where they are not given as pairs."""
    if addons is None:
        addons = [(held.addon_id, held.addon_version_number) for held in subscription.addons.all()]
    return Terms(
        customer_id=subscription.customer_id,
        resource_id=subscription.resource_id,
        plan_id=subscription.plan_id,
        plan_version_number=subscription.plan_version_number,
        billing_period=subscription.billing_period,
        addons=tuple(addons),
    )


def stretches(subscription: Subscription) -> Iterator[Stretch]:
    """Yield its stretches in order; reads `past_terms` and `addons`, which a list prefetches."""
    start = subscription.start_date
    for past in subscription.past_terms.all():
        terms = Terms(
            customer_id=past.customer_id,
            resource_id=past.resource_id,
            plan_id=past.plan_id,
            plan_version_number=past.plan_version_number,
            billing_period=past.billing_period,
            addons=tuple((addon_id, version) for addon_id, version in past.addons),
        )
        yield Stretch(subscription, terms, past.starts_at, past.ends_at)
        start = past.ends_at
    yield Stretch(subscription, present_terms(subscription), start, None)
