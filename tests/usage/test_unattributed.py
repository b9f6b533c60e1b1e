"""What nobody is charged for, told by customer, feature, resource and month."""

from datetime import date
from decimal import Decimal

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from catalog.models import Price
from tests.factories.subscriptions import SubscriptionFactory
from tests.usage.closing_world import Metered, at, metered
from usage.models import Aggregation, Meter, UnattributedUsage
from usage.unattributed import Unattributed, billed_to_nobody

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.fixture
def acme() -> Metered:
    """Sold from 10 March, 10:30, on; used before, in February and January too."""
    acme = metered(start_date=at(10, 30))
    for month, day, hour, value in ((1, 31, 23, 16), (2, 28, 9, 8), (3, 1, 0, 4), (3, 10, 10, 1), (3, 10, 11, 32)):
        acme.use(at(hour, 5, day=day, month=month), value)
    acme.use(at(10, 6), 2)
    acme.close()
    return acme


def told(**asked: object) -> list[tuple[str, Decimal, int]]:
    return [
        (f"{one.month:%m}", one.quantity, one.events)
        for one in billed_to_nobody(**{"upto": at(12), **asked})  # type: ignore[arg-type]
    ]


MARCH, FEBRUARY, JANUARY = ("03", Decimal(7), 3), ("02", Decimal(8), 1), ("01", Decimal(16), 1)


def test_this_month_and_the_last_one_are_told(acme: Metered, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    feature, customer = acme.feature, acme.subscription.customer
    with django_assert_num_queries(1):
        found = list(billed_to_nobody(upto=at(12)))
    assert found[1] == Unattributed(
        customer=customer.ref_id,
        feature=feature.ref_id,
        resource="",
        unit=feature.units_plural,
        month=date(2026, 3, 1),
        quantity=Decimal(7),
        adds_up=True,
        events=3,
        first=at(0, day=1),
        last=at(10),
    )
    assert told() == [FEBRUARY, MARCH]


def test_other_months_are_told_when_they_are_asked_for(acme: Metered) -> None:
    assert told(whole=True) == [JANUARY, FEBRUARY, MARCH]
    assert told(day=date(2026, 2, 1)) == told(day=date(2026, 2, 28)) == [FEBRUARY]
    assert told(day=date(2025, 12, 31)) == []
    assert told(upto=at(10, day=10)) == [FEBRUARY, ("03", Decimal(4), 1)]
    assert told(upto=at(0, day=1)) == [JANUARY, FEBRUARY]
    other = SubscriptionFactory.create(plan=acme.subscription.plan)
    assert (told(subscription=acme.subscription), told(subscription=other)) == ([FEBRUARY, MARCH], [])


@pytest.mark.usefixtures("acme")
def test_what_comes_to_nothing_is_not_told() -> None:
    UnattributedUsage.objects.update(change=0)
    assert told(whole=True) == []


def test_what_does_not_add_up_is_told_by_the_most_of_an_hour(acme: Metered) -> None:
    Meter.objects.create(feature=acme.feature, aggregation=Aggregation.MAX, field="seats")
    assert [(one.quantity, one.adds_up) for one in billed_to_nobody(upto=at(12))] == [
        (Decimal(8), False),
        (Decimal(4), False),
    ]


def test_a_feature_that_nobody_pays_by_usage_is_no_noise() -> None:
    acme = metered(start_date=at(10, 30))
    Price.objects.all().delete()
    acme.use(at(9), 4)
    acme.close()
    assert told(whole=True) == []
