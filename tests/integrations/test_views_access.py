"""Who may see and do what: every address of the console, as every role."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse

from integrations.models import AuditEntry, Connection, EntityKind, SyncJob, SyncRecord, SyncStatus
from integrations.sections import SECTIONS
from integrations.urls import urlpatterns
from tests.browser.scene import people
from tests.factories.catalog import PlanFactory

pytestmark = pytest.mark.django_db
PLANS = SECTIONS["plans"]
ZUORA = "/settings/integrations/apps/zuora/"
READS = ["/", "/plans/", "/plans/pro/", "/problems/", "/activity/", "/settings/integrations/apps/"]
FILES = ["/plans.csv"]
OPERATES = [
    "/plans/pro/sync/",
    "/plans/pro/keep/",
    "/plans/pro/cancel-there/",
    "/problems/retry/",
    "/problems/1/dismiss/",
]
ADMINISTERS = [ZUORA, f"{ZUORA}switches/", f"{ZUORA}credentials/", f"{ZUORA}test/", f"{ZUORA}remove/"]


@pytest.fixture
def as_role(client: Client, connection: Connection) -> dict[str, Client]:
    """A browser for each role, and one for somebody without any."""
    del connection
    PlanFactory.create(ref_id="pro")
    users = {**people(), "None": User.objects.create_user("nobody")}
    browsers = {"Anonymous": client}
    for role, user in users.items():
        browsers[role] = Client()
        browsers[role].force_login(user)
    return browsers


def test_these_tests_know_every_address() -> None:
    named = {"overview", "problems", "activity", "apps", "entities", "entities_export", "entity", "login", "logout"}
    operated = {"entity_sync", "entity_keep", "entity_cancel_there", "problems_retry", "problem_dismiss"}
    administered = {"zuora", "zuora_switches", "zuora_credentials", "zuora_test", "zuora_remove"}
    pages = {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern)}  # the API has keys, not roles
    assert pages == named | operated | administered


@pytest.mark.parametrize("address", [*READS, *FILES])
def test_every_role_reads_and_nobody_else(as_role: dict[str, Client], address: str) -> None:
    statuses = {role: browser.get(address).status_code for role, browser in as_role.items()}
    assert statuses == {"Anonymous": 302, "None": 403, "Viewer": 200, "Operator": 200, "Administrator": 200}


@pytest.mark.parametrize("address", OPERATES)
def test_operators_and_administrators_operate(as_role: dict[str, Client], address: str) -> None:
    statuses = {role: browser.post(address).status_code for role, browser in as_role.items()}
    assert statuses == {"Anonymous": 302, "None": 403, "Viewer": 403, "Operator": 302, "Administrator": 302}
    assert as_role["Anonymous"].post(address).headers["Location"].startswith("/login/")


@pytest.mark.parametrize("address", ADMINISTERS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_administrators_administer(as_role: dict[str, Client], address: str, method: str) -> None:
    refused = {
        role: getattr(browser, method)(address).status_code
        for role, browser in as_role.items()
        if role != "Administrator"
    }
    assert refused == {"Anonymous": 302, "None": 403, "Viewer": 403, "Operator": 403}
    assert Connection.objects.active().exists()


@pytest.mark.parametrize("address", OPERATES)
def test_nothing_is_done_by_opening_an_address(as_role: dict[str, Client], address: str) -> None:
    assert as_role["Administrator"].get(address).status_code == 405


@pytest.mark.parametrize("address", [*OPERATES, *ADMINISTERS, "/login/", "/logout/"])
def test_a_form_of_another_site_is_refused(as_role: dict[str, Client], address: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = as_role["Administrator"].cookies
    response = strict.post(address)
    assert response.status_code == 403
    assert "This form is too old" in response.content.decode()


def test_a_superuser_counts_as_administrator(connection: Connection) -> None:
    del connection
    browser = Client()
    browser.force_login(User.objects.create_superuser("root"))
    assert browser.get(ZUORA).status_code == 200


def test_a_viewer_is_shown_nothing_that_a_viewer_may_not_do(as_role: dict[str, Client], connection: Connection) -> None:
    plan = PLANS.get("pro")
    record = SyncRecord.objects.get(key="plan:pro")
    record.zuora_id = "a" * 32
    record.mark_status(SyncStatus.NO_SYNC_REQUIRED, now=datetime(2026, 1, 1, tzinfo=UTC), save=False)
    record.save()
    SyncJob.objects.create(
        connection=connection, kind=EntityKind.PLAN, entity_id=plan.pk, key="plan:pro", state="FAILED",
        not_before=connection.connected_at, created_at=connection.connected_at,
    )  # fmt: skip
    for address in READS:
        forms = [form.split('"')[0] for form in as_role["Viewer"].get(address).content.decode().split('action="')[1:]]
        assert [form for form in forms if form.rstrip("/") not in {"/logout", "/problems", "/activity", "/plans"}] == []


def test_what_was_done_is_in_the_audit_log_with_who_did_it(as_role: dict[str, Client]) -> None:
    as_role["Operator"].post(reverse("entity_sync", args=[PLANS, "pro"]))
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.detail) == ("operator", "sync", {"keys": ["plan:pro"]})


def test_an_audit_entry_stays_as_it_is(as_role: dict[str, Client]) -> None:
    as_role["Operator"].post(reverse("entity_sync", args=[PLANS, "pro"]))
    entry = AuditEntry.objects.get()
    entry.actor_name = "somebody else"
    with pytest.raises(Exception, match="cannot be changed"):
        entry.save()
    with pytest.raises(Exception, match="cannot be deleted"):
        entry.delete()


def test_login_leads_to_the_overview_and_logout_back(client: Client) -> None:
    User.objects.create_user("ada", password="made-up-password-1")
    answer = client.post("/login/", {"username": "ada", "password": "made-up-password-1"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.post("/logout/").headers["Location"] == "/login/"


def test_five_wrong_passwords_lock_a_name_with_a_sentence(client: Client) -> None:
    User.objects.create_user("ada", password="made-up-password-1")
    answers = [client.post("/login/", {"username": "ada", "password": "wrong"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert "After 5 wrong passwords this name is locked" in answers[-1].content.decode()
    right = client.post("/login/", {"username": "ada", "password": "made-up-password-1"})
    assert right.status_code == 429


def test_pages_allow_no_foreign_and_no_inline_code(as_role: dict[str, Client]) -> None:
    for address in [*READS, ZUORA]:
        response = as_role["Administrator"].get(address)
        policy = response.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        page = response.content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert " onclick=" not in page
        assert page.count("<script") == page.count("<script src=")


def test_the_wait_for_a_lock_is_the_settings_own(settings: object) -> None:
    assert timedelta(hours=getattr(settings, "AXES_COOLOFF_TIME", 0)) == timedelta(minutes=15)
