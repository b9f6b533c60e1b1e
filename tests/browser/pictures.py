"""Takes a picture of every page, for the README and for whoever changes one: `make pictures` writes static/readme/.

`python -m tests.browser people request` takes only the pictures with such words in their names.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from tests.browser.conftest import LogIn
from tests.browser.far_side import build

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FOLDER = Path(__file__).resolve().parents[2] / "static" / "readme"
ZUORA = "/settings/integrations/apps/zuora/"


@dataclass(frozen=True)
class Picture:
    """A page as it is shown; `click` names a link or button that is pressed before."""

    name: str
    address: str
    look: str = "light"
    click: str = ""

    def __str__(self) -> str:
        return self.name


PICTURES = [
    Picture("overview", "/"),
    Picture("overview-dark", "/", "dark"),
    Picture("customer", "/customers/customer-delta/"),
    Picture("phone", "/plans/scale/", "phone"),
    Picture("connected", ZUORA),
    Picture("remove", ZUORA, click="Remove"),
    Picture("api-keys", "/settings/api-keys/"),
    Picture("people", "/settings/people/"),
    Picture("audit-log", "/settings/audit-log/"),
    Picture("request-log", "/settings/requests/"),
    Picture("request-log-phone", "/settings/requests/", "phone"),
    Picture("request", "/settings/requests/{request}/", click="As curl"),
]


@pytest.mark.parametrize("picture", PICTURES, ids=str)
def test_picture(log_in: LogIn, picture: Picture) -> None:
    tenant = build(timezone.now())
    page = log_in("Administrator", dark=picture.look == "dark", phone=picture.look == "phone")
    page.goto(picture.address.format(request=tenant.requests.latest("pk").pk))
    take(page, picture)


def take(page: Page, picture: Picture) -> None:
    """Press what is to be pressed, and write the file: as tall as the page, so that the menu is, too."""
    if picture.click:
        page.get_by_text(picture.click, exact=True).first.click()
    height = min(page.evaluate("document.documentElement.scrollHeight"), 1600)
    if picture.look != "phone":
        page.set_viewport_size({"width": 1280, "height": height})
    page.screenshot(path=FOLDER / f"{picture.name}.png")
