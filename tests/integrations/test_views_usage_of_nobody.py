"""The page of what is billed to nobody, and where it is linked from."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.test import Client
from django.utils.html import strip_tags
from pytest_django.fixtures import DjangoAssertNumQueries

from catalog.models import Feature
from customers.models import Customer
from integrations.models import UsageReconciliation
from integrations.usage_differences import plain
from tests.browser.scene import people
from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory, MeterFactory
from usage.models import Aggregation, UnattributedUsage

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTHING = (
    "Nothing is billed to nobody: whoever used a feature that is sold by usage had a subscription then, which sells it "
    "or is free. What is reported of another time is shown here once its hour is counted."
)


@pytest.fixture
def browser() -> Client:
    logged_in = Client()
    logged_in.force_login(people()["Viewer"])
    return logged_in


@pytest.fixture
def feature() -> Feature:
    made: Feature = MeteredFeatureFactory.create(ref_id="api-calls")
    return made


def nobodys(feature: Feature, ref_id: str, *values: str, resource: str = "", since: datetime = START) -> Customer:
    """Note usage of a customer, an hour after the other."""
    customer = Customer.objects.filter(ref_id=ref_id).first() or CustomerFactory.create(ref_id=ref_id)
    UnattributedUsage.objects.bulk_create(
        UnattributedUsage(
            customer=customer, feature=feature, resource_id=resource, starts_at=since + n * HOUR,
            ends_at=since + (n + 1) * HOUR, change=value, event_count=2, noted_at=START,
        )
        for n, value in enumerate(values)
    )  # fmt: skip
    return customer


def listed(browser: Client, query: str = "") -> list[tuple[str, str, str, str, int]]:
    lines = browser.get(f"/usage/nobodys/{query}").context["lines"]
    return [(one.customer, one.resource, f"{one.month:%m}", plain(one.quantity), one.events) for one in lines]


def text_of(browser: Client, address: str) -> str:
    return " ".join(strip_tags(browser.get(address).content.decode()).split())


def test_it_is_listed_by_customer_feature_resource_and_month(browser: Client, feature: Feature) -> None:
    nobodys(feature, "hooli", "1")
    nobodys(feature, "acme", "11", "7.5", "0")
    nobodys(feature, "acme", "4", resource="ws-8")
    nobodys(feature, "acme", "9", since=START - timedelta(days=30))
    nobodys(feature, "zero", "0")
    acme = [("acme", "", "02", "9", 2), ("acme", "", "03", "18.5", 4), ("acme", "ws-8", "03", "4", 2)]
    assert listed(browser) == [*acme, ("hooli", "", "03", "1", 2)]
    assert listed(browser, "?customer=acme%00") == acme
    assert listed(browser, "?customer=zero") == []


def test_what_does_not_add_up_says_so(browser: Client, feature: Feature) -> None:
    MeterFactory.create(feature=feature, aggregation=Aggregation.MAX, field="seats")
    nobodys(feature, "acme", "3", "5", "4")
    assert listed(browser) == [("acme", "", "03", "5", 6)]
    assert "5 API calls at most, in an hour" in text_of(browser, "/usage/nobodys/")


def test_the_list_is_empty_with_a_hint(browser: Client) -> None:
    assert NOTHING in text_of(browser, "/usage/nobodys/")
    assert "Nothing of customer acme is billed to nobody. Show all" in text_of(browser, "/usage/nobodys/?customer=acme")


@pytest.mark.parametrize("customers", [1, 3])
def test_the_list_takes_a_fixed_number_of_queries(
    browser: Client, feature: Feature, django_assert_num_queries: DjangoAssertNumQueries, customers: int
) -> None:
    for n in range(customers):
        nobodys(feature, f"customer-{n}", "1", "2")
    browser.get("/usage/nobodys/")
    with django_assert_num_queries(9):
        assert len(listed(browser)) == customers


def test_the_list_is_paged_by_customer(browser: Client, feature: Feature) -> None:
    names = [f"customer-{n:02}" for n in range(27)]
    for name in names:
        nobodys(feature, name, "1")
    first = browser.get("/usage/nobodys/").context
    assert ([one.customer for one in first["lines"]], first["customers"]) == (names[:25], 27)
    after = f"?after={first['slice'].after}"
    second = browser.get(f"/usage/nobodys/{after}").context
    assert ([one.customer for one in second["lines"]], second["slice"].after) == (names[25:], "")
    assert [name for name, *_ in listed(browser, f"?before={second['slice'].before}")] == names[:25]


def test_it_is_exported_as_it_is_filtered(browser: Client, feature: Feature, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.views.usage_of_nobody._EXPORTED_AT_ONCE", 1)
    nobodys(feature, "acme", "11", "7.5")
    nobodys(feature, "hooli", "1")

    def exported(query: str) -> list[list[str]]:
        answer = browser.get(f"/usage/nobodys/export/{query}")
        return list(csv.reader(StringIO(b"".join(answer).decode("utf-8-sig"))))

    head = [
        *("customer", "feature", "resource", "month", "quantity", "unit", "quantity is", "events"),
        *("first hour", "last hour", "not sold by"),
    ]
    noon, one = "2026-03-10T12:00:00+00:00", "2026-03-10T13:00:00+00:00"
    acme = ["acme", "api-calls", "", "2026-03", "18.5", "API calls", "all of it", "4", noon, one, ""]
    hooli = ["hooli", "api-calls", "", "2026-03", "1", "API calls", "all of it", "2", noon, noon, ""]
    assert exported("") == [head, acme, hooli]
    assert exported("?customer=acme") == [head, acme]
    assert exported("?customer=nobody") == [head]


@pytest.mark.usefixtures("connection")
def test_the_usage_page_and_the_customers_page_lead_there(browser: Client, feature: Feature) -> None:
    said = "billed to nobody: see what, and what to do"
    CustomerFactory.create(ref_id="initech")
    assert said not in text_of(browser, "/usage/")
    nobodys(feature, "acme", "1")
    assert f"1 customer used something without a subscription that sells it, which is {said}" in text_of(
        browser, "/usage/"
    )
    nobodys(feature, "hooli", "1")
    assert "2 customers used something" in text_of(browser, "/usage/")
    assert "2 customers in all." in text_of(browser, "/usage/nobodys/")
    page = browser.get("/customers/acme/").content.decode()
    assert '<a href="/usage/nobodys/?customer=acme">' in page
    assert said not in text_of(browser, "/customers/initech/")


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("found", [0, 2])
def test_the_overview_says_that_the_comparison_found_some(browser: Client, found: int) -> None:
    UsageReconciliation.objects.create(at=START, seen_at=START, finished_at=START, compared=1, unattributed=found)
    said = "Beside them, it found usage that is billed to nobody."
    assert (said in text_of(browser, "/")) == bool(found)
