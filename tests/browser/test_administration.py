"""From nothing to the first push and back, in a real browser, with a tenant on a port."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from integrations.models import ApiKey, AuditEntry, Connection, SyncRecord
from integrations.zuora.standin.units import new_unit
from tests.browser.conftest import LogIn, violations
from tests.browser.office import furnish
from tests.browser.scene import PASSWORD, company, connection
from tests.browser.tenant import Tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ZUORA = "/settings/integrations/apps/zuora/"


def connect(page: Page, address: str, secret: str) -> None:
    page.get_by_label("Tenant URL").fill(address)
    page.get_by_label("Client ID").fill("demo-client")
    page.get_by_label("Client secret").fill(secret)
    page.get_by_role("button", name="Connect to Zuora").click()


def test_an_administrator_connects_watches_the_first_push_mends_what_fails_and_removes(
    log_in: LogIn, tenant: Tenant
) -> None:
    company(timezone.now())
    # The unit of one plan was switched off in the tenant: the first push meets it.
    unit = new_unit(tenant.app.tenant, {"UomName": "calls", "Active": False})
    page = log_in("Administrator")
    page.get_by_role("link", name="Connect a tenant").click()

    connect(page, tenant.address, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("The test failed, and nothing was saved")
    expect(page.get_by_text("refuses this client ID and secret")).to_be_visible()
    expect(page.get_by_label("Client ID")).to_have_value("demo-client")
    expect(page.get_by_label("Client secret")).to_have_value("")
    assert violations(page) == []
    assert Connection.objects.count() == 0

    connect(page, tenant.address, "demo-secret")
    expect(page.get_by_text("Connected to tenant 10042.")).to_be_visible()
    expect(page.get_by_text("Orders are enabled.")).to_be_visible()
    expect(page.get_by_role("link", name="Open the connection")).to_be_focused()
    expect(page.get_by_text("Zuora is not connected.")).to_be_hidden()
    assert violations(page) == []
    page.get_by_role("link", name="Open the connection").click()
    expect(page.get_by_role("heading", name="Limits in use")).to_be_visible()

    page.goto("/plans/team/")
    tenant.work()
    page.goto("/plans/team/")
    expect(page.locator("#sync")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="stigg--plan--team").first.click()
    expect(opened.value.get_by_role("heading", name="Team").first).to_be_visible()
    assert opened.value.url.startswith(tenant.address)

    page.goto("/plans/scale/")
    expect(page.get_by_text("The unit calls is inactive in Zuora").first).to_be_visible()
    tenant.app.tenant.update("UnitOfMeasure", unit, Active=True)
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Waits for its turn.")).to_be_visible()
    page.locator("h1").click()
    tenant.work()
    expect(page.get_by_text("Waits for its turn.")).to_be_hidden()
    expect(page.get_by_text("Synced").first).to_be_visible()

    linked = SyncRecord.objects.exclude(zuora_id="").count()
    page.goto(ZUORA)
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Remove…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"The {linked} links are kept")
    assert violations(page) == []
    dialog.get_by_label("Tenant host").fill(tenant.address.removeprefix("http://"))
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("is no longer connected")).to_be_visible()

    connect(page, tenant.address, "demo-secret")
    expect(page.get_by_text("Connected to tenant 10042.")).to_be_visible()
    assert (Connection.objects.count(), SyncRecord.objects.exclude(zuora_id="").count()) == (1, linked)


def test_a_secret_that_does_not_work_changes_nothing_and_leaves_the_tenant_connected(
    log_in: LogIn, tenant: Tenant
) -> None:
    page = log_in("Administrator")
    page.goto(ZUORA)
    connect(page, tenant.address, "demo-secret")
    page.get_by_role("link", name="Open the connection").click()
    page.get_by_label("Client secret").fill("wrong")
    page.get_by_role("button", name="Test and use").click()
    expect(page.get_by_role("heading", name="This test failed, and nothing was saved")).to_be_visible()
    expect(page.get_by_text("Connected", exact=True).first).to_be_visible()
    wide = "e => e.querySelector('table').offsetWidth > e.clientWidth"
    assert page.evaluate(f"[...document.querySelectorAll('.table-responsive')].filter({wide}).length") == 0
    assert violations(page) == []


def test_the_question_before_a_removal_holds_the_focus_and_escape_takes_it_back(log_in: LogIn) -> None:
    connection(timezone.now())
    page = log_in("Administrator", phone=True)
    page.goto(ZUORA)
    page.locator("summary", has_text="More").click()
    opener = page.get_by_role("link", name="Remove…")
    opener.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(6):
        page.keyboard.press("Tab")
        outside = page.evaluate("!document.activeElement.closest('dialog') && document.activeElement !== document.body")
        assert outside is False
    dialog.get_by_label("Tenant host").fill("somewhere.else")
    page.keyboard.press("Enter")
    expect(page.locator("#id_host_error")).to_be_visible()
    expect(page.get_by_label("Tenant host")).to_be_focused()
    page.goto(ZUORA)
    page.locator("summary", has_text="More").click()
    opener.click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    opener.press("Enter")
    dialog.get_by_role("button", name="Keep it").press("Enter")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    assert Connection.objects.active().exists()


def test_without_script_the_same_forms_work(browser_without_script: LogIn, tenant: Tenant) -> None:
    page = browser_without_script("Administrator")
    page.goto(ZUORA)
    connect(page, tenant.address, "wrong")
    expect(page.get_by_text("Not connected, and nothing was saved")).to_be_visible()
    connect(page, tenant.address, "demo-secret")
    expect(page.get_by_text("Connected to tenant 10042.")).to_be_visible()
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Remove…").click()
    expect(page).to_have_url(re.compile("/remove/$"))


def test_a_key_is_made_copied_and_revoked(log_in: LogIn) -> None:
    page = log_in("Administrator")
    page.goto("/settings/api-keys/")
    page.get_by_label("Name").fill("Checkout")
    page.get_by_role("button", name="Make a key").click()
    token = page.get_by_label("Token", exact=True).input_value()
    assert ApiKey.objects.with_token(token) is not None
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    assert violations(page) == []
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_role("link", name="Revoke Checkout").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Checkout is revoked")).to_be_visible()
    assert ApiKey.objects.with_token(token) is None


def test_somebody_is_invited_and_chooses_a_password(log_in: LogIn) -> None:
    page = log_in("Administrator")
    page.goto("/settings/people/")
    page.get_by_label("Username").fill("eve")
    page.get_by_label("Role").select_option("Operator")
    page.get_by_role("button", name="Invite").click()
    link = page.get_by_label("Link").input_value()
    assert violations(page) == []
    page.get_by_role("button", name="Log out").click()
    page.goto(link)
    assert violations(page) == []
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Choose it").click()
    page.get_by_label("Username").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto("/settings/account/")
    expect(page.get_by_text("Operator: also syncs, retries, decides")).to_be_visible()


@pytest.mark.parametrize("role", ["Viewer", "Operator", "Administrator"])
def test_the_settings_show_each_role_what_is_theirs(log_in: LogIn, role: str) -> None:
    page = log_in(role)
    furnish(timezone.now())
    page.goto("/settings/audit-log/?action=invite")
    tabs = page.get_by_role("navigation", name="Settings").get_by_role("link").all_inner_texts()
    assert {"Apps", "Audit log", "Request log", "Your account"} <= set(tabs)
    assert {"API keys", "People"} & set(tabs) == ({"API keys", "People"} if role == "Administrator" else set())
    expect(page.locator("#rows tbody tr")).to_have_count(AuditEntry.objects.filter(action="invite").count())
    page.get_by_label("Who").fill("nobody")
    page.get_by_label("Who").press("Tab")
    expect(page.get_by_text("No line matches.")).to_be_visible()
