"""Django admin's raw rows of the sync."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from catalog.models import Feature, Plan
from customers.models import Customer
from integrations.models import (
    AuditEntry,
    Connection,
    Delivery,
    JobState,
    Priority,
    Request,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from tests.admin_pages import act, said, url
from tests.browser.scene import people
from tests.factories.catalog import PlanFactory
from usage.models import UnattributedUsage

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODELS = [Connection, SyncJob, SyncRecord, Delivery, Request, AuditEntry, UnattributedUsage]


@pytest.fixture
def browser(connection: Connection) -> Client:
    """An operator, and one row of everything."""
    user = people()["Operator"]
    PlanFactory.create(ref_id="pro")
    job = SyncJob.objects.get()
    delivery = Delivery.objects.create(job=job, track_id="t-1", worker="w", started_at=NOW)
    Request.objects.create(
        connection=connection, delivery=delivery, method="GET", path="/v1/x", duration_ms=1, started_at=NOW
    )
    [customer] = Customer.objects.bulk_create([Customer(ref_id="acme")])  # saved, it would be pushed
    feature = Feature.objects.create(ref_id="api-calls", display_name="API calls")
    UnattributedUsage.objects.create(
        customer=customer, feature=feature, starts_at=NOW, ends_at=NOW, change=1,
        event_count=1, noted_at=NOW,
    )  # fmt: skip
    AuditEntry.objects.create(at=NOW, actor=user, actor_name="operator", action="sync", subject="plan:pro")
    logged_in = Client()
    logged_in.force_login(user)
    return logged_in


def name(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


@pytest.mark.parametrize("model", MODELS)
def test_an_operator_looks_at_every_row_and_changes_none(browser: Client, model: Any) -> None:
    row = model.objects.first()
    assert browser.get(url(name(model), "changelist")).status_code == 200
    page = browser.get(url(name(model), "change", row.pk))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert browser.get(url(name(model), "add")).status_code == 403
    assert browser.post(url(name(model), "change", row.pk), {}).status_code == 403
    assert browser.post(url(name(model), "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_not_even_a_superuser_adds_changes_or_deletes(browser: Client, model: Any) -> None:
    browser.force_login(User.objects.create_superuser("root"))
    row = model.objects.first()
    assert browser.get(url(name(model), "add")).status_code == 403
    assert browser.post(url(name(model), "delete", row.pk), {"post": "yes"}).status_code == 403
    answer = act(browser, name(model), "delete_selected", row, post="yes")
    assert model.objects.filter(pk=row.pk).exists()
    assert answer.status_code == 200


def test_the_secret_is_nowhere_in_the_admin(browser: Client, connection: Connection) -> None:
    browser.force_login(User.objects.create_superuser("root"))
    for model in MODELS:
        for row in model.objects.all():  # type: ignore[attr-defined]
            for address in (url(name(model), "changelist"), url(name(model), "change", row.pk)):
                page = browser.get(address).content.decode()
                assert "demo-secret" not in page
                assert "client_secret" not in page
    assert connection.client_secret == "demo-secret"


def test_a_record_links_its_billing_id_into_the_tenant(browser: Client) -> None:
    SyncRecord.objects.update(status=SyncStatus.SUCCESS, zuora_id="a" * 32, zuora_number="stigg--plan--pro")
    page = browser.get(url("integrations_syncrecord", "changelist")).content.decode()
    link = f"https://test.zuora.com/apps/Product.do?method=view&amp;id={'a' * 32}"
    assert f'<a href="{link}" target="_blank" rel="noopener noreferrer">stigg--plan--pro</a>' in page
    assert '<a href="/plans/pro/">plan:pro</a>' in page


def test_sync_now_makes_jobs_at_a_clicks_priority(browser: Client) -> None:
    SyncJob.objects.all().delete()
    answer = act(browser, "integrations_syncrecord", "sync_now", SyncRecord.objects.get())
    assert said(answer) == ["1 on its way."]
    assert [(job.key, job.priority) for job in SyncJob.objects.all()] == [("plan:pro", Priority.CLICK)]


def test_retry_takes_the_failed_jobs_only(browser: Client) -> None:
    PlanFactory.create(ref_id="other")
    done, failed = SyncJob.objects.get(key="plan:other"), SyncJob.objects.get(key="plan:pro")
    SyncJob.objects.filter(pk=done.pk).update(state=JobState.DONE)
    SyncJob.objects.filter(pk=failed.pk).update(state=JobState.FAILED)
    answer = act(browser, "integrations_syncjob", "retry", done, failed)
    assert said(answer) == ["1 on its way."]
    assert list(SyncJob.objects.waiting().values_list("key", flat=True)) == ["plan:pro"]


def test_a_viewer_is_offered_no_action(browser: Client) -> None:
    viewer = User.objects.get(username="viewer")
    viewer.is_staff = True
    viewer.save()
    browser.force_login(viewer)
    SyncJob.objects.update(state=JobState.FAILED)
    page = browser.get(url("integrations_syncjob", "changelist")).content.decode()
    assert 'value="retry"' not in page
    act(browser, "integrations_syncjob", "retry", SyncJob.objects.get())
    assert SyncJob.objects.waiting().count() == 0


def test_an_action_without_a_tenant_says_why_not(browser: Client) -> None:
    Connection.objects.update(removed_at=NOW)
    answer = act(browser, "integrations_syncrecord", "sync_now", SyncRecord.objects.get())
    assert said(answer) == ["Zuora is not connected: connect it at Settings > Integrations > Apps > Zuora."]


def test_jobs_and_records_are_filtered(browser: Client) -> None:
    for model, query in (("syncjob", "state__exact=FAILED"), ("syncrecord", "status__exact=ERROR")):
        page = browser.get(f"{url(f'integrations_{model}', 'changelist')}?{query}")
        assert page.context["cl"].result_count == 0


def test_the_admin_and_the_console_lead_to_each_other(browser: Client) -> None:
    assert f'href="{reverse("overview")}"' in browser.get(reverse("admin:index")).content.decode()
    assert f'href="{reverse("admin:index")}"' in browser.get("/").content.decode()


def pages() -> list[tuple[str, Any]]:
    """Return pages of the console, each with the raw row that it shows."""
    return [
        ("/plans/pro/", SyncRecord.objects.get()),
        (f"/settings/requests/{Request.objects.get().pk}/", Request.objects.get()),
        ("/settings/integrations/apps/zuora/", Connection.objects.get()),
        (f"/settings/people/{User.objects.get(username='viewer').pk}/", User.objects.get(username="viewer")),
    ]


def raw(row: Any) -> str:
    return url(f"{row._meta.app_label}_{row._meta.model_name}", "change", row.pk)


def test_a_page_leads_to_its_raw_row_and_back(browser: Client) -> None:
    browser.force_login(User.objects.create_superuser("root"))
    for page, row in pages():
        assert f'href="{raw(row)}"' in browser.get(page).content.decode()
        assert f'<a href="{page}">Open in the console</a>' in browser.get(raw(row)).content.decode()
    for row, page in (
        (Plan.objects.get(), "/plans/pro/"),
        (SyncJob.objects.get(), "/plans/pro/"),
        (Delivery.objects.get(), "/plans/pro/"),
        (AuditEntry.objects.get(), "/settings/audit-log/?subject=plan%3Apro"),
    ):
        assert f'<a href="{page}">Open in the console</a>' in browser.get(raw(row)).content.decode()
    nowhere = browser.get(raw(Group.objects.get(name="Viewer")))
    assert "Open in the console" not in nowhere.content.decode()


def test_who_may_not_see_raw_rows_is_not_led_there(browser: Client) -> None:
    browser.force_login(User.objects.get(username="viewer"))
    for page, row in pages()[:2]:
        assert raw(row) not in browser.get(page).content.decode()


def test_what_is_done_in_the_admin_is_in_the_audit_log(browser: Client) -> None:
    browser.force_login(User.objects.create_superuser("root"))
    before = AuditEntry.objects.latest("pk").pk
    browser.post(url("auth_group", "add"), {"name": "Night shift"})
    group = Group.objects.get(name="Night shift")
    browser.post(url("auth_group", "change", group.pk), {"name": "Day shift"})
    browser.post(url("auth_group", "delete", group.pk), {"post": "yes"})
    Group.objects.create(name="a")
    Group.objects.create(name="b")
    act(browser, "auth_group", "delete_selected", *Group.objects.filter(name__in=["a", "b"]), post="yes")
    Group.objects.create(name="c")
    act(browser, "auth_group", "delete_selected", Group.objects.get(name="c"), post="yes")
    assert list(
        AuditEntry.objects.filter(pk__gt=before).order_by("pk").values_list("actor_name", "action", "subject")
    ) == [
        ("root", "add in raw rows", "Authentication and Authorization | group: Night shift"),
        ("root", "change in raw rows", "Authentication and Authorization | group: Day shift"),
        ("root", "delete in raw rows", "Authentication and Authorization | group: Day shift"),
        ("root", "delete in raw rows", "2 x group"),
        ("root", "delete in raw rows", "Authentication and Authorization | group: c"),
    ]


def test_a_question_before_deleting_leaves_no_line(browser: Client) -> None:
    browser.force_login(User.objects.create_superuser("root"))
    before = AuditEntry.objects.count()
    act(browser, "auth_group", "delete_selected", *Group.objects.all())
    assert (AuditEntry.objects.count(), Group.objects.count()) == (before, 3)


def test_every_model_of_the_sync_that_a_person_may_see_is_registered() -> None:
    assert all(admin.site.is_registered(model) for model in MODELS)
