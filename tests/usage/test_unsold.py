"""Usage that the subscription of its time did not sell is charged when it turns out that something did."""

from datetime import datetime

import pytest

from catalog.models import BillingModel, Plan, Price, PricingType
from subscriptions.models import Subscription
from tests.factories.catalog import PlanFactory, addon_with_prices, price
from tests.factories.subscriptions import SubscriptionFactory
from tests.usage.closing_world import Metered, at, metered
from tests.usage.test_closing_sales import changed, charged
from usage.closing import Closed, close
from usage.models import UnattributedUsage

pytestmark = [pytest.mark.django_db, pytest.mark.engine]
NOW = at(12)


@pytest.fixture
def acme() -> Metered:
    """Used in an hour, and closed: its plan does not sell it; another one does."""
    acme = metered()
    payg = acme.subscription.plan
    flat = PlanFactory.create(ref_id="flat")
    price(flat)
    Subscription.objects.update(plan=flat)
    acme.subscription.refresh_from_db()
    for minute, value in ((10, 1), (40, 2)):
        acme.use(at(9, minute), value)
        acme.use(at(10, minute), 2 * value)
    assert run() == Closed(hours=2)
    assert (run(), unsold()) == (Closed(), [(at(9), 3), (at(10), 6)])
    acme.subscription.plan = payg
    return acme


def run() -> Closed:
    return close(upto=NOW, now=NOW)


def unsold() -> list[tuple[datetime, int]]:
    rows = UnattributedUsage.objects.filter(unsold_by__ref_id="s1").order_by("starts_at")
    return [(one.starts_at, int(one.change)) for one in rows]


def begin(acme: Metered, plan: Plan, start: datetime) -> None:
    """Have another subscription of the same customer, that began at that moment."""
    SubscriptionFactory.create(ref_id="s2", customer=acme.subscription.customer, plan=plan, start_date=start)


def test_a_subscription_that_began_then_is_charged_from_there_on(acme: Metered) -> None:
    begin(acme, acme.subscription.plan, at(9, 30))
    assert run() == Closed(hours=2, slices=2)
    assert (charged(), unsold()) == ([("09:30", "payg", 1, 2), ("10:00", "payg", 1, 6)], [(at(9), 1)])
    assert run() == Closed()


@pytest.mark.parametrize("sells", ["payg", "extra"])
def test_what_was_changed_then_is_charged_from_there_on(acme: Metered, sells: str) -> None:
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=acme.feature, amounts={"EUR": 2})
    with changed(acme, at(9, 30)) as one:
        if sells == "payg":
            one.plan = acme.subscription.plan
        else:
            one.addons.create(addon=addon)
    assert run() == Closed(hours=2, slices=2)
    assert (charged(), unsold()) == ([("09:30", sells, 1, 2), ("10:00", sells, 1, 6)], [(at(9), 1)])
    assert run() == Closed()


def test_a_plan_that_was_free_then_leaves_nothing_to_be_told(acme: Metered) -> None:
    begin(acme, PlanFactory.create(ref_id="free", pricing_type=PricingType.FREE), at(9, 30))
    assert run() == Closed(hours=2)
    assert (charged(), unsold()) == ([], [(at(9), 1)])
    assert run() == Closed()


def test_nothing_is_counted_again_when_what_began_does_not_sell_it_or_nothing_does(acme: Metered) -> None:
    begin(acme, PlanFactory.create(ref_id="other"), at(9, 30))
    assert run() == Closed()
    Price.objects.filter(feature=acme.feature).delete()
    SubscriptionFactory.create(
        customer=acme.subscription.customer,
        plan=PlanFactory.create(ref_id="free", pricing_type=PricingType.FREE),
        start_date=at(9, 30),
    )
    assert run() == Closed()


def test_one_subscriptions_closing_counts_what_that_one_sells(acme: Metered) -> None:
    begin(acme, acme.subscription.plan, at(9, 30))
    other = SubscriptionFactory.create(plan=acme.subscription.plan)
    assert close(upto=NOW, now=NOW, subscription=other) == Closed()
    assert close(upto=NOW, now=NOW, subscription=Subscription.objects.get(ref_id="s2")) == Closed(hours=2, slices=2)
