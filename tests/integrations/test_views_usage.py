"""The pages of usage records: what they list, what they send again, and what they say of one."""

import csv
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations.models import AuditEntry, UsageCharge, UsageRecord, UsageState
from integrations.views import usage as views
from tests.integrations.usage_pages import (
    CONFIRMED,
    FAILED,
    HOUR,
    REFUSED,
    WAITING,
    browser,
    listed,
    said,
    three_hours,
)
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["browser", "tenant"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", [FAILED, CONFIRMED]),
        ("?state=failed", [FAILED]),
        ("?state=confirmed", [CONFIRMED]),
        ("?state=planned", []),
        ("?state=billed", []),
        ("?state=corrections", []),
        ("?state=waiting", [WAITING]),
        ("?subscription=s1&charge=api-calls", [FAILED, CONFIRMED]),
        ("?charge=C-00000001&state=failed", [FAILED]),
        ("?charge=C-00000002", []),
        ("?customer=nobody", []),
        ("?customer=nobody&state=waiting", []),
        ("?since=2026-03-11", []),
        ("?since=2026-03-10&until=2026-03-10", [FAILED, CONFIRMED]),
        ("?until=2026-03-09&state=waiting", []),
        ("?state=nonsense&since=yesterday", [FAILED, CONFIRMED]),
    ],
)
def test_the_list_is_narrowed_by_its_filter(
    tenant: UsageWorld, browser: Client, query: str, rows: list[tuple[Any, ...]]
) -> None:
    three_hours(tenant)
    assert listed(browser, query) == rows


def test_a_record_is_found_by_its_key_and_by_its_id_in_zuora(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    failed, confirmed = UsageRecord.objects.order_by("-starts_at")
    asked = (
        failed.external_key,
        confirmed.external_key,
        confirmed.zuora_id,
        "nothing",
        f"{failed.external_key}&state=waiting",
    )
    assert [listed(browser, f"?key={key}") for key in asked] == [[FAILED], [CONFIRMED], [CONFIRMED], [], []]


def test_the_list_says_how_many_slices_have_no_record(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    assert browser.get("/usage/").context["waiting"] == 1
    assert "1 slice has no record yet" in " ".join(browser.get("/usage/").content.decode().split())


@pytest.mark.parametrize("rows", [3, 300])
def test_the_list_takes_a_fixed_number_of_queries_however_many_rows(
    tenant: UsageWorld, browser: Client, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    three_hours(tenant)
    charge = UsageCharge.objects.get()
    UsageRecord.objects.bulk_create(
        UsageRecord(
            connection=charge.connection, charge=charge, external_key=f"made-up-{number}", charge_number=charge.number,
            starts_at=START, wanted=1, not_before=START,
        )
        for number in range(rows)
    )  # fmt: skip
    for query in ("", "?state=waiting"):
        browser.get(f"/usage/{query}")
        with django_assert_num_queries(12 if query else 11):
            browser.get(f"/usage/{query}")


def test_chosen_failed_records_are_sent_again(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    ids = list(UsageRecord.objects.values_list("pk", flat=True))
    response = browser.post("/usage/retry/", {"record": [*ids, "x"], "state": "failed"}, follow=True)
    assert response.redirect_chain == [("/usage/?state=failed", 302)]
    assert said(response) == [
        "1 usage record will be sent again within 60 seconds. This page shows it.",
        "1 had been tried again, or settled, by somebody else meanwhile.",
    ]
    assert AuditEntry.objects.get(action="retry usage").actor_name == "operator"
    tenant.quiet()
    assert tenant.quantities() == [3, 4, 5]


def test_all_failed_records_of_the_filter_are_sent_again_and_no_others(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    browser.post("/usage/retry/", {"all": "1", "customer": "nobody"})
    assert UsageRecord.objects.filter(state=UsageState.FAILED).count() == 1
    browser.post("/usage/retry/", {"all": "1", "subscription": "s1"})
    assert UsageRecord.objects.filter(state=UsageState.FAILED).count() == 0


def test_a_filter_that_cannot_be_read_sends_nothing_again(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    response = browser.post("/usage/retry/", {"all": "1", "since": "yesterday"}, follow=True)
    assert said(response) == ["The filter holds what cannot be read, so nothing was done: correct it first."]
    assert UsageRecord.objects.filter(state=UsageState.FAILED).count() == 1


def test_more_than_fit_into_one_click_are_told(
    tenant: UsageWorld, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_hours(tenant)
    UsageRecord.objects.update(state=UsageState.FAILED)
    monkeypatch.setattr(views, "AT_ONCE", 1)
    assert said(browser.post("/usage/retry/", {"all": "1"}, follow=True))[-1] == (
        "1 more are failed: 1 go at a time, press it again for the rest."
    )


def test_nothing_chosen_says_what_to_do(browser: Client) -> None:
    assert said(browser.post("/usage/retry/", follow=True)) == [
        "Nothing was chosen: tick the failed records to try again."
    ]


def exported(browser: Client, query: str = "") -> list[dict[str, str]]:
    body = b"".join(browser.get(f"/usage/export/{query}").streaming_content)  # type: ignore[attr-defined]
    return list(csv.DictReader(body.decode("utf-8-sig").splitlines()))


def test_the_export_holds_all_that_the_filter_finds_and_no_formula(tenant: UsageWorld, browser: Client) -> None:
    acme = three_hours(tenant)
    acme.customer.ref_id = "=cmd()"
    acme.customer.save()
    [row] = exported(browser, "?state=failed")
    record = UsageRecord.objects.get(state=UsageState.FAILED)
    assert row == {
        "hour": "2026-03-10T10:00:00+00:00",
        "until": "2026-03-10T11:00:00+00:00",
        "customer": "'=cmd()",
        "subscription": "s1",
        "charge": "plan:payg/MONTHLY/RECURRING/USAGE_BASED/api-calls",
        "charge number": "C-00000001",
        "unit": "API calls",
        "quantity": "4.000000000",
        "state": "Failed",
        "reason": REFUSED,
        "what to do": "Retry.",
        "external key": "stigg--s1--plan--payg--api-calls--20260310t100000z",
        "zuora id": record.zuora_id,
        "in zuora": "",
        "billed": "",
        "accepted at": record.accepted_at and record.accepted_at.isoformat(),
        "confirmed at": record.confirmed_at and record.confirmed_at.isoformat(),
    }
    assert [row["quantity"] for row in exported(browser)] == ["4.000000000", "3.000000000"], "as the list shows them"
    assert [(row["quantity"], row["state"]) for row in exported(browser, "?state=waiting")] == [
        ("5.000000000", "Waiting")
    ]


def test_a_record_shows_how_its_quantity_came_to_be(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 10, at=START - 3 * HOUR, how="SET")
    tenant.use(acme, 4, at=START - 2 * HOUR, how="SET")  # six less: nothing is charged, and six are carried
    tenant.use(acme, 9, at=START - HOUR)
    tenant.quiet()
    record = UsageRecord.objects.get(slice__starts_at=START - HOUR)
    context = browser.get(f"/usage/{record.pk}/").context
    assert (context["one"].change, context["one"].carried_in, context["one"].quantity) == (9, -6, 3)
    assert [(item.event.value, item.counts, item.is_late) for item in context["events"]] == [(9, True, False)]
    assert [exchange.path for exchange in context["requests"]] == ["/v1/action/create?rejectUnknownFields=true"]
    earlier = UsageRecord.objects.get(slice__starts_at=START - 3 * HOUR)
    in_use = browser.get(f"/usage/{earlier.pk}/").context["in_use"]
    assert (in_use.before, in_use.after) == (0, 10)
    tenant.use(acme, 11, at=START - HOUR)
    tenant.quiet()
    page = browser.get(f"/usage/{record.pk}/").content.decode()
    assert "<dt>Sent</dt><dd>2 times, each with another content</dd>" in page


def test_a_slice_without_a_record_says_what_it_waits_for(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell(customer__payment_method_id="")
    tenant.use(acme, 5, at=START - HOUR)
    tenant.close()
    one = acme.slices.get()
    row = browser.get(f"/usage/slices/{one.pk}/").context["row"]
    assert row.reason == (
        "Usage waits for the subscription, which is not in Zuora yet. Waits for customer customer-0, which will not be "
        "synced: There is no payment method: attach one that Zuora holds."
    )
    tenant.advance(minutes=1)
    tenant.use(acme, 1, at=START - HOUR)
    [item] = [item for item in browser.get(f"/usage/slices/{one.pk}/").context["events"] if item.is_late]
    assert item.event.value == 1


def test_a_slice_leads_to_its_record(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    record = UsageRecord.objects.get(state=UsageState.CONFIRMED)
    assert browser.get(f"/usage/slices/{record.slice_id}/")["Location"] == f"/usage/{record.pk}/"


def test_the_overview_and_the_other_pages_count_the_same(tenant: UsageWorld, browser: Client) -> None:
    acme = three_hours(tenant)
    chart = browser.get("/usage/overview/").context["chart"]
    assert chart.totals == {"synced": 1, "pending": 1, "failed": 1}
    assert len(chart.bars) == 48
    assert [(bar.at, bar.synced, bar.pending, bar.failed) for bar in chart.used_bars] == [
        (START - 3 * HOUR, 1, 0, 0),
        (START - 2 * HOUR, 0, 0, 1),
        (START - HOUR, 0, 1, 0),
    ]
    tenant.use(acme, 1, at=START - 3 * HOUR)  # late: what Zuora holds is no longer what was used
    tenant.close()
    assert browser.get("/usage/overview/").context["chart"].totals == {"synced": 0, "pending": 2, "failed": 1}
    [charge] = browser.get("/subscriptions/s1/usage/").context["usage"]["charges"]
    assert charge.chart.totals == {"synced": 0, "pending": 9, "failed": 4}
    assert "Its slice has changed since" in listed(browser, "?state=confirmed")[0][4]
