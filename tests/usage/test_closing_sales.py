"""Usage is charged by what was sold when it happened, also when that has changed since, or in the middle of an hour."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from django.db.models import F

from catalog.models import BillingModel, Plan
from subscriptions.handing_over import delegate
from subscriptions.models import Subscription
from subscriptions.past import keep_past, present
from tests.factories.catalog import PlanFactory, addon_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.usage.closing_world import Metered, at, metered
from usage.closing import Closed
from usage.models import Slice, UnattributedUsage

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.fixture
def acme() -> Metered:
    return metered()


def charged() -> list[tuple[str, str, int, int]]:
    """Return begin, owner, version and quantity of every slice."""
    plan_first = F("price__plan").asc(nulls_last=True)  # databases disagree on where NULL stands
    rows = Slice.objects.select_related("price__plan", "price__addon").order_by("starts_at", plan_first, "pk")
    return [
        (f"{one.starts_at:%H:%M}", one.price.package.ref_id, one.price.version_number, int(one.quantity))
        for one in rows
    ]


@contextmanager
def changed(acme: Metered, moment: datetime) -> Iterator[Subscription]:
    """Give the subscription, to be changed as of that moment."""
    one = Subscription.objects.get(pk=acme.subscription.pk)
    before = present(one)
    yield one
    one.save()
    keep_past(one, before=before, at=moment)


def other_plan(acme: Metered) -> Plan:
    plan: Plan = PlanFactory.create(ref_id="big")
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=acme.feature, amounts={"EUR": 2})
    return plan


def test_an_hour_is_cut_where_another_plan_was_sold(acme: Metered) -> None:
    acme.use(at(9, 50), 1)
    acme.use(at(10, 29), 2)
    with changed(acme, at(10, 30)) as one:
        one.plan = other_plan(acme)
    acme.use(at(10, 30), 4)
    acme.use(at(11), 8)
    acme.close()
    after = [("10:30", "big", 1, 4), ("11:00", "big", 1, 8)]
    assert charged() == [("09:00", "payg", 1, 1), ("10:00", "payg", 1, 2), *after]
    acme.use(at(9, 10), 16)
    acme.use(at(7, 10), 32)
    acme.close()
    assert charged() == [("07:00", "payg", 1, 32), ("09:00", "payg", 1, 17), ("10:00", "payg", 1, 2), *after]


def test_an_hour_that_was_counted_before_its_change_was_noticed_is_cut(acme: Metered) -> None:
    acme.use(at(10, 5), 1)
    acme.use(at(10, 40), 2)
    acme.close_at(at(11))
    with changed(acme, at(10, 30)) as one:
        one.plan = other_plan(acme)
    acme.close_at(at(12))
    assert charged() == [("10:00", "payg", 1, 1), ("10:30", "big", 1, 2)]
    acme.use(at(10, 41), 4)
    acme.close_at(at(12))
    assert charged() == [("10:00", "payg", 1, 1), ("10:30", "big", 1, 6)]


def test_a_new_version_is_charged_from_when_it_was_sold(acme: Metered) -> None:
    plan = acme.subscription.plan
    plan.version_number = 2
    plan.save()
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=acme.feature, amounts={"EUR": 3})
    acme.use(at(9, 10), 1)
    acme.use(at(9, 40), 2)
    with changed(acme, at(9, 30)) as one:
        one.plan_version_number = 2
    acme.close()
    assert charged() == [("09:00", "payg", 1, 1), ("09:30", "payg", 2, 2)]


def test_an_add_on_is_charged_while_it_was_held(acme: Metered) -> None:
    addon = addon_with_prices(ref_id="extra")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=acme.feature, amounts={"EUR": 2})
    for minute, value in ((10, 1), (25, 2), (50, 4)):
        acme.use(at(9, minute), value)
    acme.use(at(8, 10), 8)
    with changed(acme, at(9, 20)) as one:
        one.addons.create(addon=addon)
    with changed(acme, at(9, 40)) as one:
        one.addons.all().delete()
    acme.close()
    assert charged() == [
        ("08:00", "payg", 1, 8),
        ("09:00", "payg", 1, 1),
        ("09:20", "payg", 1, 2),
        ("09:20", "extra", 1, 2),
        ("09:40", "payg", 1, 4),
    ]


def test_usage_is_that_of_whoever_had_the_subscription(acme: Metered) -> None:
    other = CustomerFactory.create(ref_id="other")
    delegate(subscription=acme.subscription, to=other, now=at(10, 30))
    for minute, customer, value in ((10, "acme", 1), (40, "acme", 2), (10, "other", 4), (40, "other", 8)):
        acme.use(at(10, minute), value, customer=customer)
    acme.close()
    acme.use(at(10, 20), 16, customer="acme")
    acme.close()
    acme.use(at(10, 50), 32, customer="other")
    acme.close()
    assert charged() == [("10:00", "payg", 1, 17), ("10:30", "payg", 1, 40)]
    rows = UnattributedUsage.objects.values_list("customer__ref_id", "change").order_by("customer__ref_id")
    assert [(customer, int(change)) for customer, change in rows] == [("acme", 2), ("other", 4)]
    assert acme.close() == Closed()
