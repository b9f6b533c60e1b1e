"""A search in a list: the beginnings of words, in each order, however many match."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import connection as database
from django.test import Client

from customers.models import Customer
from integrations.models import Connection, SyncRecord, SyncStatus
from integrations.sections import SECTIONS
from integrations.views import listing
from integrations.views.listing import Listing
from tests.factories.catalog import PlanFactory
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.browsers import viewers as browser

__all__ = ["browser"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bak", ["cus_1"]),
        ("AURORA bak", ["cus_1"]),
        ("akery", []),
        ("billing@aurora", ["cus_1"]),
        ("example", ["cus_1", "cus_2"]),
        ("cus_", ["cus_1", "cus_2"]),
        ("cus_2", ["cus_2"]),
        ("cus", ["cus_1", "cus_2", "x-3"]),
        ("crème", ["x-3"]),
        ("o'n", ["x-3"]),
        ("' & !x:* | \\", ["x-3"]),
        ("&", []),
        ("3", ["x-3"]),
        ("%", []),
        ("ros_", []),
    ],
)
def test_a_search_finds_the_beginnings_of_words_on_every_database(
    connection: Connection, text: str, found: list[str]
) -> None:
    CustomerFactory.create(ref_id="cus_1", name="Aurora Bakery", email="billing@aurora.example")
    CustomerFactory.create(ref_id="cus_2", name="Birch", email="office@birch.example")
    CustomerFactory.create(ref_id="x-3", name="Crème O'Neill (cus)", email="")
    rows, _ = Listing(SECTIONS["customers"], connection, text=text).page(size=10)
    assert [row.entity.ref_id for row in rows] == found


@pytest.mark.parametrize(("near", "rare"), [(10, 10), (1, 10), (1, 2)])
@pytest.mark.parametrize("query", ["", "status=pending", "status=none", "sort=since", "sort=name&status=pending"])
def test_a_word_is_found_near_or_far_by_few_or_many_in_the_order_of_the_list(
    browser: Client, monkeypatch: pytest.MonkeyPatch, near: int, rare: int, query: str
) -> None:
    monkeypatch.setattr("integrations.sections._RARE", rare)
    monkeypatch.setattr(listing, "_NEAR", near)
    for number in (3, 0, 2, 1):
        CustomerFactory.create(ref_id=f"c{number}", name=f"Aurora {number}" if number else "Birch")
    if query == "status=none":
        SyncRecord.objects.all().delete()
    pages = [browser.get(f"/customers/?q=auro&{query}").context]
    monkeypatch.setattr("integrations.views.entities.PAGE_SIZE", 2)
    pages.append(browser.get(f"/customers/?q=auro&{query}").context)
    after = pages[1]["slice"].after
    pages.append(browser.get("/customers/", {"q": "auro", **_asked(query), "after": after}).context)
    found = ["c3", "c2", "c1"] if query == "sort=since" else ["c1", "c2", "c3"]
    assert [[row.entity.ref_id for row in page["rows"]] for page in pages] == [found, found[:2], found[2:]]


#: Orders in which ids with one beginning may stand far apart, and filters that leave more than a few.
FAR = {("name", ""), ("since", ""), ("since", "pending"), ("status", "")}


@pytest.mark.parametrize("most", [(10, 10), (1, 10), (1, 1)])
@pytest.mark.parametrize("status", ["", "pending", "none"])
def test_a_beginning_of_ids_is_found_in_each_order(
    browser: Client, monkeypatch: pytest.MonkeyPatch, most: tuple[int, int], status: str
) -> None:
    near, some = most
    monkeypatch.setattr(listing, "_NEAR", near)
    monkeypatch.setattr("integrations.sections._RARE", some)
    for place, ref_id in enumerate(("x-1", "a-1", "y-1", "x-3", "x-2", "z-1", "x.4")):
        CustomerFactory.create(ref_id=ref_id, name=f"Made up {9 - place}")
    if status == "none":
        SyncRecord.objects.all().delete()
    by_id = ["x-1", "x-2", "x-3"]
    orders = {"id": by_id, "name": ["x-2", "x-3", "x-1"], "since": ["x-1", "x-3", "x-2"], "status": by_id}
    for column, way in product(orders, ("", "-")):
        response = browser.get(f"/customers/?q=x-&status={status}&sort={way}{column}", follow=True)
        is_far = most == (1, 1) and database.vendor == "postgresql" and (column, status) in FAR
        assert bool(response.redirect_chain) == is_far, (column, way)
        wanted = by_id if is_far or (column, status) == ("since", "none") else orders[column]
        found = [row.entity.ref_id for row in response.context["rows"]]
        assert found == (wanted[::-1] if way else wanted), (column, way)


@pytest.mark.skipif(database.vendor == "sqlite", reason="only PostgreSQL has an index of words")
@pytest.mark.parametrize("status", ["", "pending"])
@pytest.mark.parametrize("sort", ["name", "-name"])
def test_too_many_to_be_put_in_the_order_of_their_names_are_listed_by_id(
    browser: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch, status: str, sort: str
) -> None:
    for place, name in enumerate(("Anton", "Birch 2", "Birch 1", "Birch 3", "Zoe")):
        CustomerFactory.create(ref_id=f"c{place}", name=name)
    address = f"/customers/?q=birch&status={status}&sort={sort}"
    by_name = [row.entity.ref_id for row in browser.get(address).context["rows"]]
    assert by_name == (["c2", "c1", "c3"] if sort == "name" else ["c3", "c1", "c2"])
    monkeypatch.setattr("integrations.sections._RARE", 2)
    monkeypatch.setattr(listing, "_NEAR", 1)
    monkeypatch.setattr(listing, "_SOME", 1)
    response = browser.get(address, follow=True)
    assert response.redirect_chain == [
        (f"/customers/?q=birch&status={status}&sort={sort.replace('name', 'id')}&many=1", 302)
    ]
    assert [row.entity.ref_id for row in response.context["rows"]] == sorted(by_name, reverse=sort != "name")
    assert "Too many match to be put in that order" in response.content.decode()
    exported = Listing(SECTIONS["customers"], connection, text="birch", status=status, sort=sort).rows()
    assert [row.entity.ref_id for row in exported] == by_name
    monkeypatch.setattr(listing, "_SOME", 9)
    assert browser.get(address).status_code == (200 if status else 302), "few of a status are put in order"


STATES = [
    (SyncStatus.SUCCESS, "a" * 32),
    (SyncStatus.PENDING, ""),
    (SyncStatus.NO_SYNC_REQUIRED, ""),
    (SyncStatus.NO_SYNC_REQUIRED, "b" * 32),
]
#: The order of the entities, and that of their records, as a plain query says it.
PLAIN = {
    "id": (["ref_id"], ["standing", "key"]),
    "name": (["name", "ref_id"], None),
    "status": (["ref_id"], ["standing", "key"]),
    "since": (["ref_id"], ["status_since", "id"]),
}


@pytest.mark.parametrize("limits", [(99, 99), (4, 99), (4, 5), (1, 0)])
@pytest.mark.parametrize("status", ["", "synced", "not-synced", "stopped", "pending", "none"])
def test_a_search_finds_what_a_plain_query_says_in_its_order_in_all_its_pages(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], status: str
) -> None:
    near, rare = limits
    monkeypatch.setattr(listing, "_NEAR", near)
    monkeypatch.setattr(listing, "_SOME", rare // 9)
    monkeypatch.setattr("integrations.sections._RARE", rare)
    for place in range(23):
        name = ("Aurora", "Birch", "Cobalt")[place % 3], ("Bakery", "Labs")[place % 2], str(place * 5 % 8)
        CustomerFactory.create(ref_id=f"c{place * 7 % 23:02}", name=" ".join(name))
    for place, customer in enumerate(Customer.objects.order_by("name", "ref_id")):
        record = SyncRecord.objects.get(key=f"customer:{customer.ref_id}")
        record.status, record.zuora_id = STATES[place // 6]  # one after the other: no status is always near
        record.status_since += timedelta(hours=place // 4 * 5 % 3)
        record.save()
    SyncRecord.objects.filter(key__in=["customer:c21", "customer:c22"]).delete()
    for text, (column, way) in product(("aur", "birch bak", "zz", "c", "c1"), product(PLAIN, ("", "-"))):
        asked = Listing(SECTIONS["customers"], connection, text=text, status=status, sort=f"{way}{column}")
        plain = _plain(asked)
        rows, page = asked.page(size=2, is_patient=True)
        there = [row.entity.ref_id for row in rows]
        while page.after:
            rows, page = asked.page(after=page.after, size=2, is_patient=True)
            there += [row.entity.ref_id for row in rows]
        assert there == plain, (text, column, way)
        back: list[str] = []
        while page.before:
            rows, page = asked.page(before=page.before, size=2, is_patient=True)
            back = [row.entity.ref_id for row in rows] + back
        assert back == plain[: len(back)], (text, column, way)
        assert len(plain) - len(back) in {0, 1, 2}, (text, column, way)


def _plain(asked: Listing) -> list[str]:
    """Return the ids of what a list holds, by a query for all entities or records, and looking at each."""
    of_entities, of_records = PLAIN[asked.column]
    is_whole = asked.status == "none" or of_records is None or (asked.column == "id" and not asked.status)
    rows = Customer.objects.order_by(*of_entities)
    records = {one.root_id: one for one in SyncRecord.objects.order_by(*(of_records or ["pk"]))}
    if not is_whole:
        by_id = rows.in_bulk()
        found = [by_id[root_id] for root_id in records]
    else:
        found = list(rows)
    standings = {row.pk: records[row.pk].standing if row.pk in records else "none" for row in found}
    held = [row for row in found if asked.status in {"", standings[row.pk]} and _has_words(row, asked.text)]
    return [row.ref_id for row in (reversed(held) if asked.sort.startswith("-") else held)]


def _has_words(row: Customer, text: str) -> bool:
    if text == "c1":
        return row.ref_id.startswith(text)
    held = f"{row.ref_id} {row.name} {row.email}".lower().replace("@", " ").replace(".", " ").replace("-", " ").split()
    return all(any(word.startswith(sought) for word in held) for sought in text.split())


def _asked(query: str) -> dict[str, str]:
    return dict(part.split("=") for part in query.split("&") if part)


def test_each_kind_can_be_searched(connection: Connection) -> None:
    SubscriptionFactory.create(ref_id="sub-first")
    PlanFactory.create(ref_id="gold", display_name="Golden years")
    for slug, text, found in (("subscriptions", "first", "sub-first"), ("plans", "year", "gold")):
        rows, _ = Listing(SECTIONS[slug], connection, text=text).page(size=10)
        assert [row.entity.ref_id for row in rows] == [found]
