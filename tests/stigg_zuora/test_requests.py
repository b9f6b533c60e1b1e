"""Every answer has a number, our error pages show it, and it is in the log."""

import logging
import re
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import translation

from integrations.acting import PROGRAM, doing
from stigg_zuora.requests import RequestIdMiddleware
from tests.browser.scene import PASSWORD, people

pytestmark = pytest.mark.django_db


def number_of(response: Any) -> str:
    return str(response.headers["X-Request-ID"])


def test_every_answer_has_a_number_of_its_own(client: Client) -> None:
    first, second = number_of(client.get("/login/")), number_of(client.get("/login/"))
    assert len(first) == 32
    assert first != second


def test_a_proxys_number_is_taken_where_it_fits_into_a_line_of_the_log(client: Client) -> None:
    assert number_of(client.get("/login/", headers={"X-Request-ID": "from-the-proxy-1"})) == "from-the-proxy-1"
    for sent in ("short", "x" * 65, "two\tparts-of-it", "<b>bold</b>"):
        assert len(number_of(client.get("/login/", headers={"X-Request-ID": sent}))) == 32


@pytest.mark.parametrize("address", ["/no-such-page/", "/plans/no-such-plan/"])
def test_a_page_that_is_not_there_shows_the_number(client: Client, address: str) -> None:
    client.force_login(people()["Viewer"])
    response = client.get(address)
    assert response.status_code == 404
    assert f'<span class="mono">{number_of(response)}</span>' in response.content.decode()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/plans/no-such-plan/", "There is no plan with the id no-such-plan."),
        ("/background/4711/", "The address may be mistyped, or what it named is gone."),
        ("/no-such-page/", "The address may be mistyped, or what it named is gone."),
    ],
)
def test_a_page_that_is_not_there_says_only_what_we_wrote_in_whatever_language_django_speaks(
    client: Client, address: str, said: str
) -> None:
    client.force_login(people()["Viewer"])
    with translation.override("de"):
        response = client.get(address)
    assert f"<p>{said}</p>" in response.content.decode()


def test_an_address_that_only_takes_forms_shows_the_number_to_whoever_opens_it(client: Client) -> None:
    client.force_login(people()["Operator"])
    response = client.get("/problems/retry/")
    assert (response.status_code, response["Allow"]) == (405, "POST")
    assert response["Content-Length"] == str(len(response.content))
    assert "There is nothing to read here" in response.content.decode()
    assert number_of(response) in response.content.decode()


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://testserver/problems/?kind=PLAN", "http%3A//testserver/problems/%3Fkind%3DPLAN"),
        ("http://evil.example/", "/"),
        ("", "/"),
    ],
)
def test_a_form_that_is_sent_after_the_session_leads_back_to_its_page_by_the_login(
    client: Client, referer: str, back: str
) -> None:
    response = client.post("/problems/retry/", headers={"referer": referer})
    assert (response.status_code, response["Location"]) == (302, f"/login/?next={back}")
    page = client.get(response["Location"]).content.decode()
    assert "Your session had ended, so nothing was sent: log in, and send it again." in page
    people()
    form = {"username": "operator", "password": PASSWORD, "next": referer}
    assert client.post(response["Location"], form)["Location"] == (referer if "testserver" in referer else "/")


def test_a_refusal_shows_the_number(client: Client) -> None:
    client.force_login(people()["Viewer"])
    response = client.post("/problems/retry/")
    assert response.status_code == 403
    assert "You may not do this" in response.content.decode()
    assert number_of(response) in response.content.decode()


def test_the_log_says_who_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/problems/retry/").status_code == 403
    client.force_login(people()["Operator"])
    assert client.post("/problems/retry/").status_code == 403
    assert client.get("/settings/people/").status_code == 403
    ours = logging.getLogger("django").handlers[0]
    lines = "\n".join(ours.format(record) for record in caplog.records)
    said = re.findall(r"Forbidden \((.*?)\): (\S+) \[[\w.]+\](.*)", lines)
    assert said == [
        ("CSRF cookie not set.", "/problems/retry/", ""),
        ("CSRF cookie not set.", "/problems/retry/", " user=operator"),
        ("Permission denied", "/settings/people/", " user=operator"),
    ]


def test_a_form_without_its_token_shows_the_number() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people()["Operator"])
    response = client.post("/problems/retry/")
    assert response.status_code == 403
    assert "This form is too old" in response.content.decode()
    assert number_of(response) in response.content.decode()


def test_a_host_that_is_not_ours_gets_a_page_of_ours(client: Client) -> None:
    response = client.get("/login/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "This request cannot be read" in response.content.decode()
    assert "evil.example" not in response.content.decode()
    assert number_of(response) in response.content.decode()


def test_a_mistake_of_ours_shows_the_number_without_asking_the_database_and_the_log_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(people()["Viewer"])
    seen: list[str] = []

    def breaks(*_: Any, **__: Any) -> None:
        seen.append(structlog.contextvars.get_contextvars()["request_id"])
        raise RuntimeError("made up")

    monkeypatch.setattr("integrations.views.problems.active_connection", breaks)
    with caplog.at_level(logging.ERROR):
        response = client.get("/problems/")
    assert response.status_code == 500
    said = "<p>The mistake is ours. Nothing was changed: load the page again in a moment.</p>"
    assert said in response.content.decode()
    assert number_of(response) in response.content.decode()
    assert seen == [number_of(response)]
    assert "made up" in caplog.text


def test_a_mistake_of_ours_with_what_was_sent_says_that_it_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(people()["Operator"])

    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError("made up")

    monkeypatch.setattr("integrations.views.problems.active_connection", breaks)
    response = client.post("/problems/retry/", {"job": "1"})
    assert response.status_code == 500
    assert "<p>The mistake is ours. What you sent was not saved.</p>" in response.content.decode()


def test_whoever_may_do_nothing_sees_as_whom_and_can_log_out() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("nobody"))
    refused = client.get("/")
    page = refused.content.decode()
    assert refused.status_code == 403
    assert "You are logged in as nobody." in page
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert client.post("/logout/", {"csrfmiddlewaretoken": token})["Location"] == "/login/"
    assert client.get("/")["Location"] == "/login/?next=/"


def test_what_a_view_does_is_done_on_behalf_of_whoever_is_logged_in(rf: RequestFactory) -> None:
    request = rf.get("/", headers={"X-Request-ID": "made-up-number"})
    seen = []

    def view(asked: HttpRequest) -> HttpResponse:
        seen.append(doing().who)  # nobody is known yet
        asked.user = people()["Operator"]
        seen.append(doing().who)
        seen.append(doing().request_id)
        return HttpResponse()

    RequestIdMiddleware(view)(request)
    assert seen == [PROGRAM, "operator", "made-up-number"]
    assert (doing().who, doing().request_id) == (PROGRAM, "")
