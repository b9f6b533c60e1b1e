"""A search in a list: the beginnings of words, in each order, however many match."""

from itertools import product

import pytest
from django.db import connection as database
from django.test import Client

from integrations.models import Connection, SyncRecord
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


def _asked(query: str) -> dict[str, str]:
    return dict(part.split("=") for part in query.split("&") if part)


def test_each_kind_can_be_searched(connection: Connection) -> None:
    SubscriptionFactory.create(ref_id="sub-first")
    PlanFactory.create(ref_id="gold", display_name="Golden years")
    for slug, text, found in (("subscriptions", "first", "sub-first"), ("plans", "year", "gold")):
        rows, _ = Listing(SECTIONS[slug], connection, text=text).page(size=10)
        assert [row.entity.ref_id for row in rows] == [found]
