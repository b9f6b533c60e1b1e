"""Lists of entities: every order and filter, to the end and back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from customers.models import Customer
from integrations.models import Connection, EntityKind, SyncRecord, SyncStatus
from integrations.sections import SECTIONS
from integrations.views import listing
from integrations.views.listing import FILTERS, Listing
from tests.browser.scene import connection as tenant
from tests.factories.catalog import PlanFactory
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.browsers import viewers as browser

__all__ = ["browser"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATES = [
    (SyncStatus.PENDING, ""),
    (SyncStatus.SUCCESS, "a" * 32),
    (SyncStatus.ERROR, ""),
    (SyncStatus.NO_SYNC_REQUIRED, ""),
    (SyncStatus.NO_SYNC_REQUIRED, "b" * 32),
]
SORTS = ["id", "name", "status", "since"]
ORDERS: dict[str, Callable[[Customer, SyncRecord], Any]] = {
    "id": lambda row, _: row.ref_id,
    "name": lambda row, _: (row.name, row.ref_id),
    "status": lambda _, record: (record.standing, record.key),
    "since": lambda _, record: (record.status_since, record.pk),
}


def record_of(connection: Connection, customer: Customer, number: int, **values: Any) -> SyncRecord:
    status, zuora_id = STATES[number % 5]
    kinds = {"kind": EntityKind.CUSTOMER, "root_kind": EntityKind.CUSTOMER}
    record = SyncRecord(
        connection=connection, key=f"customer:{customer.ref_id}", root_id=customer.pk, status=status, zuora_id=zuora_id,
        status_since=NOW - timedelta(hours=number // 4), **kinds, **values,
    )  # fmt: skip
    record.save()
    return record


@pytest.fixture
def customers(connection: Connection) -> list[tuple[Customer, SyncRecord | None]]:
    """Twelve customers: every status more than once, names and moments with ties; nobody asked for the last two."""
    made = Customer.objects.bulk_create(
        Customer(ref_id=f"c{number * 7 % 12:02}", name=("Birch", "Aurora", "")[number % 3]) for number in range(12)
    )
    for number, customer in enumerate(made[:-2]):
        record_of(connection, customer, number)
    # What was deleted without anybody hearing of it, and what another tenant had, is not listed.
    record_of(connection, Customer(pk=999_999, ref_id="gone"), 1)
    records = {record.root_id: record for record in SyncRecord.objects.all()}
    return [(customer, records.get(customer.pk)) for customer in made]


@pytest.mark.parametrize("status", ["", *FILTERS])
@pytest.mark.parametrize("sort", [*SORTS, *(f"-{name}" for name in SORTS)])
def test_every_order_under_every_filter_is_whole_forwards_and_backwards(
    connection: Connection, customers: list[tuple[Customer, SyncRecord | None]], sort: str, status: str
) -> None:
    asked = Listing(SECTIONS["customers"], connection, status=status, sort=sort)
    column = sort.strip("-")
    if status == "none":
        rows = [(row, record) for row, record in customers if not record]
        column = "name" if column == "name" else "id"
    else:
        rows = [
            (row, record)
            for row, record in customers
            if (record is None and not status and column in {"id", "name"})
            or (record is not None and status in {"", record.standing})
        ]
    whole = [row for row, _ in sorted(rows, key=lambda pair: ORDERS[column](*pair), reverse=sort[0] == "-")]  # type: ignore[arg-type]  # orders along records have them

    there, page = asked.page(size=2)
    seen, last = list(there), there
    while page.after:
        last, page = asked.page(after=page.after, size=2)
        seen += last
    assert [row.entity for row in seen] == whole
    assert [row.record for row in seen] == [dict(customers)[row.entity] for row in seen]
    back = last
    while page.before:
        there, page = asked.page(before=page.before, size=2)
        back = there + back
    assert [row.entity for row in back] == whole
    assert [row.entity for row in asked.rows()] == whole


def test_a_row_that_goes_between_two_pages_takes_no_other_with_it(
    connection: Connection, customers: list[tuple[Customer, SyncRecord | None]]
) -> None:
    asked = Listing(SECTIONS["customers"], connection, sort="-since")
    first, page = asked.page(size=3)
    SyncRecord.objects.filter(pk=first[2].record.pk).update(status_since=NOW + timedelta(days=1))  # type: ignore[union-attr]  # along records
    rest, _ = asked.page(after=page.after, size=100)
    assert len(customers) == 12
    assert {row.entity.pk for row in [*first, *rest]} == {row.pk for row, record in customers if record is not None}


def test_many_of_a_status_are_listed_by_name_too(
    connection: Connection, customers: list[tuple[Customer, SyncRecord | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Listing.asked_for(SECTIONS["customers"], connection, {"status": "synced", "sort": "name"})
    few = [row.entity.ref_id for row in wanted.rows()]
    monkeypatch.setattr(listing, "_SOME", 1)
    assert [row.entity.ref_id for row in wanted.rows()] == few
    assert len(few) == sum(record is not None and record.standing == "synced" for _, record in customers) == 2


def test_many_without_a_record_are_listed_by_name_too(
    connection: Connection, customers: list[tuple[Customer, SyncRecord | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SOME", 1)
    asked = Listing(SECTIONS["customers"], connection, status="none", sort="name")
    unasked = [row for row, record in customers if record is None]
    assert [row.entity for row in asked.rows()] == sorted(unasked, key=lambda row: (row.name, row.ref_id))


def test_what_has_no_record_is_listed_however_that_came_to_be(connection: Connection) -> None:
    def listed(slug: str = "customers") -> list[str]:
        return [row.entity.ref_id for row in Listing(SECTIONS[slug], connection, status="none").rows()]

    SubscriptionFactory.create(ref_id="saved", customer=CustomerFactory.create(ref_id="saved"))
    made = Customer.objects.bulk_create(Customer(ref_id=name) for name in ("imported", "also", "last"))
    assert (listed(), listed("subscriptions")) == (["also", "imported", "last"], [])
    record_of(connection, made[0], 1)
    made[1].delete()
    assert listed() == ["last"]
    SyncRecord.objects.filter(key="customer:saved").delete()
    Customer.objects.filter(ref_id="last").delete()
    assert listed() == ["saved"]
    connection.removed_at = NOW
    connection.save()
    other = tenant(NOW, tenant_id="20002")
    assert [row.entity.ref_id for row in Listing(SECTIONS["subscriptions"], other, status="none").rows()] == ["saved"]
    record_of(other, made[0], 1)
    Customer.objects.create(ref_id="anew")
    other.delete()
    Connection.objects.update(removed_at=None)
    assert (listed(), listed("subscriptions")) == (["anew", "saved"], [])


@pytest.mark.parametrize("edge", ["nonsense", "[1]", '["x","y"]', '["2026-01-01T00:00:00Z","9e99"]', "a\0b", "{}"])
@pytest.mark.parametrize("sort", ["id", "name", "since"])
def test_a_mistyped_edge_is_answered(browser: Client, sort: str, edge: str) -> None:
    CustomerFactory.create(ref_id="ada")
    assert browser.get("/customers/", {"sort": sort, "after": edge}).status_code == 200
    assert browser.get("/customers/", {"sort": "mistyped"}).context["listing"].sort == "id"


def test_the_address_of_the_next_page_keeps_search_filter_and_order(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.views.entities.PAGE_SIZE", 1)
    for name in ("Aurora", "Aurora & Sons"):
        CustomerFactory.create(name=name)
    shown = browser.get("/customers/?q=aurora&status=pending&sort=-name").content.decode()
    assert 'rel="next" href="?q=aurora&amp;status=pending&amp;sort=-name&amp;after=' in shown


def test_a_columns_head_says_how_it_is_sorted_and_turns_the_order(browser: Client) -> None:
    CustomerFactory.create()
    heads = [(one.label, one.order, one.sort) for one in browser.get("/customers/?sort=-since").context["columns"]]
    assert heads == [
        ("Name", "none", "name"),
        ("Stigg id", "none", "id"),
        ("Sync status", "none", "status"),
        ("Since", "descending", "since"),
    ]
    assert browser.get("/customers/").context["columns"][1].sort == "-id"
    assert [one.label for one in browser.get("/subscriptions/").context["columns"]] == [
        "Stigg id",
        "Sync status",
        "Since",
    ]


def test_an_order_that_leaves_some_out_says_so_at_its_end(browser: Client) -> None:
    CustomerFactory.create()
    said = "have no status to sort by"
    assert said in browser.get("/customers/?sort=status").content.decode()
    assert said not in browser.get("/customers/?sort=name").content.decode()


def many(connection: Connection, rows: int) -> None:
    made = Customer.objects.bulk_create(Customer(ref_id=f"c{n:03}", name="Aurora") for n in range(rows))
    SyncRecord.objects.bulk_create(
        SyncRecord(
            connection=connection, key=f"customer:{one.ref_id}", kind=EntityKind.CUSTOMER, root_id=one.pk,
            root_kind=EntityKind.CUSTOMER, status=SyncStatus.SUCCESS, zuora_id="a" * 32, status_since=NOW,
        )
        for one in made
    )  # fmt: skip


@pytest.mark.parametrize(
    "query", ["", "q=aurora", "status=synced", "sort=-name", "sort=status", "sort=since&q=aurora", "status=none"]
)
@pytest.mark.parametrize("rows", [3, 300])
def test_a_list_takes_eight_queries_with_3_and_with_300_rows(
    browser: Client, connection: Connection, django_assert_num_queries: DjangoAssertNumQueries, rows: int, query: str
) -> None:
    many(connection, rows)
    browser.get(f"/customers/?{query}")
    # session, user, two for permissions, connection, rows, records or entities (none for no rows), connection again;
    # and PostgreSQL looks for words among the next rows first, of records in two steps
    searched = query.count("q=") + query.count("since&q=") if database.vendor == "postgresql" else 0
    with django_assert_num_queries(7 if query == "status=none" else 8 + searched):
        browser.get(f"/customers/?{query}")


def test_while_no_tenant_is_connected_nothing_is_said_not_to_be_in_zuora(browser: Client) -> None:
    Connection.objects.update(removed_at=NOW)
    PlanFactory.create(ref_id="away", display_name="Away")
    for address in ("/plans/", "/plans/away/"):
        page = browser.get(address).content.decode()
        assert "Not connected" in page
        assert "Not in Zuora</span>" not in page
    exported = b"".join(browser.get("/plans.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert exported.splitlines()[1] == "away,Away,Not connected,,,,,,"
    assert "what was done for one is shown once it is connected again" in browser.get("/activity/").content.decode()
