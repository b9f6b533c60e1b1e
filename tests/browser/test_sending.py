"""What a person sends: what a preview showed, and usage; in a real browser, with a tenant on a port."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Plan
from customers.models import Customer
from subscriptions.models import Subscription
from tests.browser.conftest import LogIn, violations, wrong_in_every_look
from tests.browser.scene import company, connection
from tests.browser.tenant import Tenant
from usage.models import UpdateBehavior
from usage.reporting import UsageReport, report_usage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
METHOD = f"{1:032x}"


@pytest.fixture
def pushed(tenant: Tenant) -> Tenant:
    """Return a tenant that holds the scene's company."""
    method = tenant.app.tenant.created(Type="CreditCardReferenceTransaction", TokenId="token-1", Status="Active")
    tenant.app.tenant.store.put("PaymentMethod", {**method, "Id": METHOD})
    connection(
        timezone.now(),
        rest_url=tenant.address,
        client_id="demo-client",
        client_secret="demo-secret",
        findings={"custom_fields": {}},
    )
    company(timezone.now())
    Subscription.objects.exclude(ref_id="subscription-cobalt").delete()
    Customer.objects.filter(ref_id="customer-cobalt").update(payment_method_id=METHOD)
    tenant.work()
    return tenant


def cells(page: Page) -> list[list[str]]:
    """Return what the difference says, a list for each field."""
    rows = page.locator(".difference tbody tr").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


def far_plan(tenant: Tenant) -> dict[str, Any]:
    return next(row for row in tenant.app.control.rows("Product") if row["SKU"] == "stigg--plan--team")


def test_an_operator_applies_what_a_preview_showed_unless_a_side_has_moved(log_in: LogIn, pushed: Tenant) -> None:
    page = log_in("Operator")
    page.goto("/plans/team/")
    page.get_by_role("link", name="What would be sent").click()
    expect(page.get_by_text("Zuora has what we would send: nothing would be sent.")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)

    Plan.objects.filter(ref_id="team").update(display_name="Team Plus")  # no signal: nothing is pushed by itself
    page.get_by_role("link", name="Look again").click()
    assert cells(page) == [["Name", "Team", "Team Plus"]]
    assert violations(page) == []

    Plan.objects.filter(ref_id="team").update(display_name="Team Max")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Something changed here since that preview, so nothing was sent")).to_be_visible()
    assert cells(page) == [["Name", "Team", "Team Max"]]

    pushed.app.tenant.update("Product", far_plan(pushed), Name="Typed in Zuora")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Something changed in Zuora since that preview, so nothing was sent")).to_be_visible()
    expect(page.get_by_text("Changed in Zuora: we last sent Team.")).to_be_visible()
    pushed.work()
    assert far_plan(pushed)["Name"] == "Typed in Zuora"

    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("is on its way, as the preview showed")).to_be_visible()
    pushed.work()
    assert far_plan(pushed)["Name"] == "Team Max"


def test_an_operator_previews_a_filtered_list_and_applies_it(log_in: LogIn, pushed: Tenant) -> None:
    Plan.objects.filter(ref_id="team").update(display_name="Team Plus")
    page = log_in("Operator")
    page.goto("/plans/?status=synced")
    page.get_by_role("button", name="Preview what would be sent").click()
    expect(page.get_by_text("Nothing is sent.")).to_be_visible()
    pushed.work()
    expect(page.get_by_role("button", name="Apply all")).to_be_visible(timeout=10_000)
    assert violations(page) == []
    page.get_by_role("button", name="Apply all").click()
    expect(page.get_by_text("It is being applied")).to_be_visible()
    pushed.work()
    assert far_plan(pushed)["Name"] == "Team Plus"


def test_an_operator_syncs_usage_by_a_click_and_another_click_sends_nothing(log_in: LogIn, pushed: Tenant) -> None:
    sold, now = Subscription.objects.get(ref_id="subscription-cobalt"), timezone.now()
    for hours, value in ((3, 1000), (2, 240)):
        report = UsageReport(
            customer=sold.customer.ref_id,
            feature="api-calls",
            value=Decimal(value),
            behavior=UpdateBehavior.DELTA,
            key=f"made-up-{hours}",
            at=now - timedelta(hours=hours),
        )
        report_usage(reports={0: report}, now=now)
    page = log_in("Operator")
    page.goto("/subscriptions/subscription-cobalt/")
    expect(page.locator(".sendable")).to_contain_text("1,240 calls in 2 slices to a charge whose number")
    page.get_by_role("button", name="Sync usage to Zuora").click()
    expect(page.get_by_text("2 usage records are in Zuora as it should be")).to_be_visible(timeout=20_000)
    expect(page.locator("#by-hand tbody tr")).to_have_count(2)
    assert sorted(row["Quantity"] for row in pushed.app.control.rows("Usage")) == [240, 1000]
    assert violations(page) == []

    page.get_by_role("button", name="Sync usage to Zuora").click()
    expect(page.get_by_text("There was nothing to send")).to_be_visible(timeout=20_000)
    assert sorted(row["Quantity"] for row in pushed.app.control.rows("Usage")) == [240, 1000]


def test_what_would_be_sent_has_no_violation_and_fits(log_in: LogIn, pushed: Tenant) -> None:
    Plan.objects.filter(ref_id="team").update(display_name="Team Plus")
    page = log_in("Operator")
    page.goto("/plans/")
    page.get_by_role("button", name="Preview what would be sent").click()
    expect(page.get_by_role("heading", name="Preview of")).to_be_visible()
    pushed.work()
    report = page.url
    wrong: dict[tuple[str, str], list[str]] = {}
    for address in ("/plans/team/preview/", "/plans/next-year/preview/", report):
        page.goto(address)
        page.evaluate("document.querySelectorAll('main details').forEach(fold => { fold.open = true })")
        wrong |= {(address, look): found for look, found in wrong_in_every_look(page) if found}
    assert wrong == {}
