"""A subscription's usage: what its card draws and says, and what its button sends."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import strip_tags
from pytest_django.fixtures import DjangoAssertNumQueries

from catalog.models import CancellationTime
from integrations import connecting
from integrations.models import AuditEntry, Connection, UsageCharge, UsageRecord, UsageState
from integrations.usage_sync import Sight
from integrations.usage_waiting import NOT_CONNECTED
from integrations.views import usage_of_subscription
from subscriptions.cancelling import cancel
from subscriptions.models import Subscription
from tests.integrations.usage_pages import CONFIRMED, HOUR, browser, listed, said, three_hours
from tests.integrations.usage_world import START, UsageWorld, tenant
from usage.models import Slice

__all__ = ["browser", "tenant"]
pytestmark = pytest.mark.django_db


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
    for address, queries in (("", 17), ("preview/", 36)):
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


def test_the_button_says_what_failed_and_is_not_sent_by_it(tenant: UsageWorld, browser: Client) -> None:
    three_hours(tenant)
    assert "1 usage record failed, and is not sent before somebody retries it: see why, and what to do" in text_of(
        browser.get("/subscriptions/s1/usage/?preview=1")
    )
    failed = (
        "1 usage record failed, and is not sent before somebody retries it: the Usage page says why, and what to do."
    )
    sent = "1 usage record is in Zuora as it should be: this page names it."
    assert said(browser.post("/subscriptions/s1/usage/sync/", follow=True)) == [sent, failed]
    assert said(browser.post("/subscriptions/s1/usage/sync/", follow=True)) == [failed]
    page = text_of(browser.get("/subscriptions/s1/usage/?preview=1"))
    assert "There is nothing to send: all usage up to now has been taken over, but for what failed." in page


def test_a_zuora_that_does_not_answer_in_time_is_told_and_followed(tenant: UsageWorld, browser: Client) -> None:
    acme = tenant.sell()
    tenant.use(acme, 4, at=START - HOUR)
    tenant.control.add_fault("delay", method="POST", path="/v1/action/create$", seconds=60, times=1)
    response = browser.post("/subscriptions/s1/usage/sync/", follow=True)
    [problem, left] = said(response)
    assert problem.startswith("Not everything was sent.")
    assert problem.endswith(
        "Read timed out. (read timeout=15.0). Whether Zuora did what was asked is found out before it is sent again."
    )
    assert "could not be asked" not in text_of(response)
    assert left == "1 still on the way: what becomes of it is found out by itself."
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
    reason = (
        "Usage waits for the subscription, which is not in Zuora yet. Waits for customer customer-0, which will not be "
        "synced: There is no payment method: attach one that Zuora holds."
    )
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
    assert NOT_CONNECTED in page
    assert "this usage record went to Zuora" in page
    assert listed(browser) == [CONFIRMED]
    assert listed(browser, "?state=waiting") == [
        (START - 2 * HOUR, Decimal(4), "API calls", "Waiting", NOT_CONNECTED, "")
    ]
    record = UsageRecord.objects.get()
    assert browser.get(f"/usage/{record.pk}/").status_code == 200
    waiting = Slice.objects.untaken().get()
    assert NOT_CONNECTED in text_of(browser.get(f"/usage/slices/{waiting.pk}/"))
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
    # Nobody took over what waits: only why nothing can be sent is said.
    assert "There is nothing to send" not in text_of(browser.get("/subscriptions/s1/usage/?preview=1"))


def test_a_removal_says_what_was_not_seen_to_arrive(
    tenant: UsageWorld, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = tenant.sell()
    tenant.use(acme, 3, at=START - HOUR)
    tenant.control.add_fault("drop", method="POST", path="/v1/action/create$")
    to_standin = partial(connecting.remove, open_client=lambda _: tenant.world.client)
    monkeypatch.setattr(connecting, "remove", to_standin)
    browser.force_login(User.objects.get(username="administrator"))
    response = browser.post("/settings/integrations/apps/zuora/remove/", {"host": "test.zuora.com"}, follow=True)
    [_, told] = said(response)
    assert told.startswith("1 usage record did not get there, as far as was seen: connect the same tenant again")


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
