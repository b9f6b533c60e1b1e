"""Keys for applications, made and revoked in the admin and by the command."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from integrations.models import ApiKey, Scope
from tests.admin_pages import act, said, text, url
from tests.browser.scene import people

pytestmark = pytest.mark.django_db
MODEL = "integrations_apikey"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser() -> Client:
    return logged_in(people()["Administrator"])


class TestAdmin:
    def test_a_key_is_made_and_its_token_shown_once(self, browser: Client) -> None:
        page = browser.post(url(MODEL, "add"), {"name": "Checkout", "scope": "USAGE"})

        [token] = re.findall(r'value="(server-[\w-]{43})"', text(page))
        key = ApiKey.objects.with_token(token)
        assert key is not None
        assert (key.name, key.scope, key.created_by) == (
            "Checkout",
            Scope.USAGE,
            User.objects.get(username="administrator"),
        )
        assert "no-store" in page["Cache-Control"]
        for later in (browser.get(url(MODEL, "changelist")), browser.get(url(MODEL, "change", key.pk))):
            assert later.status_code == 200
            assert key.prefix in text(later)
            assert token not in text(later)

    def test_keys_are_revoked_and_never_deleted_nor_changed(self, browser: Client) -> None:
        browser.post(url(MODEL, "add"), {"name": "Checkout", "scope": "WRITE"})
        key = ApiKey.objects.get()

        answer = act(browser, MODEL, "revoke", key)

        assert said(answer) == ["1 revoked: nobody gets in by it any more."]
        key.refresh_from_db()
        assert key.revoked_at is not None
        assert browser.post(url(MODEL, "change", key.pk), {"name": "x"}).status_code == 403
        assert browser.post(url(MODEL, "delete", key.pk), {"post": "yes"}).status_code == 403

    @pytest.mark.parametrize("role", ["Viewer", "Operator"])
    def test_nobody_else_makes_or_sees_them(self, role: str) -> None:
        user = people()[role]
        User.objects.filter(pk=user.pk).update(is_staff=True)
        client = logged_in(user)

        assert client.get(url(MODEL, "changelist")).status_code == 403
        assert client.post(url(MODEL, "add"), {"name": "Checkout", "scope": "WRITE"}).status_code == 403
        assert ApiKey.objects.count() == 0


class TestCommand:
    def test_create_prints_the_token_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("api_key", "create", "Checkout", "--scope", "USAGE")

        printed = capsys.readouterr()
        key = ApiKey.objects.with_token(printed.out.strip())
        assert key is not None
        assert (key.name, key.scope) == ("Checkout", "USAGE")
        assert "shown this once" in printed.err

    def test_list_and_revoke_go_by_the_beginning(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("api_key", "create", "Checkout")
        key = ApiKey.objects.get()
        capsys.readouterr()

        call_command("api_key", "revoke", key.prefix)
        call_command("api_key", "list")

        printed = capsys.readouterr().out
        assert f"Revoked Checkout ({key.prefix}…)." in printed
        assert re.search(rf"{key.prefix}  WRITE  made \d{{4}}-\d\d-\d\d  revoked .*  Checkout", printed)
        with pytest.raises(CommandError, match="is revoked already"):
            call_command("api_key", "revoke", key.prefix)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [(("revoke", "server-nobody"), "No key begins with server-nobody"), (("create", ""), "cannot be blank")],
    )
    def test_what_cannot_be_done_is_said(self, arguments: tuple[str, str], message: str) -> None:
        with pytest.raises(CommandError, match=message):
            call_command("api_key", *arguments)
