"""Comparisons with Zuora on the pages: how one is followed, what it named, and how the last one ended."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations import tasks, usage_reconcile
from integrations.models import UsageReconciliation
from tests.integrations.usage_pages import browser, said, three_hours
from tests.integrations.usage_world import UsageWorld, tenant

__all__ = ["browser", "tenant"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"compared": 3}, ["All equal"]),
        ({"compared": 3, "differing": 1}, ["card-bad", "Differs", "Zuora does not hold what was used."]),
        ({"error": "made up."}, ["card-bad", "Could not be finished", "made up. Nothing is proven"]),
        ({"finished_at": None}, ["card-bad", "Broke off", "It broke off, so nothing is proven"]),
    ],
)
def test_the_overview_says_how_the_last_comparison_ended(
    tenant: UsageWorld, browser: Client, values: dict[str, Any], words: list[str]
) -> None:
    earlier = tenant.now - timedelta(minutes=9)
    UsageReconciliation.objects.create(**{"at": earlier, "seen_at": earlier, "finished_at": earlier, **values})
    page = browser.get("/").content.decode()
    assert [word for word in words if word not in page] == []


def test_a_comparison_is_followed_until_it_ends_and_names_every_difference(
    tenant: UsageWorld, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.usage_compare, "apply_async", lambda *_args, **_options: None)
    three_hours(tenant)
    response = browser.post("/usage/reconciliations/compare/", follow=True)
    kept = UsageReconciliation.objects.get()
    assert response.redirect_chain == [(f"/usage/reconciliations/{kept.pk}/", 302)]
    assert 'hx-trigger="every 2s"' in response.content.decode()
    again = browser.post("/usage/reconciliations/compare/", follow=True)
    assert said(again) == ["A comparison is under way already: this page follows it."]
    usage_reconcile.carry_out(kept, clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    page = browser.get(f"/usage/reconciliations/{kept.pk}/")
    assert "hx-trigger" not in page.content.decode().split('id="live"')[1]
    [one] = page.context["slice"].rows
    assert (one.line["events"], one.line["slices"], one.line["zuora"]) == ("12", "12", "7")
    assert one.line["differences"] == [
        "The slice of 2026-03-10 11:00, 5, has no record: it waits for its charge, or for the next push.",
        "Slices say 12, moved 0, but Zuora says 7.",
    ]
    body = b"".join(browser.get(f"/usage/reconciliations/{kept.pk}/export/").streaming_content)  # type: ignore[attr-defined]
    [row] = csv.DictReader(body.decode("utf-8-sig").splitlines())
    assert (row["subscription"], row["differences"]) == ("s1", "; ".join(one.line["differences"]))


@pytest.mark.parametrize(("role", "offered"), [("viewer", False), ("operator", True)])
def test_what_somebody_changed_in_zuora_can_be_set_right_by_those_who_may(
    tenant: UsageWorld, browser: Client, role: str, offered: bool
) -> None:
    earlier = tenant.now - timedelta(minutes=9)
    values = {"at": earlier, "seen_at": earlier, "finished_at": earlier, "compared": 3, "differing": 1}
    kept = UsageReconciliation.objects.create(**values, changed_there=2)
    browser.force_login(User.objects.get(username=role))
    page = browser.get(f"/usage/reconciliations/{kept.pk}/").content.decode()
    assert "2 usage records were in Zuora as they should be, and are not any more." in page
    assert ("Set 2 usage records right in Zuora?" in page, "An operator can have them set right." in page) == (
        offered, not offered,
    )  # fmt: skip
    UsageReconciliation.objects.update(changed_there=0)
    assert "Set right in Zuora" not in browser.get(f"/usage/reconciliations/{kept.pk}/").content.decode()


def test_a_comparison_that_nobody_carries_out_is_not_waited_for(tenant: UsageWorld, browser: Client) -> None:
    kept = UsageReconciliation.objects.create(at=tenant.now, seen_at=tenant.now - timedelta(minutes=5))
    page = browser.get(f"/usage/reconciliations/{kept.pk}/").content.decode()
    assert "It broke off" in page
    assert "hx-trigger" not in page.split('id="live"')[1]


@pytest.mark.parametrize("rows", [3, 300])
def test_the_comparisons_take_eight_queries_however_many(
    tenant: UsageWorld, browser: Client, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    UsageReconciliation.objects.bulk_create(
        UsageReconciliation(at=tenant.now, seen_at=tenant.now, finished_at=tenant.now) for _ in range(rows)
    )
    browser.get("/usage/reconciliations/")
    with django_assert_num_queries(8):
        browser.get("/usage/reconciliations/")
