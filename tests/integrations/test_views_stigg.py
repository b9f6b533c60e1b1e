"""Settings > Integrations > Apps > Stigg."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from integrations.models import Operation, StiggAccount, StiggEvent, StiggEventState
from integrations.stigg.importing import IMPORT
from tests.browser.scene import people

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS = "/settings/integrations/apps/stigg/"
SECRET = "whsec-made-up"


@pytest.fixture
def browser() -> Client:
    browser = Client()
    browser.force_login(people()["Administrator"])
    return browser


@pytest.fixture
def account() -> StiggAccount:
    return StiggAccount.objects.create(
        base_url="https://api.stigg.io", api_key="server-secret", hook_path="the-path", hook_secret=SECRET,
        connected_at=NOW,
    )  # fmt: skip


def events(account: StiggAccount, count: int) -> None:
    for number in range(count):
        StiggEvent.objects.create(
            account=account, message_id=f"m{number}", type="customer.updated", kind="customer", ref_id=f"c{number}",
            body="{}", received_at=NOW, not_before=NOW + timedelta(seconds=number),
            state=StiggEventState.FAILED if number % 2 else StiggEventState.DONE, reason="made up",
        )  # fmt: skip


def test_an_address_that_is_not_stiggs_is_refused_and_nothing_is_sent_there(browser: Client) -> None:
    page = browser.post(ADDRESS, {"base_url": "https://stigg.example", "api_key": "server-secret"})
    assert page.status_code == 422
    assert "https://stigg.example is not Stigg&#x27;s API" in page.content.decode()
    assert "server-secret" not in page.content.decode()
    assert StiggAccount.objects.count() == 0


@pytest.mark.usefixtures("account")
def test_it_shows_the_webhooks_address_and_no_secret(browser: Client) -> None:
    text = browser.get(ADDRESS).content.decode()
    assert "/webhooks/stigg/the-path" in text
    assert [secret in text for secret in ("server-secret", SECRET)] == [False, False]


@pytest.mark.parametrize("count", [1, 60])
def test_the_page_takes_as_many_queries_for_many_events(
    browser: Client, account: StiggAccount, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    events(account, count)
    with django_assert_num_queries(9):
        assert browser.get(ADDRESS).status_code == 200


def test_events_are_filtered_by_what_became_of_them(browser: Client, account: StiggAccount) -> None:
    events(account, 4)
    text = browser.get(ADDRESS, {"state": "FAILED"}).content.decode()
    assert [f">c{number}<" in text for number in range(4)] == [False, True, False, True]


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(("sent", "dry_run"), [({}, False), ({"dry_run": "1"}, True)])
def test_an_import_runs_in_the_background_and_only_one_at_a_time(
    browser: Client, sent: dict[str, str], dry_run: bool
) -> None:
    browser.post(f"{ADDRESS}import/", sent)
    [operation] = Operation.objects.filter(kind=IMPORT)
    assert operation.parameters == {"dry_run": dry_run}
    page = browser.post(f"{ADDRESS}import/", sent, follow=True)
    assert "is not finished yet" in page.content.decode()


def test_what_is_removed_forgets_its_secrets(browser: Client, account: StiggAccount) -> None:
    browser.post(f"{ADDRESS}remove/")
    account.refresh_from_db()
    assert (account.api_key, account.hook_secret, account.removed_at is not None) == ("", "", True)


def test_an_event_is_looked_at_again(browser: Client, account: StiggAccount) -> None:
    events(account, 2)
    event = StiggEvent.objects.get(message_id="m1")
    browser.post(f"{ADDRESS}{event.pk}/replay/")
    event.refresh_from_db()
    assert (event.state, event.attempts, event.reason) == (StiggEventState.WAITING, 0, "")
