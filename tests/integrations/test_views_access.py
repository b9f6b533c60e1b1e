"""Who may see and do what: every address of the console, as every role."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from integrations.models import AuditEntry, Connection, EntityKind, Request, SyncJob, SyncRecord, SyncStatus
from integrations.sections import SECTIONS
from integrations.stigg.account import Page
from integrations.views import previews
from integrations.zuora.standin.app import StandIn
from tests.browser.scene import PASSWORD, people
from tests.factories.catalog import PlanFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations import usage_doors
from tests.integrations.doors import FORMS, LEADING_BACK, NOW, PAGES, PUBLIC, key, operation, pro, viewer, with_stigg
from tests.tenant import open_tenant, put_behind_forms

pytestmark = pytest.mark.django_db
PLANS = SECTIONS["plans"]
ZUORA = "/settings/integrations/apps/zuora/"
READS = ["/", "/plans/", "/plans/pro/", "/problems/", "/activity/", "/background/", "/settings/integrations/apps/"]
USAGE = [name for name in usage_doors.PAGES if not name.endswith("_export")]
ROLES = ["Anonymous", "None", "Viewer", "Operator", "Administrator"]
#: Doors of their own, tested where they are: keys instead of roles, Django's own pages, and numbers for a machine.
ELSEWHERE = ("api/", "admin/", "metrics", "webhooks/")


def console() -> Iterator[URLPattern]:
    """Walk the project's addresses, and yield those of the console."""
    waiting: list[tuple[str, URLPattern | URLResolver]] = [("", one) for one in get_resolver().url_patterns]
    while waiting:
        before, one = waiting.pop()
        address = before + str(one.pattern)
        if address.startswith(ELSEWHERE):
            continue
        if isinstance(one, URLResolver):
            waiting += [(address, inner) for inner in one.url_patterns]
        else:
            yield one


def takes(method: str, pattern: URLPattern) -> bool:
    """Tell whether a view has something to say to a method: whatever is not refused as such counts."""
    request = RequestFactory().generic(method, "/")
    request.user = AnonymousUser()
    values = {"section": PLANS, "int": 0}  # by the converter; any other takes text
    kinds = {
        name: type(one).__name__.removesuffix("Converter").lower() for name, one in pattern.pattern.converters.items()
    }
    named = {name: values.get(kind, "x") for name, kind in kinds.items()}
    try:
        return bool(pattern.callback(request, **named).status_code != 405)
    except Exception:  # noqa: BLE001 - it got further than a refusal
        return True


def arguments_of(name: str) -> list[object]:
    made: dict[str, Callable[[], list[object]]] = {
        "entities": lambda: [PLANS],
        "entities_export": lambda: [PLANS],
        "entity": pro,
        "entity_cancel_there": pro,
        "request": lambda: [Request.objects.get().pk],
        "entity_preview": pro,
        "operation": operation,
        "operation_csv": operation,
        "api_key_revoke": key,
        "person": viewer,
        **usage_doors.ARGUMENTS,
        "stigg_remove": with_stigg,
    }
    return made[name]() if name in made else []


@pytest.fixture
def as_role(
    client: Client, connection: Connection, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Client]:
    """A browser for each role, and one for somebody without any."""
    monkeypatch.setattr(previews, "client_for", lambda _: open_tenant(standin))
    PlanFactory.create(ref_id="pro")
    Request.objects.create(connection=connection, method="GET", path="/", duration_ms=1, started_at=NOW)
    users = {"None": User.objects.create_user("nobody"), **people()}
    browsers = {"Anonymous": client}
    for role, user in users.items():
        browsers[role] = Client()
        browsers[role].force_login(user)
    return browsers


def test_every_address_that_can_be_opened_has_its_line() -> None:
    assert {one.name for one in console() if takes("GET", one)} == set(PAGES) | LEADING_BACK | PUBLIC - {"logout"}


def test_every_address_that_takes_a_form_has_its_line() -> None:
    assert {one.name for one in console() if takes("POST", one)} == set(FORMS) | PUBLIC


def test_no_address_is_without_protection_against_forms_of_other_sites() -> None:
    assert [one.name for one in console() if getattr(one.callback, "csrf_exempt", False)] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_its_role_and_those_above(as_role: dict[str, Client], name: str) -> None:
    address = reverse(name, args=arguments_of(name))
    statuses = [as_role[role].get(address).status_code for role in ROLES]
    allowed = ROLES.index(PAGES[name])
    assert statuses == [302, *[403] * (allowed - 1), *[200] * (len(ROLES) - allowed)]
    assert as_role["Anonymous"].get(address)["Location"].startswith("/login/")


@pytest.fixture
def tenant(as_role: dict[str, Client], standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> dict[str, Client]:
    """A tenant behind every address that somebody connects, and a subscription."""
    put_behind_forms(standin, monkeypatch)
    monkeypatch.setattr("integrations.stigg.account.Account.page", lambda *_args, **_more: Page((), ""))
    Connection.objects.update(tenant_id="10042")
    SubscriptionFactory.create()
    return as_role


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_for_its_role_leaves_a_line_and_says_what_happened(tenant: dict[str, Client], name: str) -> None:
    form = FORMS[name]
    form.prepare()
    address = reverse(name, args=form.arguments())
    browser = tenant[form.role]
    if name == "account":  # the one form that is about whoever sends it
        browser = Client()
        browser.post("/login/", {"username": form.role.lower(), "password": PASSWORD})

    sent = {**form.sent, **form.ticked()}
    anonymous = tenant["Anonymous"].post(address, sent)
    assert anonymous["Location"].startswith("/login/")
    refused = [tenant[role].post(address, sent).status_code for role in ROLES[1 : ROLES.index(form.role)]]
    assert refused == [403] * (ROLES.index(form.role) - 1)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    foreign = strict.post(address, sent)
    assert (foreign.status_code, "This form is too old" in foreign.content.decode()) == (403, True)
    assert AuditEntry.objects.filter(action=form.action, at__gt=NOW).count() == 0

    page = browser.post(address, sent, follow=True)
    assert page.status_code == 200
    assert form.said in page.content.decode()
    entry = AuditEntry.objects.filter(action=form.action, at__gt=NOW).get()
    assert entry.actor_name == form.role.lower()


@pytest.mark.parametrize("name", sorted(set(FORMS) - set(PAGES)))
def test_nothing_is_done_by_opening_an_address(tenant: dict[str, Client], name: str) -> None:
    FORMS[name].prepare()
    before = AuditEntry.objects.count()
    answer = tenant["Administrator"].get(reverse(name, args=FORMS[name].arguments()))
    assert answer.status_code == (302 if name in LEADING_BACK else 405)
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("address", ["/login/", "/logout/", "/login/MQ/set-password/"])
def test_a_form_of_another_site_lets_nobody_in_or_out(as_role: dict[str, Client], address: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = as_role["Administrator"].cookies
    assert strict.post(address).status_code == 403
    assert as_role["Administrator"].get("/").status_code == 200


def test_a_superuser_counts_as_administrator(connection: Connection) -> None:
    del connection
    browser = Client()
    browser.force_login(User.objects.create_superuser("root"))
    assert browser.get(ZUORA).status_code == 200


def test_a_viewer_is_shown_nothing_that_a_viewer_may_not_do(as_role: dict[str, Client], connection: Connection) -> None:
    plan = PLANS.get("pro")
    record = SyncRecord.objects.get(key="plan:pro")
    record.zuora_id = "a" * 32
    record.mark_status(SyncStatus.NO_SYNC_REQUIRED, now=datetime(2026, 1, 1, tzinfo=UTC))
    record.save()
    SyncJob.objects.create(
        connection=connection, kind=EntityKind.PLAN, entity_id=plan.pk, key="plan:pro", state="FAILED",
        cause="Made up.", not_before=connection.connected_at, created_at=connection.connected_at,
    )  # fmt: skip
    for address in [*READS, *(reverse(name, args=arguments_of(name)) for name in USAGE)]:
        forms = [form.split('"')[0] for form in as_role["Viewer"].get(address).content.decode().split('action="')[1:]]
        assert {form.rstrip("/") for form in forms} <= {
            "/logout",
            "/problems",
            "/activity",
            "/plans",
            "/usage",
            "/usage/nobodys",
        }


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
    for address in [*READS, ZUORA, *(reverse(name, args=arguments_of(name)) for name in USAGE)]:
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
