"""A log that is longer than what one page looks at, searched in a real browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from integrations.models import AuditEntry
from integrations.views import looking_back
from tests.browser.conftest import LogIn, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def write(count: int, subjects: dict[int, str]) -> None:
    now = timezone.now()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now - timedelta(hours=number),
            actor_name="ada",
            action="sync",
            subject=subjects.get(number, "customer:some"),
        )
        for number in range(count)
    )


@pytest.fixture(autouse=True)
def _little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_back, "LOOKED_AT", 10)


def test_a_search_goes_on_until_it_finds_something_and_then_when_it_is_told_to(log_in: LogIn) -> None:
    page = log_in("Viewer")
    write(100, {1: "customer:near", 45: "customer:far", 95: "customer:farther"})
    page.goto("/settings/audit-log/")
    rows = page.locator("#rows tbody tr")
    page.get_by_label("Subject").fill(":far")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_contain_text(["customer:far"])
    expect(page.get_by_text("Looked through back to")).to_be_visible()
    assert violations(page) == []
    page.reload()  # the address has followed
    expect(rows).to_contain_text(["customer:far"])
    page.get_by_role("link", name="Look further back").click()
    expect(rows).to_contain_text(["customer:farther"])
    expect(page.get_by_role("link", name="Look further back")).to_have_count(0)
    page.get_by_label("Subject").fill(":nowhere")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No older line matches.")).to_be_visible()
    assert violations(page) == []


def test_without_script_a_search_goes_on_by_its_button(browser_without_script: LogIn) -> None:
    page = browser_without_script("Viewer")
    write(25, {15: "customer:far"})
    page.goto("/settings/audit-log/?subject=:far")
    expect(page.get_by_text("No line matches so far.")).to_be_visible()
    page.get_by_role("link", name="Look further back").click()
    expect(page.locator("#rows tbody tr")).to_contain_text(["customer:far"])
