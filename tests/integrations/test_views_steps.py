"""A test of the tenant that is watched: what the page's script gets."""

import json
from typing import Any

import pytest
from django.test import Client as Browser

from integrations.models import AuditEntry, Connection
from integrations.zuora.doctor import STEPS
from integrations.zuora.standin.app import StandIn
from tests.browser.scene import people
from tests.tenant import put_behind_forms

pytestmark = pytest.mark.django_db
ZUORA = "/settings/integrations/apps/zuora/"
FORM = {
    "tenant_url": "https://test.zuora.com",
    "client_id": "demo-client",
    "client_secret": "demo-secret",
    "time_zone": "UTC",
}
WATCHED = {"Accept": "application/x-ndjson"}


@pytest.fixture
def browser(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Browser:
    put_behind_forms(standin, monkeypatch)
    administrator = Browser()
    administrator.force_login(people()["Administrator"])
    return administrator


def lines(response: Any) -> list[dict[str, str]]:
    body = b"".join(response.streaming_content).decode()
    return [json.loads(line) for line in body.splitlines()]


def test_every_step_is_a_line_that_names_the_next_and_the_last_one_says_what_happened(browser: Browser) -> None:
    response = browser.post(ZUORA, FORM, headers=WATCHED)
    assert Connection.objects.count() == 0  # nothing was read of the answer yet, so nothing was tried
    told = lines(response)
    assert [line["next"] for line in told[:-1]] == [*STEPS, ""]
    for name, line in zip(STEPS, told[1:-1], strict=True):
        assert f"<strong>{name}</strong>" in line["step"]
    assert "Connected to tenant 10042." in told[-1]["end"]
    assert f'href="{ZUORA}"' in told[-1]["end"]
    assert Connection.objects.get().tenant_id == "10042"
    assert (response["Content-Type"], response["Cache-Control"]) == ("application/x-ndjson", "no-store")


def test_a_wrong_secret_ends_at_its_step_and_is_not_repeated(browser: Browser) -> None:
    told = lines(browser.post(ZUORA, {**FORM, "client_secret": "a-wrong-one"}, headers=WATCHED))
    assert [line.get("next") for line in told] == ["Host", "Credentials", "", "", None]
    assert "refuses this client ID and secret" in told[2]["step"]
    assert "The test failed, and nothing was saved" in told[-1]["end"]
    assert "a-wrong-one" not in json.dumps(told)
    assert (Connection.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_foreign_host_is_one_step(browser: Browser) -> None:
    told = lines(browser.post(ZUORA, {**FORM, "tenant_url": "https://zuora.evil.example"}, headers=WATCHED))
    assert "it is not one of Zuora&#x27;s data centres" in told[1]["step"]
    assert "nothing was saved" in told[-1]["end"]


def test_an_incomplete_form_is_a_page(browser: Browser) -> None:
    response = browser.post(ZUORA, {**FORM, "client_id": ""}, headers=WATCHED)
    assert (response.status_code, response["Content-Type"]) == (422, "text/html; charset=utf-8")


def test_what_breaks_on_our_side_is_said_and_logged(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("made up")

    monkeypatch.setattr("integrations.connecting._use_credentials", broken)
    told = lines(browser.post(ZUORA, FORM, headers=WATCHED))
    assert "the mistake is ours" in told[-1]["end"]
    assert "made up" not in json.dumps(told)
    assert "A test of the tenant broke" in caplog.text


def test_missing_custom_fields_are_offered_to_be_copied(browser: Browser, standin: StandIn) -> None:
    standin.control.set_switches(custom_fields={"Product": [], "Account": [], "Subscription": []})
    told = lines(browser.post(ZUORA, FORM, headers=WATCHED))
    [step] = [line["step"] for line in told if "<strong>Custom fields" in line.get("step", "")]
    assert "Account: stiggCustomerId, Text, length 255, indexed" in step
    assert 'data-copy="offer-custom-fields"' in step
    assert "Account: stiggCustomerId, Text, length 255, indexed" in browser.get(ZUORA).content.decode()


@pytest.mark.parametrize(("page", "sent"), [("test/", {}), ("credentials/", FORM)])
def test_testing_again_and_rotating_are_watched_too(browser: Browser, page: str, sent: dict[str, str]) -> None:
    browser.post(ZUORA, FORM)
    told = lines(browser.post(f"{ZUORA}{page}", sent, headers=WATCHED))
    assert [line["next"] for line in told[:-1]] == [*STEPS, ""]
    assert "text-success" in told[-1]["end"]


def test_a_second_tenant_is_refused_with_a_sentence_not_in_silence(browser: Browser) -> None:
    browser.post(ZUORA, FORM)
    again = browser.post(ZUORA, FORM)
    assert again.status_code == 422
    assert "Zuora tenant 10042 at https://rest.test.zuora.com is connected." in again.content.decode()
