"""The audit log in the database: what is written stays as it is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from integrations import operating
from integrations.models import AuditEntry

pytestmark = [pytest.mark.django_db, pytest.mark.engine]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def entry() -> AuditEntry:
    operating.note(actor=User.objects.create_user("ada"), action="sync", subject="plan:pro", now=NOW, keys=["plan:pro"])
    return AuditEntry.objects.get()


@pytest.mark.parametrize(
    "change",
    [
        {"at": datetime(2026, 3, 2, tzinfo=UTC)},
        {"actor_name": "somebody else"},
        {"action": "nothing"},
        {"subject": "plan:other"},
        {"detail": {}},
        {"detail": {"keys": ["plan:pro"]}, "action": "nothing", "actor": None},
    ],
)
def test_the_database_refuses_to_change_a_line(entry: AuditEntry, change: dict[str, Any]) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.filter(pk=entry.pk).update(**change)
    assert AuditEntry.objects.values().get() == {
        "id": entry.pk,
        "at": NOW,
        "actor_id": entry.actor_id,
        "actor_name": "ada",
        "action": "sync",
        "subject": "plan:pro",
        "detail": {"keys": ["plan:pro"]},
    }


def test_the_database_refuses_to_delete_a_line(entry: AuditEntry) -> None:
    for where, values in (("", []), (" WHERE id = %s", [entry.pk])):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM integrations_auditentry{where}", values)  # noqa: S608 - two literals
    assert AuditEntry.objects.count() == 1


def test_nobody_else_can_be_made_the_actor(entry: AuditEntry) -> None:
    other = User.objects.create_user("eve")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.update(actor=other)
    entry.refresh_from_db()
    assert entry.actor_name == "ada"


def test_a_deleted_user_leaves_the_lines_with_their_name(entry: AuditEntry) -> None:
    User.objects.get().delete()
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_name, entry.action) == (None, "ada", "sync")
