"""Settings > API keys."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from integrations import api_keys
from integrations.models import ApiKey, AuditEntry, Scope
from tests.browser.scene import people

pytestmark = pytest.mark.django_db
KEYS = "/settings/api-keys/"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def browser() -> Client:
    logged_in = Client()
    logged_in.force_login(people()["Administrator"])
    return logged_in


def text(response: Any) -> str:
    return str(response.content.decode())


def test_a_key_is_made_and_its_token_shown_once(browser: Client) -> None:
    answer = browser.post(KEYS, {"name": "Checkout", "scope": Scope.USAGE})
    [token] = re.findall(r'value="(server-[\w-]{43})"', text(answer))
    key = ApiKey.objects.with_token(token)
    assert key is not None
    assert (key.name, key.scope, key.created_by and key.created_by.username) == ("Checkout", "USAGE", "administrator")
    assert "no-store" in answer["Cache-Control"]
    for address in (KEYS, f"{KEYS}{key.pk}/revoke/", "/settings/audit-log/"):
        page = text(browser.get(address))
        assert key.prefix in page
        assert token not in page


@pytest.mark.parametrize("form", [{"name": "", "scope": "USAGE"}, {"name": "x", "scope": "ROOT"}, {"name": "x" * 256}])
def test_a_wrong_form_makes_no_key(browser: Client, form: dict[str, str]) -> None:
    assert (browser.post(KEYS, form).status_code, ApiKey.objects.count()) == (422, 0)


def test_loading_the_page_of_a_new_key_again_makes_no_second_one_that_nobody_saw(browser: Client) -> None:
    form = {"name": "Checkout", "scope": Scope.USAGE}
    browser.post(KEYS, form)
    again = browser.post(KEYS, form)
    assert (again.status_code, ApiKey.objects.count()) == (422, 1)
    assert "A key of this name is in use: revoke it, or give another name." in text(again)
    api_keys.revoke(key=ApiKey.objects.get(), actor=None, now=NOW)
    assert (browser.post(KEYS, form).status_code, ApiKey.objects.count()) == (200, 2)


def test_a_key_is_revoked_after_a_question(browser: Client) -> None:
    key, token = api_keys.create(name="Checkout", scope=Scope.USAGE, actor=None, now=NOW)
    question = browser.get(f"{KEYS}{key.pk}/revoke/")
    assert "Revoke Checkout?" in text(question)
    assert ApiKey.objects.with_token(token) == key
    answer = browser.post(f"{KEYS}{key.pk}/revoke/", follow=True)
    assert "Checkout is revoked: nobody gets in by it any more." in text(answer)
    assert ApiKey.objects.with_token(token) is None
    again = browser.post(f"{KEYS}{key.pk}/revoke/", follow=True)
    assert "is revoked already." in text(again)
    assert list(AuditEntry.objects.filter(action="revoke API key").values_list("actor_name", flat=True)) == [
        "administrator"
    ]


def test_the_list_says_who_made_it_when_it_was_used_and_whether_it_works(browser: Client) -> None:
    key, _ = api_keys.create(name="Checkout", scope=Scope.USAGE, actor=None, now=NOW)
    assert "never" in text(browser.get(KEYS))
    key.mark_used(now=NOW)
    key.mark_revoked(now=NOW)
    page = text(browser.get(KEYS))
    assert "Revoked" in page
    assert page.count("2026-03-01 12:00 UTC") == 2


@pytest.mark.parametrize("count", [3, 300])
def test_a_page_of_keys_costs_the_same_however_many(
    browser: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        ApiKey.draw(name=str(number), scope=Scope.USAGE, created_at=NOW)[0].save()
    with django_assert_num_queries(6):
        page = browser.get(KEYS)
    assert len(page.context["slice"].rows) == min(count, 50)
