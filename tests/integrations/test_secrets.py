"""Nothing secret in HTML, logs or history: known secrets are used everywhere, and looked for everywhere."""

import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import models
from django.test import Client as Browser

from integrations import connecting, request_log
from integrations.models import Connection, Request
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.client import Client, new_session
from integrations.zuora.standin.app import StandIn
from tests.admin_pages import url
from tests.browser.scene import PASSWORD, people
from tests.factories.catalog import PlanFactory
from tests.integrations.conftest import World
from tests.standin_transport import WSGIAdapter

pytestmark = pytest.mark.django_db
ZUORA = "/settings/integrations/apps/zuora/"
SECRET = "demo-secret"
WRONG = "a-wrong/secret+that=nobody&has"
NEW_PASSWORD = "a-password-that-nobody-else-has-7"
FORM = {"tenant_url": "https://test.zuora.com", "client_id": "demo-client", "client_secret": SECRET, "time_zone": "UTC"}


class Everything(logging.Handler):
    """Keeps every line of every logger, with its arguments and tracebacks, as a log would have it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r} {record.msg!r}")


@pytest.fixture
def log() -> Iterator[Everything]:
    handler = Everything()
    named = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    heard = [logging.getLogger(), *(one for one in named if not one.propagate)]
    levels = [one.level for one in heard]
    for one in heard:
        one.addHandler(handler)
        one.setLevel(logging.DEBUG)
    yield handler
    for one, level in zip(heard, levels, strict=True):
        one.removeHandler(handler)
        one.setLevel(level)


@pytest.fixture
def clients(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> list[Client]:
    """Let every form lead to the stand-in, keep each exchange as a delivery's are kept, and each client."""
    opened: list[Client] = []

    def client_with(*, rest_url: str, client_id: str, client_secret: str) -> Client:
        session = new_session()
        session.mount("https://", WSGIAdapter(standin))
        client = Client(
            Credentials(rest_url, client_id, client_secret),
            tokens=MemoryTokenStore(),
            session=session,
            on_exchange=lambda exchange: request_log.keep([exchange], connection=None),  # type: ignore[arg-type]
        )
        opened.append(client)
        return client

    monkeypatch.setattr(connecting, "client_with", client_with)
    return opened


def tokens_of(clients: list[Client]) -> set[str]:
    return {token.access_token for client in clients if (token := client._auth._stored())}


def shapes(secret: str) -> set[str]:
    """Return a secret as it may be written: plain, in an address, in a header."""
    return {secret, quote(secret, safe=""), b64encode(secret.encode()).decode()}


def history() -> str:
    """Return every row of the database as text, but for users' and keys' own digests."""
    texts = []
    for model in apps.get_models():
        table = database.ops.quote_name(model._meta.db_table)
        with database.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - names of our own tables
            texts += [repr(row) for row in cursor.fetchall()]
    return "\n".join(texts)


def everywhere(browser: Browser) -> Iterator[str]:
    """Open every page that an administrator has, and the raw rows behind them."""
    request = Request.objects.latest("pk")
    person = User.objects.get(username="viewer")
    pages = [
        "/", "/plans/", "/problems/", "/activity/", ZUORA, f"{ZUORA}remove/", "/settings/integrations/apps/",
        "/settings/api-keys/", "/settings/people/", f"/settings/people/{person.pk}/", "/settings/audit-log/",
        "/settings/requests/", f"/settings/requests/{request.pk}/", "/settings/account/",
    ]  # fmt: skip
    pages += [f"/settings/requests/{one.pk}/" for one in Request.objects.all()]
    for model in ("connection", "request", "auditentry", "apikey"):
        pages.append(url(f"integrations_{model}", "changelist"))
        rows: models.QuerySet[Any] = apps.get_model("integrations", model).objects.all()[:5]
        pages += [url(f"integrations_{model}", "change", row.pk) for row in rows]
    for page in pages:
        response = browser.get(page)
        assert response.status_code == 200, page
        yield body_of(response)
    yield body_of(browser.get("/settings/audit-log.csv"))


def body_of(response: Any) -> str:
    parts = response.streaming_content if response.streaming else [response.content]
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    return headers + b"".join(parts).decode() + str(response.cookies)


def test_no_secret_is_in_any_page_log_line_or_row(clients: list[Client], log: Everything) -> None:
    users = people()
    User.objects.filter(pk=users["Administrator"].pk).update(is_superuser=True)
    browser = Browser(raise_request_exception=False)
    browser.post("/login/", {"username": "administrator", "password": PASSWORD})
    said: list[str] = []

    def post(address: str, form: dict[str, str], **headers: str) -> str:
        body = body_of(browser.post(address, form, headers=headers))
        said.append(body)
        return body

    watched = {"Accept": "application/x-ndjson"}
    post(ZUORA, {**FORM, "client_secret": WRONG})
    post(ZUORA, {**FORM, "client_secret": WRONG}, **watched)
    post(ZUORA, {**FORM, "client_id": ""})
    post(ZUORA, FORM, **watched)
    assert Connection.objects.get().client_secret == SECRET
    post(f"{ZUORA}credentials/", {**FORM, "client_secret": WRONG})
    post(f"{ZUORA}credentials/", FORM)
    post(f"{ZUORA}test/", {})
    made = post("/settings/api-keys/", {"name": "Checkout", "scope": "USAGE"})
    [key] = re.findall(r'value="(server-[\w-]{43})"', made)
    invited = post("/settings/people/", {"username": "eve", "role": "Viewer"})
    [link] = re.findall(r'value="http://testserver/login/[^/]+/([^/"]+)/"', invited)
    passwords = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    post("/settings/account/", {**passwords, "old_password": WRONG})
    post("/settings/account/", passwords)
    Browser().post("/login/", {"username": "viewer", "password": WRONG})

    shown_once = {key: made, link: invited}
    access = tokens_of(clients)
    assert access
    never = {shape for secret in (SECRET, WRONG, PASSWORD, NEW_PASSWORD, *access) for shape in shapes(secret)}
    pages = [*said, *everywhere(browser)]
    assert Request.objects.filter(path="/oauth/token").exists()  # what may hold one was kept
    places = {"pages": "\n".join(pages), "log": "\n".join(log.lines), "history": history()}
    found = {(place, secret) for place, text in places.items() for secret in never | set(shown_once) if secret in text}
    assert found == {("pages", key), ("pages", link)}
    for secret, once in shown_once.items():
        assert [page for page in pages if secret in page] == [once]


def test_an_error_page_and_its_log_line_hold_no_form(
    clients: list[Client], log: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    del clients
    people()

    def broken(*_: object) -> None:
        raise RuntimeError("made up")

    monkeypatch.setattr(connecting, "_use_credentials", broken)
    browser = Browser(raise_request_exception=False)
    browser.force_login(User.objects.get(username="administrator"))
    response = browser.post(ZUORA, FORM)
    assert response.status_code == 500
    assert SECRET not in body_of(response) + "\n".join(log.lines)
    assert "made up" in "\n".join(log.lines)


def test_a_push_leaves_no_token_in_rows_and_log(world: World, log: Everything) -> None:
    PlanFactory.create(ref_id="pro")
    world.settle()
    [token] = tokens_of([world.client])
    assert Request.objects.filter(delivery__job__key="plan:pro").exists()
    for text in (history(), "\n".join(log.lines)):
        assert token not in text
        assert SECRET not in text
