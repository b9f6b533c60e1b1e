"""People and their roles."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import connection

from integrations import people
from integrations.models import AuditEntry
from integrations.operating import Impossible
from integrations.people import Role
from tests.browser.scene import PASSWORD
from tests.browser.scene import people as made_people

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ada() -> User:
    """The only administrator."""
    return made_people()["Administrator"]


def operator() -> User:
    return User.objects.get(username="operator")


def lines() -> list[tuple[str, str, str, dict[str, Any]]]:
    return list(AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "subject", "detail"))


@pytest.mark.parametrize(
    ("role", "is_staff"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.ADMINISTRATOR, True)]
)
def test_who_is_invited_has_a_role_and_no_password(ada: User, role: Role, is_staff: bool) -> None:
    made = people.invite(username="eve", email="eve@example.com", role=role, actor=ada, now=NOW)
    made.refresh_from_db()
    assert (made.email, made.is_staff, made.is_superuser, made.has_usable_password()) == (
        "eve@example.com", is_staff, False, False,
    )  # fmt: skip
    assert people.role_of(made) is role
    assert lines() == [("administrator", "invite", "eve", {"role": role.value})]


@pytest.mark.parametrize(("username", "email"), [("", ""), ("operator", ""), ("eve", "no address"), ("e ve", "")])
def test_what_is_no_account_is_refused(ada: User, username: str, email: str) -> None:
    with pytest.raises(ValidationError):
        people.invite(username=username, email=email, role=Role.VIEWER, actor=ada, now=NOW)
    assert (User.objects.count(), lines()) == (3, [])


def test_another_role_replaces_the_old_one_and_leaves_the_companys_own_groups(ada: User) -> None:
    operator().groups.add(Group.objects.create(name="Night shift"))
    people.change_role(user=operator(), role=Role.VIEWER, actor=ada, now=NOW)
    assert sorted(group.name for group in operator().groups.all()) == ["Night shift", "Viewer"]
    assert operator().is_staff is False
    assert not operator().has_perm("integrations.change_syncjob")
    assert lines() == [("administrator", "change role", "operator", {"was": "Operator", "role": "Viewer"})]


def test_nobody_does_it_to_themselves(ada: User) -> None:
    User.objects.create_superuser("root")
    for verb in (people.deactivate, people.forget_password):
        with pytest.raises(Impossible, match="You cannot"):
            verb(user=ada, actor=ada, now=NOW)
    with pytest.raises(Impossible, match="You cannot change your own role"):
        people.change_role(user=ada, role=Role.VIEWER, actor=ada, now=NOW)
    assert lines() == []


def test_the_last_administrator_stays_one(ada: User) -> None:
    with pytest.raises(Impossible, match="is the last administrator"):
        people.change_role(user=ada, role=Role.OPERATOR, actor=None, now=NOW)
    with pytest.raises(Impossible, match="is the last administrator"):
        people.deactivate(user=ada, actor=None, now=NOW)
    second = people.invite(username="bob", email="", role=Role.ADMINISTRATOR, actor=ada, now=NOW)
    with pytest.raises(Impossible, match="is the last administrator"):
        people.deactivate(user=ada, actor=None, now=NOW)  # who has no password yet does not count
    with pytest.raises(Impossible, match="is the last administrator"):
        people.forget_password(user=ada, actor=None, now=NOW)
    second.set_password(PASSWORD)
    second.save()
    people.deactivate(user=second, actor=ada, now=NOW)
    with pytest.raises(Impossible, match="is the last administrator"):
        people.deactivate(user=ada, actor=None, now=NOW)  # a deactivated one does not count
    people.activate(user=second, actor=ada, now=NOW)
    people.deactivate(user=ada, actor=second, now=NOW)
    assert [user.username for user in people.administrators()] == ["bob"]


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_deactivate_each_other_at_once() -> None:
    Group.objects.get_or_create(name=Role.ADMINISTRATOR)
    pair = [people.invite(username=name, email="", role=Role.ADMINISTRATOR, actor=None, now=NOW) for name in ("a", "b")]
    User.objects.update(password=make_password(PASSWORD))
    together = threading.Barrier(2)
    refused: list[str] = []

    def deactivate(user: User, actor: User) -> None:
        together.wait(timeout=10)
        try:
            people.deactivate(user=user, actor=actor, now=NOW)
        except Impossible as answer:
            refused.append(str(answer))
        finally:
            connection.close()

    threads = [threading.Thread(target=deactivate, args=args) for args in (pair, pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert people.administrators().count() == 1
    assert len(refused) == 1


def test_a_superuser_is_left_to_superusers(ada: User) -> None:
    root = User.objects.create_superuser("root", password="made-up-password-1")
    User.objects.create_superuser("other")
    with pytest.raises(Impossible, match="superuser"):
        people.change_role(user=root, role=Role.VIEWER, actor=ada, now=NOW)
    for verb in (people.deactivate, people.forget_password, people.activate):
        with pytest.raises(Impossible, match="superuser"):
            verb(user=root, actor=ada, now=NOW)
    root.refresh_from_db()
    assert (root.is_active, root.check_password("made-up-password-1")) == (True, True)
    people.deactivate(user=root, actor=User.objects.get(username="other"), now=NOW)
    assert lines() == [("other", "deactivate", "root", {})]


def test_deactivating_and_activating_twice_is_said(ada: User) -> None:
    people.deactivate(user=operator(), actor=ada, now=NOW)
    with pytest.raises(Impossible, match="deactivated already"):
        people.deactivate(user=operator(), actor=ada, now=NOW)
    with pytest.raises(Impossible, match="activate the account first"):
        people.forget_password(user=operator(), actor=ada, now=NOW)
    people.activate(user=operator(), actor=ada, now=NOW)
    with pytest.raises(Impossible, match="active already"):
        people.activate(user=operator(), actor=ada, now=NOW)
    assert [line[1] for line in lines()] == ["deactivate", "activate"]


@pytest.mark.parametrize(
    ("groups", "superuser", "role"),
    [([], False, None), (["Viewer", "Operator"], False, Role.OPERATOR), ([], True, Role.ADMINISTRATOR)],
)
@pytest.mark.usefixtures("ada")
def test_the_highest_role_counts(groups: list[str], superuser: bool, role: Role | None) -> None:
    user = User.objects.create_user("eve", is_superuser=superuser)
    user.groups.add(*Group.objects.filter(name__in=groups))
    assert people.role_of(user) is role
