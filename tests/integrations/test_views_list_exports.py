"""A list as a file: what it is filtered by, a part at a time, and no formula."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations.models import Connection, SyncRecord, SyncStatus
from integrations.sections import SECTIONS
from integrations.views import listing
from integrations.views.list_exports import COLUMNS
from integrations.views.listing import Listing
from tests.factories.catalog import PlanFactory
from tests.factories.customers import CustomerFactory
from tests.integrations.browsers import viewers as browser

__all__ = ["browser"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_export_holds_what_the_list_is_filtered_by_and_no_formula(
    browser: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_EXPORTED_AT_ONCE", 2)
    monkeypatch.setattr(listing, "_EXPORTED_FIRST", 2)
    for number in range(5):
        CustomerFactory.create(ref_id=f"c{number}", name=f"=HYPERLINK({number})")
    told = {"error": "No such currency.", "cure": "Activate it.", "status": SyncStatus.ERROR, "zuora_id": "f" * 32}
    SyncRecord.objects.exclude(key="customer:c0").update(status_since=NOW, zuora_number="stigg--c", **told)
    response = browser.get("/customers.csv?status=failed&sort=-id&q=hyperlink")
    body = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    link = f"https://test.zuora.com/apps/CustomerAccount.do?method=view&id={'f' * 32}"
    assert response["Content-Disposition"] == 'attachment; filename="customers.csv"'
    assert list(csv.reader(io.StringIO(body))) == [
        list(COLUMNS),
        *(
            [f"c{number}", f"'=HYPERLINK({number})", "Failed", "2026-03-01 12:00:00", "stigg--c", "f" * 32, link,
             "No such currency.", "Activate it."]
            for number in (4, 3, 2, 1)
        ),
    ]  # fmt: skip
    assert connection.pk


def test_an_export_says_of_what_nobody_asked_for_that_it_is_not_in_zuora(browser: Client) -> None:
    PlanFactory.create(ref_id="next-year", display_name="Next year", status="DRAFT")
    body = b"".join(browser.get("/plans.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert body.splitlines()[1] == "next-year,Next year,Not in Zuora,,,,,,"


def test_an_export_reads_a_part_at_a_time(
    connection: Connection, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_EXPORTED_AT_ONCE", 2)
    monkeypatch.setattr(listing, "_EXPORTED_FIRST", 2)
    CustomerFactory.create_batch(6)
    rows = Listing(SECTIONS["customers"], connection).rows()
    with django_assert_num_queries(2):
        next(rows)
        next(rows)
    with django_assert_num_queries(2):
        next(rows)
