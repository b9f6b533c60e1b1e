"""Takes a picture of every page, for the README and for whoever changes one: `make pictures`.

They are written into tests/browser/pictures/.

`python -m tests.browser people request` takes only the pictures with such words in their names.
"""

import base64
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Plan
from integrations.models import Connection, SyncStatus, UsageReconciliation
from tests.browser.conftest import LogIn
from tests.browser.far_side import build
from tests.browser.office import furnish
from tests.browser.tenant import Tenant

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
#: Beside the tests, which no image and no wheel holds.
FOLDER = Path(__file__).with_name("pictures")
ZUORA = "/settings/integrations/apps/zuora/"
_TALLEST = 1600
_QUALITY = 60


@dataclass(frozen=True)
class Picture:
    """A page as it is shown; `clicks` name what is pressed before, and what opens then is seen in a usual window."""

    name: str
    address: str
    look: str = "light"
    clicks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


PICTURES = [
    Picture("overview", "/"),
    Picture("overview-dark", "/", "dark"),
    Picture("customer", "/customers/customer-delta/"),
    Picture("phone", "/plans/scale/", "phone"),
    Picture("customers", "/customers/"),
    Picture("plan", "/plans/team/"),
    Picture("plan-failed", "/plans/scale/"),
    Picture("subscription", "/subscriptions/subscription-cobalt/"),
    Picture("subscription-stopped", "/subscriptions/subscription-birch/"),
    Picture("problems", "/problems/"),
    Picture("activity", "/activity/"),
    Picture("background", "/background/"),
    Picture("usage", "/usage/"),
    Picture("usage-of-subscription", "/subscriptions/subscription-cobalt/usage/"),
    Picture("usage-of-nobody", "/usage/nobodys/"),
    Picture("usage-comparisons", "/usage/reconciliations/"),
    Picture("usage-comparison", "/usage/reconciliations/{report}/"),
    Picture("set-right", "/usage/reconciliations/{report}/", clicks=("Set right in Zuora…",)),
    Picture("stigg", "/settings/integrations/apps/stigg/"),
    Picture("api", "/settings/api/"),
    Picture("connected", ZUORA),
    Picture("remove", ZUORA, clicks=("More", "Remove…")),
    Picture("connected-dark", ZUORA, "dark"),
    Picture("apps", "/settings/integrations/apps/"),
    Picture("api-keys", "/settings/api-keys/"),
    Picture("people", "/settings/people/"),
    Picture("person", "/settings/people/{person}/"),
    Picture("account", "/settings/account/"),
    Picture("audit-log", "/settings/audit-log/"),
    Picture("request-log", "/settings/requests/"),
    Picture("request-log-phone", "/settings/requests/", "phone"),
    Picture("raw-rows", "/admin/integrations/syncrecord/"),
    Picture("raw-row-dark", "/admin/catalog/plan/{plan}/change/", "dark"),
    Picture("request", "/settings/requests/{request}/", clicks=("As curl",)),
]


@pytest.mark.parametrize("picture", PICTURES, ids=str)
def test_picture(log_in: LogIn, picture: Picture) -> None:
    tenant = build(timezone.now())
    furnish(timezone.now())
    if "/subscription-cobalt/" in picture.address:
        _has_arrived(tenant, "subscription:subscription-cobalt")
    page = log_in("Administrator", dark=picture.look == "dark", phone=picture.look == "phone")
    numbers = {
        "request": tenant.requests.latest("pk").pk,
        "report": UsageReconciliation.objects.get(differing=1).pk,
        "person": User.objects.get(username="viewer").pk,
        "plan": Plan.objects.get(ref_id="team").pk,
    }
    page.goto(picture.address.format(**numbers), wait_until="networkidle")
    take(page, picture)


def _has_arrived(tenant: Connection, key: str) -> None:
    """Let what waits in the scene be in Zuora: a page about its usage is to show what can be done."""
    tenant.jobs.filter(key=key).delete()
    tenant.records.filter(key=key).update(
        status=SyncStatus.SUCCESS, zuora_id=f"{900:032x}", zuora_number="stigg--subscription-cobalt",
        synced_at=timezone.now() - timedelta(hours=50),
    )  # fmt: skip


def take(page: Page, picture: Picture) -> None:
    """Press what is to be pressed, and write the file: as tall as the page, so that the menu is, too."""
    for name in picture.clicks:
        page.locator("summary, a, button").filter(has_text=name).first.click()
    height = min(page.evaluate("document.documentElement.scrollHeight"), _TALLEST)
    if picture.look != "phone" and not page.locator("dialog[open]").count():
        page.set_viewport_size({"width": 1280, "height": height})
    # Playwright writes PNG and JPEG only; Chromium's WebP takes less than half the room, and its letters are as sharp.
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{picture.name}.webp").write_bytes(base64.b64decode(shot["data"]))


def test_picture_of_connecting(log_in: LogIn, tenant: Tenant) -> None:
    """The form, and a test that found something to do in Zuora."""
    tenant.app.control.set_switches(orders=False, custom_fields={"Product": [], "Account": [], "Subscription": []})
    page = log_in("Administrator")
    page.goto(ZUORA)
    take(page, Picture("connect", ZUORA))
    page.get_by_label("Tenant URL").fill(tenant.address)
    page.get_by_label("Client ID").fill("demo-client")
    page.get_by_label("Client secret").fill("demo-secret")
    page.get_by_role("button", name="Connect to Zuora").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was saved")
    take(page, Picture("connect-tested", ZUORA))


def test_picture_of_the_way_in(log_in: LogIn) -> None:
    page = log_in("Viewer")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    take(page, Picture("login", "/login/"))
