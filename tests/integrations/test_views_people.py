"""Settings > People, one's own account, and the link by which a password is chosen."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from integrations.models import AuditEntry
from tests.browser.scene import PASSWORD, people

pytestmark = pytest.mark.django_db
PEOPLE = "/settings/people/"
NEW = "another-made-up-password-2"


@pytest.fixture
def browser() -> Client:
    administrator = Client()
    administrator.force_login(people()["Administrator"])
    return administrator


def text(response: Any) -> str:
    return str(response.content.decode())


def logged_in(name: str, password: str = PASSWORD) -> Client:
    person = Client()
    person.post("/login/", {"username": name, "password": password})
    return person


def gets_in(name: str, password: str) -> bool:
    return logged_in(name, password).get("/settings/account/").status_code == 200


def link_in(response: Any) -> str:
    [link] = re.findall(r'value="http://testserver(/login/[^"]+)"', text(response))
    return str(link)


def page_of_user(name: str) -> str:
    return f"{PEOPLE}{User.objects.get(username=name).pk}/"


def choose(link: str, password: str = NEW) -> Any:
    """Open a link as its owner does, and send the form."""
    stranger = Client()
    opened = stranger.get(link, follow=True)
    address = opened.redirect_chain[-1][0] if opened.redirect_chain else link
    return stranger.post(address, {"new_password1": password, "new_password2": password}, follow=True)


def test_who_is_invited_chooses_a_password_by_the_link_once(browser: Client) -> None:
    answer = browser.post(PEOPLE, {"username": "eve", "email": "eve@example.com", "role": "Operator"})
    link = link_in(answer)
    assert "no-store" in answer["Cache-Control"]
    chosen = choose(link)
    assert "Your password is chosen: log in with it." in text(chosen)
    assert gets_in("eve", NEW) is True
    assert "This link does not work any more" in text(choose(link, "third-made-up-password"))
    assert gets_in("eve", NEW) is True
    assert AuditEntry.objects.get(action="choose password").actor_name == "eve"
    assert link not in text(browser.get(PEOPLE)) + text(browser.get(page_of_user("eve")))


def test_a_weak_password_is_refused_with_the_reason(browser: Client) -> None:
    link = link_in(browser.post(PEOPLE, {"username": "eve", "role": "Viewer"}))
    assert "This password is too short." in text(choose(link, "short"))
    assert not User.objects.get(username="eve").has_usable_password()


def test_the_token_is_not_in_the_address_of_the_form(browser: Client) -> None:
    link = link_in(browser.post(PEOPLE, {"username": "eve", "role": "Viewer"}))
    opened = Client().get(link)
    assert opened["Location"].endswith("/set-password/")


@pytest.mark.parametrize("link", ["/login/bm90aGluZw/x-y/", "/login/MQ/c-0/", "/login/%20/set-password/"])
@pytest.mark.usefixtures("browser")
def test_a_made_up_link_opens_nothing(link: str) -> None:
    assert "This link does not work any more" in text(Client().get(link))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"username": "operator", "role": "Viewer"}, "A user with that username already exists."),
        ({"username": "", "role": "Viewer"}, "This field is required."),
        ({"username": "eve", "role": "Root"}, "Root is not one of the available choices."),
        ({"username": "eve", "role": "Viewer", "email": "x"}, "Enter a valid email address."),
    ],
)
def test_a_wrong_invitation_is_refused_beside_the_field(browser: Client, form: dict[str, str], said: str) -> None:
    answer = browser.post(PEOPLE, form)
    assert (answer.status_code, User.objects.count()) == (422, 3)
    assert said in text(answer)


def test_a_new_link_ends_the_old_password_and_every_session(browser: Client) -> None:
    operator = logged_in("operator")
    assert operator.get("/").status_code == 200
    link = link_in(browser.post(f"{page_of_user('operator')}link/"))
    assert operator.get("/").status_code == 302
    assert gets_in("operator", PASSWORD) is False
    choose(link)
    assert gets_in("operator", NEW) is True


def test_a_role_holds_from_the_next_click_on(browser: Client) -> None:
    operator = logged_in("operator")
    answer = browser.post(page_of_user("operator"), {"role": "Viewer"}, follow=True)
    assert "operator is viewer from the next click on." in text(answer)
    assert operator.post("/problems/retry/").status_code == 403


def test_who_is_deactivated_is_logged_out_and_can_be_let_in_again(browser: Client) -> None:
    operator = logged_in("operator")
    browser.post(f"{page_of_user('operator')}deactivate/")
    assert operator.get("/").status_code == 302
    assert gets_in("operator", PASSWORD) is False
    browser.post(f"{page_of_user('operator')}activate/")
    assert gets_in("operator", PASSWORD) is True


@pytest.mark.parametrize(("page", "said"), [("", "change your own role"), ("deactivate/", "deactivate yourself")])
def test_oneself_is_refused_with_a_sentence(browser: Client, page: str, said: str) -> None:
    answer = browser.post(f"{page_of_user('administrator')}{page}", {"role": "Viewer"}, follow=True)
    assert f"You cannot {said}." in text(answer)
    assert browser.get(PEOPLE).status_code == 200


def test_only_posting_changes_anything(browser: Client) -> None:
    for page in ("deactivate/", "activate/", "link/"):
        assert browser.get(f"{page_of_user('operator')}{page}")["Location"] == page_of_user("operator")
    assert AuditEntry.objects.count() == 0


@pytest.mark.parametrize("count", [3, 300])
def test_a_page_of_people_costs_the_same_however_many(
    browser: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    User.objects.bulk_create(User(username=f"u{number:03}") for number in range(count))
    with django_assert_num_queries(7):
        page = browser.get(PEOPLE)
    assert len(page.context["rows"]) == min(count + 3, 50)


def test_ones_own_password_needs_the_old_one_and_logs_others_out() -> None:
    people()
    here, there = logged_in("viewer"), logged_in("viewer")
    form = {"new_password1": NEW, "new_password2": NEW}
    refused = here.post("/settings/account/", {**form, "old_password": "wrong"})
    assert refused.status_code == 422
    assert "Your old password was entered incorrectly." in text(refused)
    answer = here.post("/settings/account/", {**form, "old_password": PASSWORD}, follow=True)
    assert "Your new password holds from now on." in text(answer)
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 302)
    assert AuditEntry.objects.values_list("actor_name", "action", "subject").get() == (
        "viewer", "choose password", "viewer",
    )  # fmt: skip
