"""Secrets at rest, and how their key is changed."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection as database
from pytest_django import Settings

from integrations.models import Connection, StiggAccount

pytestmark = pytest.mark.django_db
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def _stored() -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT client_secret FROM integrations_connection")
        return str(cursor.fetchone()[0])


def test_a_secret_is_not_readable_in_the_database(connection: Connection) -> None:
    assert "demo-secret" not in _stored()
    assert Connection.objects.get(pk=connection.pk).client_secret == "demo-secret"


def test_after_a_rotation_the_old_key_can_go(
    connection: Connection, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    connection.client_secret = "kept"
    connection.save()
    account = {"base_url": "https://api.stigg.io", "hook_path": "made-up", "connected_at": connection.connected_at}
    StiggAccount.objects.create(api_key="kept, too", hook_secret="and this", **account)
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    call_command("rotate_encryption_key")
    assert capsys.readouterr().out == "3 secrets encrypted with the first key.\n"
    settings.ENCRYPTION_KEYS = [NEW]
    assert Connection.objects.get().client_secret == "kept"
    assert StiggAccount.objects.values_list("api_key", "hook_secret").get() == ("kept, too", "and this")


def test_a_lost_key_is_a_sentence(connection: Connection, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    with pytest.raises(ImproperlyConfigured, match="a key that is not among ENCRYPTION_KEYS"):
        Connection.objects.get(pk=connection.pk)


@pytest.mark.usefixtures("connection")
def test_without_any_key_nothing_is_stored(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="Set ENCRYPTION_KEYS"):
        Connection.objects.update(client_secret="x")
