from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client as Browser
from django.utils import timezone

from integrations.models import AuditEntry, Connection, Operation, SyncJob
from integrations.zuora.standin.app import StandIn
from tests.browser.scene import people
from tests.factories.catalog import PlanFactory
from tests.integrations.conftest import REST_URL
from tests.tenant import put_behind_forms

pytestmark = pytest.mark.django_db
ZUORA = "/settings/integrations/apps/zuora/"
FORM = {
    "tenant_url": "https://test.zuora.com",
    "client_id": "demo-client",
    "client_secret": "demo-secret",
    "time_zone": "Europe/Berlin",
    "sync_customers": "on",
}


@pytest.fixture
def browser(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """An administrator, and a tenant in process behind every address."""
    put_behind_forms(standin, monkeypatch)
    logged_in = Browser()
    logged_in.force_login(people()["Administrator"])
    return logged_in


def shown(response: Any) -> str:
    return str(response.content.decode())


def test_the_form_offers_every_data_centre(browser: Browser) -> None:
    page = shown(browser.get(ZUORA))
    assert page.count('<option value="https://') == 11
    assert '<option value="https://eu.zuora.com">EU Production</option>' in page


def test_connecting_saves_and_shows_the_tenant_and_every_step(browser: Browser) -> None:
    response = browser.post(ZUORA, FORM, follow=True)
    made = Connection.objects.get()
    assert (made.rest_url, made.tenant_id, made.sync_customers, made.sync_subscriptions) == (
        REST_URL,
        "10042",
        True,
        False,
    )
    page = shown(response)
    for text in ("Connected to tenant 10042.", "https://test.zuora.com", "Object Query", "All six fields are there."):
        assert text in page


def test_the_secret_is_never_shown_again(browser: Browser) -> None:
    browser.post(ZUORA, FORM)
    for address in ("/", ZUORA, f"{ZUORA}remove/", "/activity/"):
        assert "demo-secret" not in shown(browser.get(address))


def test_a_refused_form_says_why_and_keeps_what_was_typed_but_the_secret(browser: Browser) -> None:
    response = browser.post(ZUORA, {**FORM, "client_secret": "a-wrong-one", "client_id": "typed-client"})
    page = shown(response)
    assert response.status_code == 422
    assert "Not connected, and nothing was saved" in page
    assert "refuses this client ID and secret" in page
    assert 'value="typed-client"' in page
    assert 'value="https://test.zuora.com"' in page
    assert "a-wrong-one" not in page
    assert (Connection.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_a_foreign_host_is_refused_before_anything_is_sent(browser: Browser, standin: StandIn) -> None:
    response = browser.post(ZUORA, {**FORM, "tenant_url": "https://zuora.evil.example"})
    assert (response.status_code, Connection.objects.count(), standin.control.requests()) == (422, 0, [])
    assert "it is not one of Zuora&#x27;s data centres" in shown(response)


def test_an_incomplete_form_names_the_field(browser: Browser) -> None:
    response = browser.post(ZUORA, {**FORM, "client_id": ""})
    assert response.status_code == 422
    assert "This field is required." in shown(response)


@pytest.mark.usefixtures("connection")
def test_switches_are_saved_and_everything_is_looked_at_again(browser: Browser) -> None:
    browser.post(f"{ZUORA}switches/", {"sync_subscriptions": "on", "time_zone": "America/New_York"})
    made = Connection.objects.get()
    assert (made.sync_customers, made.sync_subscriptions, made.time_zone) == (False, True, "America/New_York")
    assert list(Operation.objects.values_list("kind", "state")) == [("backfill", "WAITING")]
    assert made.client_secret == "demo-secret"


def test_credentials_are_changed_only_when_they_work(browser: Browser) -> None:
    browser.post(ZUORA, FORM)
    refused = browser.post(f"{ZUORA}credentials/", {"client_id": "demo-client", "client_secret": "a-wrong-one"})
    assert refused.status_code == 422
    assert "This test failed, and nothing was saved" in shown(refused)
    assert Connection.objects.get().client_secret == "demo-secret"
    browser.post(f"{ZUORA}credentials/", {"client_id": "another", "client_secret": "demo-secret"})
    assert Connection.objects.get().client_id == "another"


def test_testing_the_connection_wakes_it_when_it_works(browser: Browser, standin: StandIn) -> None:
    browser.post(ZUORA, FORM)
    made = Connection.objects.get()
    made.mark_down(reason="made up", until=timezone.now(), now=timezone.now())
    standin.control.set_switches(user_active=False)
    failed = browser.post(f"{ZUORA}test/")
    assert (failed.status_code, Connection.objects.get().is_down) == (422, True)
    standin.control.set_switches(user_active=True)
    browser.post(f"{ZUORA}test/")
    assert Connection.objects.get().is_down is False


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("typed", ["", "test.zuora", "https://test.zuora.com"])
def test_removing_asks_for_the_host_and_takes_nothing_else(browser: Browser, typed: str) -> None:
    response = browser.post(f"{ZUORA}remove/", {"host": typed})
    assert response.status_code == 422
    assert Connection.objects.active().exists()


@pytest.mark.usefixtures("connection")
def test_removing_says_what_happens_and_does_it(browser: Browser) -> None:
    PlanFactory.create()
    page = shown(browser.get(f"{ZUORA}remove/"))
    assert "1 waiting job is cancelled." in page
    assert "Nothing in Zuora is changed" in page
    response = browser.post(f"{ZUORA}remove/", {"host": "test.zuora.com"}, follow=True)
    assert not Connection.objects.active().exists()
    assert SyncJob.objects.count() == 0
    assert "test.zuora.com is no longer connected." in shown(response)


@pytest.mark.parametrize("page", ["switches", "credentials", "test", "remove"])
def test_without_a_connection_there_is_only_the_form(browser: Browser, page: str) -> None:
    assert browser.post(f"{ZUORA}{page}/").headers["Location"] == ZUORA


@pytest.mark.usefixtures("connection")
def test_the_card_says_whether_it_is_connected(browser: Browser) -> None:
    assert "Manage" in shown(browser.get("/settings/integrations/apps/"))
    Connection.objects.update(removed_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert "Not connected" in shown(browser.get("/settings/integrations/apps/"))
