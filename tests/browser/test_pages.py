"""The console in a real browser: what a person does, what a screen reader meets, what fits on a phone."""

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from integrations.models import Connection, JobState, Operation, Request, SyncJob
from tests.browser.conftest import LogIn, violations, wrong_in_every_look
from tests.browser.far_side import build
from tests.browser.office import furnish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ZUORA = "/settings/integrations/apps/zuora/"
STIGG = "/settings/integrations/apps/stigg/"
PAGES = [
    "/",
    "/plans/",
    "/plans/team/",
    "/plans/scale/",
    "/plans/next-year/",
    "/addons/sso/",
    "/coupons/spring/",
    "/customers/",
    "/customers/customer-delta/",
    "/subscriptions/subscription-birch/",
    "/subscriptions/subscription-cobalt/",
    "/problems/",
    "/activity/",
    "/background/",
    "/settings/api/",
    "/settings/integrations/apps/",
    ZUORA,
    f"{ZUORA}remove/",
    STIGG,
    f"{STIGG}remove/",
    "/settings/api-keys/",
    "/settings/people/",
    "/settings/people/{person}/",
    "/settings/audit-log/",
    "/settings/requests/",
    "/settings/requests/{request}/",
    "/settings/account/",
]


def test_no_page_has_a_violation_or_is_too_wide(log_in: LogIn) -> None:
    build(timezone.now())
    furnish(timezone.now())
    page = log_in("Administrator")
    numbers = {"request": Request.objects.latest("pk").pk, "person": User.objects.get(username="viewer").pk}
    found: dict[tuple[str, str], list[str]] = {}
    for address in [*PAGES, *(f"/background/{pk}/" for pk in Operation.objects.values_list("pk", flat=True))]:
        answer = page.goto(address.format(**numbers))
        assert answer is not None
        assert (address, answer.status) == (address, 200)
        found |= {(address, look): wrong for look, wrong in wrong_in_every_look(page) if wrong}
    assert found == {}


def test_the_pages_before_a_connection_have_no_violation(log_in: LogIn) -> None:
    page = log_in("Administrator")
    for address in ("/", "/plans/", "/problems/", "/activity/", ZUORA, STIGG):
        page.goto(address)
        assert (address, violations(page)) == (address, [])


def test_the_login_page_has_no_violation(log_in: LogIn) -> None:
    page = log_in("Viewer")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert violations(page) == []


def test_an_operator_finds_a_failure_and_tries_it_again(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.get_by_role("link", name="The unit of measure").click()
    page.get_by_label("Choose all on this page").check()
    expect(page.get_by_label("Choose plan:scale")).to_be_checked()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.get_by_text("1 on its way again.")).to_be_visible()
    expect(page.get_by_text("No failure needs a person.")).to_be_visible()
    assert SyncJob.objects.filter(key="plan:scale", state=JobState.WAITING).exists()


def test_enter_behind_the_reason_dismisses_and_does_not_try_again(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.goto("/problems/")
    page.get_by_label("Choose plan:scale").press("Space")
    page.get_by_label("Why nothing needs to be done").fill("The unit is made on Monday.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 is off the list.")).to_be_visible()
    assert not SyncJob.objects.filter(key="plan:scale", state=JobState.WAITING).exists()


def test_the_keyboard_goes_from_choosing_all_to_what_can_be_done_without_passing_each_row(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.goto("/problems/")
    page.get_by_label("Choose all on this page").press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To what can be done with them")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why nothing needs to be done")).to_be_focused()


def test_a_page_follows_a_sync_without_reloading(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.goto("/plans/scale/")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Waits for its turn.")).to_be_visible()
    page.locator("h1").click()  # somebody who reads: nothing on the part that refreshes has the focus
    SyncJob.objects.filter(key="plan:scale").update(state=JobState.DONE)
    expect(page.get_by_text("Waits for its turn.")).to_be_hidden()


def test_a_part_that_has_the_focus_says_that_there_is_news_and_shows_it_when_asked(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.goto("/plans/team/")
    page.get_by_role("button", name="Sync now").press("Enter")
    waits, news = page.get_by_text("Waits for its turn."), page.get_by_text("There is news in this part of the page.")
    expect(waits).to_be_visible()
    link = page.locator("#live a").first
    link.focus()
    with page.expect_response("**/plans/team/"):
        expect(news).to_be_hidden()
    SyncJob.objects.filter(key="plan:team").update(state=JobState.DONE)
    expect(news).to_be_visible()
    expect(link).to_be_focused()
    expect(waits).to_be_visible()
    page.get_by_role("button", name="Show it").press("Enter")
    expect(waits).to_be_hidden()
    expect(news).to_be_hidden()
    expect(page.locator("#live")).to_be_focused()


def test_what_became_of_a_form_has_the_focus_and_the_next_key_goes_on_from_there(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.goto("/problems/")
    page.get_by_role("button", name="Retry selected").press("Enter")
    expect(page.locator("[data-messages]")).to_have_text("Nothing was chosen: tick the failures to try again.")
    expect(page.locator("[data-messages]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Cause")).to_be_focused()


def test_the_overview_says_by_itself_that_the_tenant_is_down_and_that_it_works_again(log_in: LogIn) -> None:
    tenant = build(timezone.now())
    page = log_in("Viewer")
    page.goto("/")
    banner = page.locator("#banner")
    expect(banner).to_be_empty()
    Connection.objects.filter(pk=tenant.pk).update(down_since=timezone.now(), pause_reason="It gave no answer.")
    expect(banner.get_by_role("alert")).to_contain_text("It gave no answer.", timeout=15_000)
    expect(page.locator("#live")).to_contain_text("Down")
    Connection.objects.filter(pk=tenant.pk).update(down_since=None, pause_reason="")
    expect(banner).to_be_empty(timeout=15_000)
    expect(page.locator("#live")).to_contain_text("Working")


def test_typing_into_the_search_filters_the_list_and_the_address(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer")
    page.goto("/customers/")
    page.get_by_label("Search").press_sequentially("cobalt")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=cobalt&status=&sort=id$"))
    page.get_by_label("Sync status").select_option("Failed")
    expect(page.get_by_text("No customer matches.")).to_be_visible()


def test_a_billing_id_opens_the_tenant_in_another_tab(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer")
    page.goto("/plans/")
    link = page.get_by_role("link", name="stigg--team")
    expect(link).to_have_attribute("href", re.compile(r"^https://na\.zuora\.com/apps/Product\.do\?method=view&id="))
    expect(link).to_have_attribute("target", "_blank")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_a_viewer_sees_no_button_that_does_something(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer")
    for address in ("/plans/scale/", "/subscriptions/subscription-birch/", "/problems/"):
        page.goto(address)
        names = [button.inner_text() for button in page.get_by_role("button").all() if button.is_visible()]
        assert set(names) <= {"Log out", "Show"}


def test_the_keyboard_reaches_the_page_first_and_shows_where_it_is(log_in: LogIn) -> None:
    page = log_in("Viewer")
    page.goto("/plans/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the page")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_what_takes_the_place_of_a_pressed_button_takes_over_the_focus(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.route("**/look/", lambda route: route.fulfill(body='<section id="look"><p>Looked.</p></section>'))
    page.goto("/subscriptions/subscription-birch/")
    page.get_by_role("button", name="Look in Zuora now").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#look")).to_have_text("Looked.")
    expect(page.locator("#look")).to_be_focused()


def test_the_menu_folds_on_a_phone(log_in: LogIn) -> None:
    page = log_in("Viewer", phone=True)
    link = page.get_by_role("link", name="Subscriptions")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", name="Subscriptions")).to_be_visible()
