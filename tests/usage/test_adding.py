"""What is used adds up to the last digit, on whichever database."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests.usage.closing_world import at, metered
from usage.adding import Total
from usage.counting import Source, in_use, used
from usage.models import Slice, UpdateBehavior, UsageEvent
from usage.windows import Window

pytestmark = [pytest.mark.django_db, pytest.mark.engine]

MANY, EACH = 4_000, Decimal("123456.789012345")


def test_many_events_of_an_hour_add_up_to_the_last_digit() -> None:
    acme = metered()
    acme.use(at(10), 7, behavior=UpdateBehavior.SET)
    customer = acme.subscription.customer
    UsageEvent.objects.bulk_create(
        UsageEvent(
            customer=customer,
            feature=acme.feature,
            value=EACH,
            occurred_at=at(10) + timedelta(microseconds=number + 1),
            received_at=at(10),
            idempotency_key=f"many-{number}",
        )
        for number in range(MANY)
    )
    source = Source(customer.pk, acme.feature.pk, "")
    right = 7 + MANY * EACH
    assert (used(source, Window(at(10), at(11))).change, in_use(source, before=at(11))) == (right, right)


def test_many_slices_add_up_to_the_last_digit() -> None:
    acme = metered()
    acme.use(at(10), 1)
    acme.close()
    one = Slice.objects.get()
    Slice.objects.bulk_create(
        Slice(
            subscription=one.subscription,
            price=one.price,
            starts_at=at(11) + timedelta(hours=number),
            ends_at=at(12) + timedelta(hours=number),
            quantity=EACH,
            closed_at=one.closed_at,
        )
        for number in range(MANY)
    )
    slices = Slice.objects.filter(subscription=one.subscription)
    assert slices.aggregate(total=Total("quantity")) == {"total": 1 + MANY * EACH}
    with connection.cursor() as cursor:  # as SQLite kept a sum of floats
        cursor.execute("UPDATE usage_slice SET quantity = 1.00000000000012 WHERE id = %s", [one.pk])
    assert slices.aggregate(total=Total("quantity")) == {"total": 1 + MANY * EACH}
    assert slices.none().aggregate(total=Total("quantity")) == {"total": None}
    by_price = slices.order_by().values_list("price").annotate(total=Total("quantity"))
    assert list(by_price) == [(one.price_id, 1 + MANY * EACH)]
