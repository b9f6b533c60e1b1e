"""Rows that are inserted together are those of `bulk_create`, and the database refuses what it refuses there."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from catalog.models import Price
from tests.usage.closing_world import DAY, Metered, metered
from usage.inserting import insert
from usage.models import Slice, UnattributedUsage

pytestmark = pytest.mark.django_db
NOTED = datetime(2026, 3, 12, 1, 2, 3, 456789, tzinfo=UTC)
#: What has a meaning where values are written into a list.
ODD = ["", "plain", 'quote " and \\ back', "{a,b}", "NULL", "null", " edge ", "line\nline", "% %s", "héé 🎉", "'"]


@pytest.fixture
def acme() -> Metered:
    return metered()


def noted(acme: Metered, resources: list[str]) -> list[UnattributedUsage]:
    return [
        UnattributedUsage(
            customer_id=acme.subscription.customer_id,
            feature=acme.feature,
            resource_id=name,
            starts_at=DAY + timedelta(minutes=number),
            ends_at=DAY + timedelta(hours=1),
            change=Decimal("-0.000000001") * number,
            event_count=number,
            noted_at=NOTED,
        )
        for number, name in enumerate(resources)
    ]


def test_rows_are_stored_as_bulk_create_stores_them_and_get_their_ids(acme: Metered) -> None:
    stored = []
    for make in (UnattributedUsage.objects.bulk_create, lambda rows: insert(rows, into=UnattributedUsage.objects)):
        rows = noted(acme, ODD)
        make(rows)
        assert not any(one._state.adding for one in rows)
        found = UnattributedUsage.objects.in_bulk([one.pk for one in rows])
        assert [found[one.pk].resource_id for one in rows] == ODD
        stored.append([tuple(one.values())[1:] for one in UnattributedUsage.objects.order_by("pk").values()])
        UnattributedUsage.objects.all().delete()
    assert stored[0] == stored[1]
    assert len(stored[0]) == len(ODD)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's rows are bulk_create's")
def test_a_thousand_rows_take_one_statement(acme: Metered) -> None:
    rows = noted(acme, [str(number) for number in range(1000)])
    with CaptureQueriesContext(connection) as asked:
        insert(rows, into=UnattributedUsage.objects)
    assert len(asked) == 1
    assert UnattributedUsage.objects.count() == 1000


def test_of_no_row_and_of_one_nothing_is_special(acme: Metered) -> None:
    insert([], into=UnattributedUsage.objects)
    [one] = noted(acme, ["alone"])
    insert([one], into=UnattributedUsage.objects)
    assert UnattributedUsage.objects.get() == one


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite knows no length of a text")
def test_a_text_that_is_too_long_is_refused_not_cut(acme: Metered) -> None:
    longest = UnattributedUsage._meta.get_field("resource_id").max_length or 0
    with pytest.raises(DataError), transaction.atomic():
        insert(noted(acme, ["a", "b" * (longest + 1)]), into=UnattributedUsage.objects)
    assert not UnattributedUsage.objects.exists()


def test_a_row_that_is_there_is_refused(acme: Metered) -> None:
    def slices() -> list[Slice]:
        return [
            Slice(
                subscription=acme.subscription,
                price=Price.objects.get(),
                starts_at=DAY + timedelta(hours=number),
                ends_at=DAY + timedelta(hours=number + 1),
                change=Decimal(1),
                quantity=Decimal(1),
                event_count=1,
                closed_at=NOTED,
            )
            for number in range(2)
        ]

    insert(slices(), into=Slice.objects)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(slices(), into=Slice.objects)
    assert Slice.objects.count() == 2
