"""Usage in a real browser: the pictures, the filters, the button, and no violation on any page."""

import os
import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from integrations.models import Operation, UsageDifference, UsageReconciliation, UsageRecord, UsageState
from tests.browser.conftest import LogIn, violations, wrong_in_every_look
from tests.browser.far_side import build

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def pages() -> list[str]:
    """Return every page about usage."""
    failed = UsageRecord.objects.filter(state=UsageState.FAILED).first()
    correction = UsageRecord.objects.get(slice=None)
    differing = UsageReconciliation.objects.get(differing=1)
    unfinished = UsageReconciliation.objects.exclude(error="").get()
    assert failed is not None
    return [
        "/",
        "/problems/",
        "/subscriptions/subscription-cobalt/",
        "/subscriptions/subscription-cobalt/usage/",
        "/usage/",
        "/usage/?state=failed",
        "/usage/?state=waiting",
        "/usage/?customer=nobody",
        "/usage/nobodys/",
        "/usage/nobodys/?customer=nobody",
        f"/usage/{failed.pk}/",
        f"/usage/{correction.pk}/",
        "/usage/reconciliations/",
        f"/usage/reconciliations/{differing.pk}/",
        f"/usage/reconciliations/{unfinished.pk}/",
    ]


def test_what_differs_is_seen_without_scrolling_sideways_however_large_the_quantities(log_in: LogIn) -> None:
    build(timezone.now())
    one = UsageDifference.objects.get()
    one.line |= dict.fromkeys(("events", "slices", "zuora"), "9999999999999.12345")
    one.save()
    page = log_in("Viewer")
    page.goto(f"/usage/reconciliations/{one.reconciliation_id}/")
    expect(page.get_by_text("Slices say 5,210.5, moved 0, but Zuora says 5,186.5.")).to_be_visible()
    hidden = "[...document.querySelectorAll('.table-responsive')].map((one) => one.scrollWidth - one.clientWidth)"
    assert page.evaluate(hidden) == [0, 0]


def test_no_page_about_usage_has_a_violation_or_is_too_wide(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    folder = os.environ.get("PICTURES", "")
    found = {}
    for number, address in enumerate(pages()):
        answer = page.goto(address)
        assert answer is not None
        assert (address, answer.status) == (address, 200)
        page.wait_for_load_state("networkidle")
        for look, wrong in wrong_in_every_look(page):
            if folder:
                page.screenshot(path=f"{folder}/{look}-{number:02}.png", full_page=True)
            if wrong:
                found[address, look] = wrong
    assert found == {}


def test_an_operator_filters_ticks_and_retries(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.get_by_role("link", name="Usage", exact=True).click()
    page.get_by_label("State").select_option("Failed")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"state=failed"))
    page.get_by_label("Choose all failed ones on this page").check()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.get_by_text("2 usage records will be sent again")).to_be_visible()
    expect(page.get_by_text("No record matches.")).to_be_visible()


def test_a_subscriptions_page_fetches_what_would_be_sent(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Viewer")
    page.goto("/subscriptions/subscription-cobalt/")
    expect(page.get_by_text(re.compile(r"in \d+ slices to C-00000012"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("by the day"))).to_be_visible()
    expect(page.get_by_role("button", name="Sync usage to Zuora")).to_have_count(0)


def test_a_question_far_down_a_page_opens_in_the_middle_of_what_is_seen(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator")
    page.goto(f"/usage/reconciliations/{UsageReconciliation.objects.get(differing=1).pk}/")
    page.get_by_role("link", name="Set right in Zuora…").click()
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["y"] == pytest.approx((800 - box["height"]) / 2, abs=2)  # in the middle of what is seen


def test_what_was_changed_in_zuora_is_set_right_after_a_question(log_in: LogIn) -> None:
    build(timezone.now())
    page = log_in("Operator", phone=True)
    page.goto(f"/usage/reconciliations/{UsageReconciliation.objects.get(differing=1).pk}/")
    opener = page.get_by_role("link", name="Set right in Zuora…")
    opener.press("Enter")
    dialog = page.get_by_role("dialog", name="Set 1 usage record right in Zuora?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Leave it")).to_be_focused()
    assert violations(page) == []
    for leave in ("Escape", "Enter"):
        page.keyboard.press(leave)
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()
        opener.press("Enter")
    assert not Operation.objects.filter(kind="mend").exists()
    dialog.get_by_role("button", name="Set right in Zuora").press("Enter")
    expect(page.get_by_role("heading", name="Set 1 usage record right in Zuora")).to_be_visible()
    assert violations(page) == []
