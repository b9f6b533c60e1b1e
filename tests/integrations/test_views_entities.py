import re

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations.models import Connection, SyncRecord, SyncStatus
from integrations.views import entities
from integrations.views.listing import FILTERS
from tests.factories.catalog import CouponFactory, PlanFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.browsers import operators as browser
from tests.integrations.entity_pages import MAKERS, NOW, mark, names, page

__all__ = ["browser"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slug", MAKERS)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_takes_a_fixed_number_of_queries_however_many_rows(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries, slug: str, rows: int
) -> None:
    MAKERS[slug].create_batch(rows)
    SyncRecord.objects.update(status=SyncStatus.SUCCESS, zuora_id="a" * 32)
    browser.get(f"/{slug}/")
    # session, user, two for permissions, connection, rows, records, connection for the banner; who has it, which plan
    with django_assert_num_queries(10 if slug == "subscriptions" else 8):
        browser.get(f"/{slug}/")
    assert len(browser.get(f"/{slug}/").context["rows"]) == rows


def test_a_subscription_is_listed_and_exported_with_its_customer_and_plan(browser: Client) -> None:
    acme = CustomerFactory.create(ref_id="acme", name="Acme & Sons")
    SubscriptionFactory.create(ref_id="s1", customer=acme, plan=PlanFactory.create(ref_id="pro", display_name="Pro"))
    cell = page(browser, "/subscriptions/").split('data-label="Customer, plan"')[1].split("</td>")[0]
    assert 'href="/customers/acme/">Acme &amp; Sons</a>' in cell
    assert ">Pro<" in cell
    exported = b"".join(browser.get("/subscriptions.csv").streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [line.split(",")[-2:] for line in exported] == [["Customer", "Plan"], ["acme", "pro"]]


def test_the_price_of_a_package_says_for_how_many(browser: Client) -> None:
    plan = plan_with_prices(ref_id="pro")
    plan.prices.update(block_size=500)
    shown = page(browser, "/plans/pro/")
    assert re.search(r'</data> for <data value="500"[^>]*>500</data>', shown)


def test_an_address_of_what_is_gone_says_so_in_our_words(browser: Client) -> None:
    gone = browser.get("/usage/987654/")
    assert (gone.status_code, "what it named is gone" in gone.content.decode()) == (404, True)
    assert "There is no plan with the id gone." in browser.get("/plans/gone/").content.decode()


def test_a_row_shows_status_since_when_and_the_billing_id_as_a_link_into_the_tenant(browser: Client) -> None:
    PlanFactory.create(ref_id="pro", display_name="Professional")
    mark("plan:pro", SyncStatus.SUCCESS, zuora_id="a" * 32, zuora_number="stigg--plan--pro")
    shown = page(browser, "/plans/")
    assert 'href="https://test.zuora.com/apps/Product.do?method=view&amp;id=' + "a" * 32 in shown
    for text in ("Professional", "stigg--plan--pro", 'alt="Zuora"', "Synced", 'datetime="2026-03-01T12:00:00+00:00"'):
        assert text in shown


@pytest.mark.parametrize(
    ("status", "zuora_id", "label"),
    [
        (SyncStatus.PENDING, "", "Pending"),
        (SyncStatus.SUCCESS, "a" * 32, "Synced"),
        (SyncStatus.ERROR, "", "Failed"),
        (SyncStatus.NO_SYNC_REQUIRED, "", "Will not be synced"),
        (SyncStatus.NO_SYNC_REQUIRED, "a" * 32, "Linked, sync stopped"),
    ],
)
def test_every_status_has_its_words_on_list_and_page(
    browser: Client, status: SyncStatus, zuora_id: str, label: str
) -> None:
    CustomerFactory.create(ref_id="ada")
    mark("customer:ada", status, zuora_id=zuora_id)
    rows = page(browser, "/customers/").split("<tbody>")[1]
    assert f"{label}</span>" in rows
    assert f"{label}</span>" in page(browser, "/customers/ada/")


def test_a_list_is_filtered_by_status(browser: Client) -> None:
    for number, (status, zuora_id) in enumerate(
        [
            (SyncStatus.PENDING, ""),
            (SyncStatus.SUCCESS, "a" * 32),
            (SyncStatus.ERROR, ""),
            (SyncStatus.NO_SYNC_REQUIRED, ""),
            (SyncStatus.NO_SYNC_REQUIRED, "b" * 32),
        ]
    ):
        CustomerFactory.create(ref_id=f"c{number}")
        mark(f"customer:c{number}", status, zuora_id=zuora_id)
    CustomerFactory.create(ref_id="c5")
    SyncRecord.objects.filter(key="customer:c5").delete()
    found = {slug: names(browser, f"/customers/?status={slug}") for slug in FILTERS}
    assert found == {
        "pending": ["c0"],
        "synced": ["c1"],
        "failed": ["c2"],
        "not-synced": ["c3"],
        "stopped": ["c4"],
        "none": ["c5"],
    }
    assert names(browser, "/customers/?status=mistyped") == ["c0", "c1", "c2", "c3", "c4", "c5"]


@pytest.mark.parametrize("text", ["bakery", "AURORA", "billing@aurora", "first"])
def test_a_search_finds_by_id_name_and_address(browser: Client, text: str) -> None:
    CustomerFactory.create(ref_id="first", name="Aurora Bakery", email="billing@aurora.example")
    CustomerFactory.create(ref_id="other", name="Birch", email="office@birch.example")
    assert names(browser, f"/customers/?q={text}") == ["first"]


def test_an_empty_list_says_why_it_is_empty(browser: Client) -> None:
    assert "There is no coupon yet" in page(browser, "/coupons/")
    assert "No coupon matches" in page(browser, "/coupons/?q=nothing")


def test_pages_of_a_list_lead_to_each_other(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entities, "PAGE_SIZE", 2)
    for number in range(5):
        CouponFactory.create(ref_id=f"c{number}")
    seen, address = [], "/coupons/"
    while address:
        response = browser.get(address)
        seen.append([row.entity.ref_id for row in response.context["rows"]])
        after = response.context["slice"].after
        address = f"/coupons/?after={after}" if after else ""
    assert seen == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    assert names(browser, "/coupons/?before=c4") == ["c2", "c3"]
    back = browser.get("/coupons/?before=c2").context["slice"]
    assert ([row.ref_id for row in back.rows], back.before, back.after) == (["c0", "c1"], "", "c1")


def test_htmx_gets_the_rows_alone_and_the_history_the_page(browser: Client) -> None:
    part = browser.get("/coupons/", headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]
    back = browser.get("/coupons/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


def test_an_unknown_entity_is_a_page_of_ours(browser: Client) -> None:
    response = browser.get("/plans/no-such/")
    assert response.status_code == 404
    assert "There is no plan with the id no-such." in response.content.decode()


def test_without_a_tenant_lists_and_pages_work_and_syncing_says_why_not(browser: Client) -> None:
    Connection.objects.update(removed_at=NOW)
    PlanFactory.create(ref_id="pro")
    assert "Zuora is not connected." in page(browser, "/plans/")
    assert "Zuora is not connected: it is looked at when it is." in page(browser, "/plans/pro/")
    response = browser.post("/plans/pro/sync/", follow=True)
    assert "Zuora is not connected: connect it at Settings" in response.content.decode()
