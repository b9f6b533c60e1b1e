"""What a page makes of its viewer's zone, language and patience."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Route, expect

from integrations.models import Request, SyncRecord, UsageReconciliation
from tests.browser.conftest import LogIn
from tests.browser.far_side import build

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_times_numbers_and_money_are_written_as_the_viewer_does(log_in: LogIn) -> None:
    build(timezone.now())
    SyncRecord.objects.filter(key="plan:team").update(status_since="2026-03-01T23:30:00Z")
    page = log_in("Viewer", locale="de-DE", zone="Asia/Tokyo")
    page.goto("/plans/team/")
    since = page.locator("dl.facts time").first
    expect(since).to_have_text("02.03.2026, 08:30")
    expect(since).to_have_attribute("title", "2026-03-01 23:30:00 UTC")
    expect(page.locator("data[data-currency=EUR]").first).to_have_text(re.compile(r"490,00\s€"))


def test_usage_is_written_as_the_viewer_does(log_in: LogIn) -> None:
    build(timezone.now())
    UsageReconciliation.objects.update(compared=12_480)
    page = log_in("Viewer", locale="de-DE", zone="Asia/Kolkata")
    page.goto("/usage/reconciliations/")
    expect(page.get_by_role("cell", name="12.480").first).to_be_visible()
    page.goto(f"/usage/reconciliations/{UsageReconciliation.objects.filter(differing__gt=0).latest('pk').pk}/")
    said = page.locator("#live td.wide").first
    expect(said).to_contain_text("Slices say 5.210,5, moved 0, but Zuora says 5.186,5.")
    page.goto("/")
    first = page.locator(".chart-labels time").first
    expect(first).to_have_attribute("title", re.compile(r"^\w+ \d+, \d\d:00 UTC$"))
    expect(first).to_have_text(re.compile(r"^\d+\. \S+, \d\d:30$"))


def test_without_script_times_are_utc_and_money_is_plain(log_in: LogIn) -> None:
    build(timezone.now())
    SyncRecord.objects.filter(key="plan:team").update(status_since="2026-03-01T23:30:00Z")
    page = log_in("Viewer")
    page.route("**/console.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto("/plans/team/")
    expect(page.locator("dl.facts time").first).to_have_text("2026-03-01 23:30 UTC")
    expect(page.locator("data[data-currency=EUR]").first).to_have_text("490.00 EUR")


def test_a_page_that_cannot_refresh_says_so_until_it_can(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer", expecting="ERR_FAILED|^htmx:")
    away = [True]

    def answer(route: Route) -> None:
        if away and route.request.headers.get("hx-request"):
            route.abort()
        else:
            route.continue_()

    page.route("**/*", answer)
    page.clock.install()  # the page asks every five seconds, which pass when they are told to
    page.goto("/")
    page.clock.run_for(6_000)
    expect(page.locator("#stale")).to_have_text(
        re.compile("No answer from the server since .*: what is shown may be old. It is asked again by itself."),
    )
    away.clear()
    page.clock.run_for(20_000)
    expect(page.locator("#stale")).to_be_hidden()


def test_a_click_that_ends_in_a_mistake_says_so_with_the_number_in_the_log(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer", expecting="500")
    broken = [True]

    def answer(route: Route) -> None:
        if broken and route.request.headers.get("hx-request"):
            route.fulfill(status=500, body="", headers={"X-Request-ID": "made-up-number"})
        else:
            route.continue_()

    page.goto("/customers/")
    page.route("**/*", answer)
    page.get_by_label("Sync status").select_option("synced")
    notice = page.locator("#in-vain")
    expect(notice).to_have_text(
        re.compile(
            "Something went wrong at .*, and the mistake is ours: what is shown may be old. "
            "Request made-up-number: its lines in the log have this number. Try it again."
        )
    )
    expect(notice).to_be_in_viewport()
    broken.clear()
    page.get_by_label("Sync status").select_option("failed")
    expect(notice).to_be_hidden()


def test_a_column_sorts_by_a_click_and_an_export_is_offered(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer")
    page.goto("/customers/?status=synced")
    page.get_by_role("link", name="Since").click()
    expect(page).to_have_url(re.compile(r"status=synced&sort=since$"))
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Since")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    assert download.value.suggested_filename == "customers.csv"
    assert len(download.value.path().read_text().splitlines()) == 1 + 3


def test_a_form_is_sent_once_however_often_its_button_is_pressed(log_in: LogIn) -> None:
    page = log_in("Administrator")
    page.goto("/settings/api-keys/")
    page.get_by_label("Name").fill("Checkout")
    sent = page.get_by_role("button", name="Make a key").evaluate(
        """button => {
          let sent = 0;
          // The last to hear of it, who lets none go: a page that waits for an answer cannot be asked.
          addEventListener("submit", event => { sent += !event.defaultPrevented; event.preventDefault(); });
          button.click();
          button.click();
          return sent;
        }"""
    )
    assert sent == 1


def test_pages_of_long_lines_fit_a_narrow_phone(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Administrator")
    page.set_viewport_size({"width": 320, "height": 700})
    for address in ("/problems/", f"/settings/requests/{Request.objects.latest('pk').pk}/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
