"""A real Chromium in front of a live server."""

import re
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Literal

import pytest
from django.apps import apps
from django.db import connection
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.browser.scene import PASSWORD, people
from tests.browser.tenant import Tenant, tenant_on_a_port

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).with_name("axe.min.js").read_text()

LogIn = Callable[..., Page]


def chromium() -> str | None:
    """Return the machine's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("There is no Chromium on this machine: install one (apt-get install chromium) to test the pages.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # The driver runs an event loop in this thread, which Django takes for a sign of asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        opened = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def roles(transactional_db: None) -> None:
    """Make the roles anew: a live server's test empties every table when it ends, and they are rows of a migration."""
    del transactional_db
    migration = import_module("integrations.migrations.0002_roles")
    with connection.schema_editor() as editor:
        migration.make_roles(apps, editor)


@pytest.fixture
def log_in(browser: Browser, live_server: LiveServer, roles: None) -> Iterator[LogIn]:
    """Log in as a role; every page that is opened must be free of errors in its console."""
    del roles
    yield from _logging_in(browser, live_server)


@pytest.fixture
def browser_without_script(browser: Browser, live_server: LiveServer, roles: None) -> Iterator[LogIn]:
    """Log in as a role, with a browser that runs no script."""
    del roles
    yield from _logging_in(browser, live_server, java_script_enabled=False)


def _logging_in(browser: Browser, live_server: LiveServer, *, java_script_enabled: bool = True) -> Iterator[LogIn]:
    people()
    contexts, complaints = [], []

    def as_role(
        role: str,
        *,
        dark: bool = False,
        phone: bool = False,
        locale: str = "en-US",
        zone: str = "UTC",
        expecting: str = "422",
    ) -> Page:
        context = browser.new_context(
            locale=locale,
            timezone_id=zone,
            base_url=live_server.url,
            java_script_enabled=java_script_enabled,
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 800},
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # A refused form is an answer of 422, and Chromium notes that; what a test does not expect is a defect.
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type == "error" and not re.search(expecting, message.text)
                else None
            ),
        )
        page.goto("/login/")
        page.get_by_label("Username").fill(role.lower())
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        return page

    yield as_role
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def tenant(settings: Settings) -> Iterator[Tenant]:
    """A local Zuora on a port."""
    with tenant_on_a_port(settings) as opened:
        yield opened


def violations(page: Page, options: str = "") -> list[str]:
    """Return what axe finds on the page, a line for each place; `options` may choose among its rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    # Of what passes, axe need not work out where it stands.
    found = page.evaluate(
        f"axe.run({{reporter: 'no-passes', {options}}}).then("
        "r => r.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')}`)))"
    )
    return list(found)


#: Ends the transitions to another scheme, and those that they set off: axe would measure colours on their way.
SETTLED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const passing = () => document.getAnimations().filter((one) => one instanceof CSSTransition);
  await frame();
  await frame();
  for (; passing().length; await frame()) passing().forEach((one) => one.finish());
}"""
#: Axe's rules about colours, which take it longer than all others.
_COLOURS = "['color-contrast', 'link-in-text-block']"
_NO_COLOURS = "rules: {'color-contrast': {enabled: false}, 'link-in-text-block': {enabled: false}}"
#: The ways in which every page is looked at: a scheme of colours, a window's width and height, and which of axe's rules
#: it can break that the others do not.
LOOKS: dict[str, tuple[Literal["light", "dark"], int, int, str]] = {
    "light": ("light", 1280, 800, ""),
    "dark": ("dark", 1280, 800, f"runOnly: {_COLOURS}"),
    "phone": ("light", 320, 640, _NO_COLOURS),
}


def wrong_in_every_look(page: Page) -> Iterator[tuple[str, list[str]]]:
    """Look at the page that is open in one way after the other; yield each way's name and what is wrong with it then.

    Neither the scheme nor the width is known to the server, so the page need not be asked for again.
    """
    for look, (scheme, width, height, rules) in LOOKS.items():
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(SETTLED)
        wrong = violations(page, rules)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wrong.append("wider than the window")
        yield look, wrong
