"""The pages about usage: what they list, what they send, and what they say of it."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import strip_tags
from pytest_django.fixtures import DjangoAssertNumQueries

from catalog.models import CancellationTime
from integrations import connecting, tasks, usage_reconcile, usage_sync
from integrations.charts import Bar, Chart, Segment, bars_between, fill
from integrations.models import AuditEntry, Connection, UsageCharge, UsageReconciliation, UsageRecord, UsageState
from integrations.usage_sync import Sight
from integrations.views import usage as views
from integrations.views import usage_of_subscription
from subscriptions.cancelling import cancel
from subscriptions.models import Subscription
from tests.browser.scene import people
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage.models import Slice

__all__ = ["tenant"]
pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
REFUSED = "Zuora refuses it: made up."


@pytest.fixture
def browser(tenant: UsageWorld) -> Client:
    del tenant
    logged_in = Client()
    logged_in.force_login(people()["Operator"])
    return logged_in


@pytest.fixture(autouse=True)
def _in_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the button send to the tenant in process."""
    if "tenant" in request.fixturenames:
        found: UsageWorld = request.getfixturevalue("tenant")
        monkeypatch.setattr(usage_of_subscription, "client_for", lambda _: found.world.client)


def three_hours(tenant: UsageWorld) -> Any:
    """Use 3, 4 and 5 API calls: the first is confirmed, the second failed, the third has no record."""
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - 3 * HOUR)
    tenant.use(acme, 4, at=START - 2 * HOUR)
    tenant.quiet()
    UsageRecord.objects.filter(wanted=4).update(state=UsageState.FAILED, reason=REFUSED, cure="Retry.", held=None)
    tenant.use(acme, 5, at=START - HOUR)
    tenant.close()
    return acme


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def listed(browser: Client, query: str = "") -> list[tuple[Any, ...]]:
    rows = browser.get(f"/usage/{query}").context["rows"]
    return [(row.starts_at, row.quantity, row.unit, row.state, row.reason, row.cure) for row in rows]


CONFIRMED = (START - 3 * HOUR, Decimal(3), "API calls", "Confirmed", "", "")
FAILED = (START - 2 * HOUR, Decimal(4), "API calls", "Failed", REFUSED, "Retry.")
WAITING = (START - HOUR, Decimal(5), "API calls", "Waiting", "It goes with the next hourly run.", "")


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


def test_a_slice_without_a_record_says_what_it_waits_for(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell(customer__payment_method_id="")
    tenant.use(acme, 5, at=START - HOUR)
    tenant.close()
    one = acme.slices.get()
    row = browser.get(f"/usage/slices/{one.pk}/").context["row"]
    assert row.reason == "Usage waits for the subscription, which is not in Zuora yet."
    tenant.advance(minutes=1)
    tenant.use(acme, 1, at=START - HOUR)
    [item] = [item for item in browser.get(f"/usage/slices/{one.pk}/").context["events"] if item.is_late]
    assert item.event.value == 1


def test_a_slice_leads_to_its_record(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    record = UsageRecord.objects.get(state=UsageState.CONFIRMED)
    assert browser.get(f"/usage/slices/{record.slice_id}/")["Location"] == f"/usage/{record.pk}/"


def test_the_subscriptions_page_draws_its_usage_and_tells_runs(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    context = browser.get("/subscriptions/s1/usage/").context
    [charge] = context["usage"]["charges"]
    assert charge.chart.totals == {"synced": 3, "pending": 5, "failed": 4}
    assert sum(charge.chart.totals.values()) == charge.usage.quantity
    assert (context["usage"]["next_sync"], context["usage"]["failed"]) == (START.replace(minute=4), 1)
    assert "5 API calls</strong> in 1 slice to" in browser.get("/subscriptions/s1/usage/preview/").content.decode()
    assert 'id="usage"' in browser.get("/subscriptions/s1/").content.decode()


@pytest.mark.parametrize("hours", [3, 300])
def test_a_subscriptions_usage_takes_a_fixed_number_of_queries_however_many_hours_it_has(
    tenant: UsageWorld, browser: Client, django_assert_num_queries: DjangoAssertNumQueries, hours: int
) -> None:
    acme = three_hours(tenant)
    one = acme.slices.first()
    charge = UsageCharge.objects.get()
    slices = [
        Slice(
            subscription=acme, price=one.price, starts_at=at, ends_at=at + HOUR, quantity=1, closed_at=START,
            taken_revision=1,
        )
        for at in (START - HOUR * number for number in range(4, hours + 1))
    ]  # fmt: skip
    UsageRecord.objects.bulk_create(
        UsageRecord(
            connection=charge.connection, charge=charge, slice=each, external_key=f"made-up-{number}",
            charge_number=charge.number, starts_at=each.starts_at, wanted=1, held=1, not_before=START,
            zuora_id=f"made-up-{number}", state=UsageState.CONFIRMED,
        )
        for number, each in enumerate(Slice.objects.bulk_create(slices))
    )  # fmt: skip
    for address, queries in (("", 15), ("preview/", 33)):
        browser.get(f"/subscriptions/s1/usage/{address}")
        with django_assert_num_queries(queries):
            browser.get(f"/subscriptions/s1/usage/{address}")


def test_periods_are_walked_and_a_mistyped_one_is_the_current(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    usage = browser.get("/subscriptions/s1/usage/").context["usage"]
    assert (usage["is_last"], usage["later"]) == (True, None)
    before = browser.get("/subscriptions/s1/usage/", {"at": usage["earlier"].isoformat()}).context["usage"]
    assert (before["period"].end, before["is_last"], before["charges"]) == (usage["period"].start, False, [])
    for text in ("x", "2026-02-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        response = browser.get("/subscriptions/s1/usage/", {"at": text})
        assert response.status_code == 200


def test_the_button_sends_names_what_it_sent_and_sends_nothing_twice(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - HOUR)
    tenant.use(acme, 6)
    first = browser.post("/subscriptions/s1/usage/sync/", follow=True)
    assert said(first) == ["2 usage records are in Zuora as it should be: this page names them."]
    assert [one.held for one in first.context["usage"]["by_hand"].records] == [4, 6]
    second = browser.post("/subscriptions/s1/usage/sync/", follow=True)
    assert said(second) == ["There was nothing to send: Zuora has taken all usage up to now."]
    assert tenant.quantities() == [4, 6]
    assert list(AuditEntry.objects.filter(action="sync usage").values_list("actor_name", flat=True)) == ["operator"] * 2


def test_a_zuora_that_does_not_answer_in_time_is_told_and_followed(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - HOUR)
    tenant.control.add_fault("delay", method="POST", path="/v1/action/create$", seconds=60, times=1)
    response = browser.post("/subscriptions/s1/usage/sync/", follow=True)
    [problem, left] = said(response)
    assert problem.startswith("Not everything was sent.")
    assert "Read timed out. (read timeout=15.0)" in problem
    assert left == "1 still on the way: what becomes of them is found out by itself."
    tenant.quiet()
    assert tenant.quantities() == [4]  # it was done over there: nothing goes twice


def test_after_half_a_minute_nothing_more_leaves(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - HOUR)
    hurried = tenant.world.client.in_a_hurry(seconds=0.0, call_seconds=15.0)
    tenant.world.client = hurried
    hurried.in_a_hurry = lambda **_: hurried  # type: ignore[method-assign]
    response = browser.post("/subscriptions/s1/usage/sync/", follow=True)
    assert "Zuora takes longer than this page waits, so the rest was not sent yet." in said(response)[0]
    assert tenant.rows() == []


def test_what_cannot_be_sent_says_why_and_has_no_button(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell(customer__payment_method_id="")
    tenant.use(acme, 4, at=START - HOUR)
    reason = "Usage waits for the subscription, which is not in Zuora yet."
    page = browser.get("/subscriptions/s1/usage/?preview=1").content.decode()
    assert reason in page
    assert 'action="/subscriptions/s1/usage/sync/"' not in page
    assert said(browser.post("/subscriptions/s1/usage/sync/", follow=True)) == [reason]


def text_of(response: Any) -> str:
    return " ".join(unescape(strip_tags(response.content.decode())).split())


def shown_of(browser: Client) -> tuple[Any, ...]:
    """Return what the card says of where the usage went, and how much of it is synced and pending."""
    card = browser.get("/subscriptions/s1/usage/").context["usage"]
    sums = {sight: sum(part.quantity for one in card["charges"] for part in one.usage.parts if part.sight == sight)
            for sight in (Sight.SYNCED, Sight.PENDING)}  # fmt: skip
    return card["former"], [one.usage.number for one in card["charges"]], card["last_sync"], *sums.values()


def test_what_was_sent_before_the_connection_was_removed_stays_synced(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - 3 * HOUR)
    browser.post("/subscriptions/s1/usage/sync/")
    sent = tenant.now
    connecting.remove(
        connection=tenant.world.connection, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client
    )
    tenant.use(acme, 4, at=START - 2 * HOUR)
    tenant.close()
    former = tenant.world.connection
    assert shown_of(browser) == (former, ["C-00000001"], sent, 3, 4)
    page = text_of(browser.get("/subscriptions/s1/usage/"))
    assert f"{former}, which was connected until" in page
    assert usage_sync.NOT_CONNECTED in page
    assert "these usage records went to Zuora" in page
    assert listed(browser) == [CONFIRMED]
    assert listed(browser, "?state=waiting") == [
        (START - 2 * HOUR, Decimal(4), "API calls", "Waiting", usage_sync.NOT_CONNECTED, "")
    ]
    record = UsageRecord.objects.get()
    assert browser.get(f"/usage/{record.pk}/").status_code == 200
    waiting = Slice.objects.untaken().get()
    assert usage_sync.NOT_CONNECTED in text_of(browser.get(f"/usage/slices/{waiting.pk}/"))
    assert record.external_key in browser.get("/usage/export/").getvalue().decode()


def test_what_went_to_another_tenant_does_not_wait_to_go_to_this_one(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - 3 * HOUR)
    browser.post("/subscriptions/s1/usage/sync/")
    connecting.remove(
        connection=tenant.world.connection, actor=None, now=tenant.now, open_client=lambda _: tenant.world.client
    )
    another = Connection.objects.get()
    another.pk, another.tenant_id, another.removed_at = None, "another", None
    another.save(force_insert=True)
    assert shown_of(browser) == (None, [""], None, 3, 0)
    assert "1 usage record went to a tenant that is no longer connected." in text_of(
        browser.get("/subscriptions/s1/usage/")
    )


def test_a_subscription_that_has_ended_shows_its_last_period(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell(start_date=START - timedelta(days=59) + HOUR)
    tenant.use(acme, 3, at=START - 3 * HOUR)
    cancel(subscription=acme, time=CancellationTime.END_OF_BILLING_PERIOD, now=tenant.now)
    tenant.quiet()
    [period] = {browser.get("/subscriptions/s1/usage/").context["usage"]["period"]}
    tenant.at(period.end + HOUR)
    tenant.quiet()
    card = browser.get("/subscriptions/s1/usage/").context["usage"]
    assert (card["period"], card["later"], [one.usage.quantity for one in card["charges"]]) == (period, None, [3])
    assert "Usage of the last period" in text_of(browser.get("/subscriptions/s1/usage/"))


def test_a_viewer_sees_all_but_the_button(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    button = 'action="/subscriptions/s1/usage/sync/"'
    assert button in browser.get("/subscriptions/s1/usage/?preview=1").content.decode()
    viewer = Client()
    viewer.force_login(User.objects.get(username="viewer"))
    page = viewer.get("/subscriptions/s1/usage/?preview=1")
    assert button not in page.content.decode()
    assert page.context["preview"].amounts[0].quantity == 5


@pytest.mark.parametrize(("ended", "advice"), [(False, "given back twice"), (True, "credit memo")])
def test_what_was_billed_too_much_says_what_to_do(
    tenant: UsageWorld, browser: Client, ended: bool, advice: str
) -> None:
    acme = three_hours(tenant)
    UsageCharge.objects.update(unabsorbed=2)
    UsageRecord.objects.filter(wanted=3).update(is_billed=True, owed=-2)
    if ended:
        Subscription.objects.update(status="CANCELED", effective_end_date=START - HOUR)
    page = browser.get("/subscriptions/s1/usage/").content.decode()
    assert "2 API calls were billed too much." in page
    assert advice in page
    overview = " ".join(browser.get("/").content.decode().split())
    assert f"{1 + ended}</data> of usage" in overview
    assert (f"{acme.ref_id}</a>: 2 API calls billed too much" in browser.get("/problems/").content.decode()) == ended


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


@pytest.mark.parametrize(
    ("days", "step", "count", "label"),
    [(2, "hour", 48, "Mar 10, 12:00"), (31, "day", 32, "Mar 10"), (365, "month", 13, "March 2026")],
)
def test_bars_stand_for_hours_days_or_months(days: int, step: str, count: int, label: str) -> None:
    bars, found = bars_between(START, START + timedelta(days=days))
    assert (found, len(bars), bars[0].label) == (step, count, label)


def test_a_bar_is_piled_up_and_what_is_little_can_be_seen() -> None:
    bars = [Bar(START, "a", "hour"), Bar(START + HOUR, "b", "hour")]
    amounts = [
        (START, "synced", Decimal(999)),
        (START, "failed", Decimal(1)),
        (START + 2 * HOUR, "pending", Decimal(500)),
    ]
    fill(bars, amounts)
    chart = Chart("name", "Title", "units", bars)
    assert chart.highest == 1000
    assert [parts for _, parts in chart.drawn] == [
        [Segment("synced", 50, 0, 400, 200), Segment("failed", 50, 0, 400, 3)],
        [Segment("pending", 550, 100, 400, 100)],
    ]


def test_the_next_run_is_the_beats() -> None:
    now = datetime(2026, 3, 10, 23, 4, 1, tzinfo=UTC)
    assert usage_of_subscription.next_run(now) == datetime(2026, 3, 11, 0, 4, tzinfo=UTC)


def test_an_hour_of_too_many_digits_is_told_with_what_to_do_until_it_can_be_counted(
    tenant: UsageWorld, browser: Client
) -> None:
    acme = tenant.sell()
    at = START - 3 * HOUR
    tenant.use(acme, 3, at=START - 2 * HOUR)
    for _ in range(2):
        tenant.use(acme, 9_999_999_999_999, at=at)
    tenant.quiet()
    why = (
        "they come to more than 13 digits, which nobody bills. Find the event that is wrong and take it back by a "
        "DELTA below zero at the same time: the next hourly run counts the hour, and sends it."
    )
    assert said(browser.post("/subscriptions/s1/usage/sync/", follow=True)) == [
        f"Not everything was sent. The events of 2026-03-10 09:00 were not counted: {why}"
    ]
    told = f"The events of this hour are in no slice, and so not in Zuora: {why}"
    shown = "1 hour of usage is not counted, and so in no slice"
    assert told not in browser.get("/problems/").content.decode()
    tenant.advance(hours=3)
    tenant.quiet()
    assert told in browser.get("/problems/").content.decode()
    assert shown in browser.get("/usage/").content.decode()
    assert browser.get("/").context["of_usage"] == 1
    tenant.use(acme, -9_999_999_999_999, at=at)
    tenant.quiet()
    assert tenant.quantities() == [9_999_999_999_999, 3]
