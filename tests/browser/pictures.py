"""Takes the README's pictures: `pytest tests/browser/pictures.py` writes them to static/readme/."""

from pathlib import Path

import pytest
from django.utils import timezone

from tests.browser.conftest import LogIn
from tests.browser.far_side import build

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FOLDER = Path(__file__).resolve().parents[2] / "static" / "readme"


@pytest.mark.parametrize(
    ("name", "address", "dark", "phone"),
    [
        ("overview", "/", False, False),
        ("overview-dark", "/", True, False),
        ("customer", "/customers/customer-delta/", False, False),
        ("phone", "/plans/scale/", False, True),
    ],
)
def test_picture(log_in: LogIn, name: str, address: str, dark: bool, phone: bool) -> None:
    build(timezone.now())
    page = log_in("Administrator", dark=dark, phone=phone)
    page.goto(address)
    if not phone:  # as tall as the page, so that the menu is, too
        page.set_viewport_size({"width": 1280, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.screenshot(path=FOLDER / f"{name}.png")
