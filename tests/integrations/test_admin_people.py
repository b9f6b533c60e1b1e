"""Django admin's rows of people and roles: nobody locks everybody out there either."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.admin_pages import act, complaints, post, text, url
from tests.browser.scene import PASSWORD

pytestmark = pytest.mark.django_db
LAST = "root is the last administrator: make somebody else one first."


@pytest.fixture
def browser() -> Client:
    """The only one who can administer; somebody who was invited has no password yet."""
    logged_in = Client()
    logged_in.force_login(User.objects.create_superuser("root", password=PASSWORD))
    invited = User.objects.create_user("eve")
    invited.groups.add(Group.objects.get(name="Administrator"))
    return logged_in


def edit(browser: Client, user: User, **changes: Any) -> Any:
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "12:00:00"}
    return post(browser, url("auth_user", "change", user.pk), **joined, **changes)


def bob() -> User:
    user = User.objects.create_user("bob", password=PASSWORD)
    user.groups.add(Group.objects.get(name="Administrator"))
    return user


@pytest.mark.parametrize("lost", ["is_active", "is_superuser"])
def test_the_last_administrator_stays_one(browser: Client, lost: str) -> None:
    root = User.objects.get(username="root")
    assert complaints(edit(browser, root, **{lost: ""})) == [LAST]
    root.refresh_from_db()
    assert (root.is_active, root.is_superuser) == (True, True)
    edit(browser, root, email="root@example.com")
    edit(browser, bob(), email="bob@example.com")
    edit(browser, root, **{lost: ""})
    root.refresh_from_db()
    assert (root.email, getattr(root, lost)) == ("root@example.com", False)


def test_an_administrator_by_role_is_one_too(browser: Client) -> None:
    role = Group.objects.get(name="Administrator")
    user = bob()
    User.objects.filter(username="root").update(is_active=False)
    browser.force_login(User.objects.create_superuser("other"))  # logged in by force: a password it has not
    assert complaints(edit(browser, user, groups=[])) == [LAST.replace("root", "bob")]
    assert list(user.groups.all()) == [role]


def test_the_last_administrator_is_not_deleted(browser: Client) -> None:
    root = User.objects.get(username="root")
    assert LAST in text(browser.post(url("auth_user", "delete", root.pk), {"post": "yes"}))
    assert LAST in text(act(browser, "auth_user", "delete_selected", *User.objects.all(), post="yes"))
    assert sorted(user.username for user in User.objects.all()) == ["eve", "root"]
    user = bob()
    assert "cannot be" not in text(browser.post(url("auth_user", "delete", user.pk), {"post": "yes"}, follow=True))
    assert sorted(user.username for user in User.objects.all()) == ["eve", "root"]


def test_the_roles_stay_and_keep_their_names(browser: Client) -> None:
    role = Group.objects.get(name="Operator")
    said = "Operator is a role that people are given by name."
    assert said in text(browser.post(url("auth_group", "delete", role.pk), {"post": "yes"}))
    assert said in text(act(browser, "auth_group", "delete_selected", *Group.objects.all(), post="yes"))
    browser.post(url("auth_group", "change", role.pk), {"name": "Night shift"})
    assert sorted(group.name for group in Group.objects.all()) == ["Administrator", "Operator", "Viewer"]
    own = Group.objects.create(name="Own")
    browser.post(url("auth_group", "change", own.pk), {"name": "Night shift"})
    browser.post(url("auth_group", "delete", own.pk), {"post": "yes"})
    assert Group.objects.count() == 3
