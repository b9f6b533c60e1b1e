"""Usage at a time without a subscription is billed to nobody: comparisons name it, and it differs from nothing."""

import csv
import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from catalog.models import BillingModel, PricingType
from customers.archiving import archive
from integrations import usage_reconcile
from integrations.models import Connection, UsageOfNobody, UsageReconciliation
from integrations.usage_nobodys import HEADER, WHAT_TO_DO, sentence
from subscriptions.scheduling import update
from subscriptions.wanted import Content
from tests.browser.scene import people
from tests.factories.catalog import AddonFactory, PlanFactory, price
from tests.integrations.usage_pages import browser
from tests.integrations.usage_reconciling import compare, reconciled
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage.unattributed import Unattributed, billed_to_nobody

__all__ = ["browser", "reconciled", "tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]
HOUR = timedelta(hours=1)
SENTENCE = (
    "{customer} used 18 of api-calls in 2026-03, 2 events from the hour of 2026-03-10 08:00 to that of "
    "2026-03-10 09:00, and had no subscription then: billed to nobody."
)


@pytest.fixture
def customer(reconciled: UsageWorld) -> str:
    """Whoever used 18 before the subscription began, and 4 since: at 13:04 all is told, and compared."""
    acme = reconciled.sell(start_date=START - 2 * HOUR)
    for hours, value in ((4, 11), (3, 7), (1, 4)):
        reconciled.use(acme, value, at=START - hours * HOUR)
    reconciled.quiet()
    reconciled.next_hour()
    return acme.customer.ref_id


def line(customer: str) -> dict[str, Any]:
    return {
        "subscription": "",
        "charge": "api-calls",
        "number": "",
        "start": "2026-03-10T08:00:00+00:00",
        "end": "2026-03-10T10:00:00+00:00",
        "events": "18",
        "carried": "0",
        "slices": "0",
        "moved": "0",
        "zuora": "0",
        "differences": [],
        "customer": customer,
        "resource": "",
        "event_count": 2,
        "billed_to_nobody": SENTENCE.format(customer=customer),
    }


def test_it_is_named_and_no_difference(customer: str) -> None:
    assert compare() == [
        "What was used up to 2026-03-10 13:00 UTC; the hour that runs is left out.",
        "s1 C-00000001, 2026-03-10 to 2026-04-10: events 4, carried 0, slices 4, moved 0, zuora 4",
        SENTENCE.format(customer=customer),
        f"{WHAT_TO_DO} It is on no side, so it is no difference.",
        "1 compared, all equal.",
    ]


def test_it_is_named_where_there_is_nothing_to_compare(customer: str) -> None:
    said = compare(period="2026-03-01")
    assert said[1:] == [
        SENTENCE.format(customer=customer),
        f"{WHAT_TO_DO} It is on no side, so it is no difference.",
        "Nothing was compared: no subscription that is synced has usage in the billing period around 2026-03-01.",
        "exit 2",
    ]


def test_another_month_does_not_name_it(customer: str) -> None:
    assert not [said for said in compare(period="2026-04-09") if customer in said]


@pytest.mark.usefixtures("customer")
def test_the_hour_that_runs_is_left_out(tenant: UsageWorld) -> None:
    hooli = tenant.sell("s2", start_date=tenant.now + HOUR)
    tenant.use(hooli, 5)
    tenant.close()
    said = compare(subscription="s2", period="all")
    assert said == [
        "What was used up to 2026-03-10 13:00 UTC; the hour that runs is left out.",
        "Nothing was compared: s2 has no usage up to the last full hour.",
        "exit 2",
    ]


def test_reports_hold_it(customer: str, tmp_path: Path) -> None:
    compare(json=tmp_path / "r.json", csv=tmp_path / "r.csv")
    assert json.loads((tmp_path / "r.json").read_text())[1:] == [line(customer)]
    with (tmp_path / "r.csv").open() as file:
        compared, nobodys = csv.DictReader(file)
    assert nobodys == line(customer) | {"differences": "", "event_count": "2"}
    assert (compared["subscription"], compared["customer"], compared["billed_to_nobody"]) == ("s1", "", "")


def test_what_is_kept_of_a_comparison_names_it(
    tenant: UsageWorld, customer: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    kept = UsageReconciliation.objects.create(at=START, seen_at=START)
    UsageOfNobody.objects.create(reconciliation=kept, line={})  # it broke off before
    usage_reconcile.carry_out(kept, clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    assert (kept.compared, kept.differing, kept.unattributed, kept.upto, kept.proves) == (
        *(1, 0, 1),
        START + HOUR,
        True,
    )
    assert [one.line for one in kept.of_nobody.all()] == [line(customer)]
    browser = Client()
    browser.force_login(people()["Viewer"])
    browser.get(f"/usage/reconciliations/{kept.pk}/")
    with django_assert_num_queries(9):
        page = browser.get(f"/usage/reconciliations/{kept.pk}/").content.decode()
    assert SENTENCE.format(customer=customer) in page
    assert 'datetime="2026-03-10T13:00:00+00:00"' in page
    text = b"".join(browser.get(f"/usage/reconciliations/{kept.pk}/export/")).decode("utf-8-sig")
    assert list(csv.DictReader(StringIO(text))) == [
        dict.fromkeys(HEADER, "") | line(customer) | {"differences": "", "event_count": "2"}
    ]


def test_each_case_has_its_sentence() -> None:
    one = Unattributed("acme", "seats", "", "seats", START.date(), Decimal("2.50"), True, 1, START, START)
    often = replace(one, resource="ws-8", adds_up=False, events=2, last=START + HOUR)
    assert [sentence(some) for some in (one, replace(one, quantity=Decimal(-5)), often)] == [
        (
            "acme used 2.5 of seats in 2026-03, 1 event in the hour of 2026-03-10 12:00, "
            "and had no subscription then: billed to nobody."
        ),
        (
            "acme took back 5 of seats in 2026-03, 1 event in the hour of 2026-03-10 12:00, "
            "and had no subscription then: credited to nobody."
        ),
        (
            "acme used at most 2.5 in an hour of seats for ws-8 in 2026-03, 2 events from the hour of 2026-03-10 12:00 "
            "to that of 2026-03-10 13:00, and had no subscription for it then: billed to nobody."
        ),
    ]


def test_a_report_shows_the_first_and_counts_the_rest() -> None:
    kept = UsageReconciliation.objects.create(at=START, seen_at=START, finished_at=START, unattributed=53)
    UsageOfNobody.objects.bulk_create(
        UsageOfNobody(reconciliation=kept, line=line(f"customer-{number}")) for number in range(53)
    )
    browser = Client()
    browser.force_login(people()["Viewer"])
    found = browser.get(f"/usage/reconciliations/{kept.pk}/")
    assert (len(found.context["of_nobody"]), found.context["more_of_nobody"]) == (50, 3)
    assert "and 3 more, which the export holds." in found.content.decode()


def test_it_is_named_when_zuora_is_not_read(tenant: UsageWorld, customer: str) -> None:
    Connection.objects.update(removed_at=tenant.now)
    kept = UsageReconciliation.objects.create(at=START, seen_at=START)
    usage_reconcile.carry_out(kept, clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    assert (kept.error, [one.line["customer"] for one in kept.of_nobody.all()]) == (
        "Zuora is not connected any more.",
        [customer],
    )


@pytest.mark.parametrize("what", ["unsold", "free", "in advance"])
def test_a_subscription_that_does_not_sell_what_is_used_is_named(
    reconciled: UsageWorld, browser: Client, what: str
) -> None:
    pricing = PricingType.FREE if what == "free" else PricingType.PAID
    plan = PlanFactory.create(ref_id="flat", pricing_type=pricing)
    if what == "unsold":
        price(plan)
    elif what == "in advance":
        price(plan, billing_model=BillingModel.PER_UNIT, feature=reconciled.feature, amounts={"EUR": 3})
    reconciled.settle()
    acme = reconciled.sell(plan=plan, start_date=START - 90 * HOUR)
    reconciled.use(acme, 7, at=START - 2 * HOUR)
    reconciled.use(acme, 4, at=START - 1.5 * HOUR)
    reconciled.use(acme, 5, at=START - 100 * HOUR)
    for _ in range(2):  # the next run leaves it as it is
        reconciled.next_hour()
        closed = reconciled.close()
    assert closed.hours == 0
    whose = acme.customer.ref_id
    before = (
        f"{whose} used 5 of api-calls in 2026-03, 1 event in the hour of 2026-03-06 08:00, and had no subscription "
        "then: billed to nobody."
    )
    unsold = (
        f"{whose} used 11 of api-calls in 2026-03, 2 events in the hour of 2026-03-10 10:00, and its subscription s1 "
        "did not sell it: billed to nobody."
    )
    told = [unsold, before] if what == "unsold" else [before]
    assert sorted(line for line in compare() if line.startswith(whose)) == sorted(told)
    page = browser.get("/usage/nobodys/").content.decode()
    assert ('<a href="/subscriptions/s1/">s1</a> did not sell it' in page) is (what == "unsold")
    assert "No subscription then" in page


def test_what_an_addon_sells_from_some_moment_on_is_nobodys_until_then(reconciled: UsageWorld) -> None:
    addon = AddonFactory.create(ref_id="calls")
    price(addon, billing_model=BillingModel.USAGE_BASED, feature=reconciled.feature, amounts={"EUR": 7})
    price(plan := PlanFactory.create(ref_id="flat"))
    reconciled.settle()
    acme = reconciled.sell(plan=plan)
    reconciled.use(acme, 7, at=START)
    reconciled.advance(minutes=20)
    update(subscription=acme, content=Content(addons={"calls": 1}), now=reconciled.now)
    reconciled.settle()
    reconciled.advance(minutes=20)
    reconciled.use(acme, 4)
    reconciled.next_hour()
    reconciled.quiet()
    assert reconciled.quantities() == [4]
    told = billed_to_nobody(upto=reconciled.now)
    assert [(one.quantity, one.unsold_by) for one in told] == [(Decimal(7), "s1")]


def test_what_an_archived_customer_used_before_is_billed_however_late_it_comes_and_what_after_is_nobodys(
    tenant: UsageWorld,
) -> None:
    acme = tenant.sell()
    tenant.advance(minutes=30)
    archive(customer=acme.customer, now=tenant.now)
    tenant.settle()
    tenant.next_hour()
    tenant.use(acme, 7, at=START + timedelta(minutes=29))
    tenant.use(acme, 100, at=START + timedelta(minutes=31))
    tenant.quiet()
    assert tenant.bill(date(2026, 4, 30)) == {"stigg--s1": 7}
    assert [one.quantity for one in billed_to_nobody(upto=tenant.now)] == [100]
